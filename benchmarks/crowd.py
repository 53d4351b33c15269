"""A company of many customers in a fresh SQLite file, made in bulk within seconds: what page benchmarks look at.

Every customer has one or two friendships, five tags at rest with their history, a welcome message and, one in
four, a follow-up note. Members share the customers evenly.
"""

from datetime import datetime, timedelta

from sqlalchemy import text

from wecom_app.db import EPOCH, Database

STAFF = 50
TAGS = 32
HELD = 5
DAY = 86_400_000_000
"""In microseconds, as times are kept on SQLite."""

NUMBERS = "WITH RECURSIVE number(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM number WHERE i < {count})"
RELATION = (
    "half, add_way, opened_at, epoch_at, linked, life_seq, seen_seq, dirty_gen, pulled_gen, parted, source_known,"
    " remark, remark_mobiles"
)
FRIENDS = "0, 3, :now - (i % 400) * :day, :now - (i % 400) * :day, 0, 1, 2, 0, 0, '[]', 1, '备注' || i, '[]'"
ROW = (
    "customer_id, tag_id, relation_id, wanted, ver, person_seq, source_kind, source_ref, evidence, set_at, base,"
    " acked_ver, seen_seq, touched_seq, tries, dead"
)
HELD_TAG = f"(customer.id + held.i * 5) % {TAGS} + 1"
SOURCE = "CASE held.i WHEN 1 THEN 'manual' WHEN 2 THEN 'channel' ELSE 'rule' END"
EVIDENCE = "json_object('text', '近 90 天下单 ' || held.i || ' 次', 'channel_name', '门店海报')"
KEPT = (
    f"json_object('wanted', json('true'), 'source_kind', {SOURCE}, 'source_ref', 'vip', 'actor', NULL,"
    f" 'evidence', json({EVIDENCE}), 'set_at', '2026-11-01T00:00:00+00:00', 'expires_at', NULL)"
)

STATEMENTS = (
    f"""{NUMBERS.format(count=STAFF)} INSERT INTO staff (id, userid, userid_key, name, status, created_at)
    SELECT i, 'staff' || i, 'staff' || i, '导购' || i, 'active', :now FROM number""",
    f"""{NUMBERS.format(count=":count")} INSERT INTO customer
    (id, external_userid, name, type, avatar, version, created_at, details_at)
    SELECT i, 'wm' || i, '客户' || i, 'wechat', 'https://wx.qlogo.cn/' || i, {HELD}, :now, :now FROM number""",
    f"""{NUMBERS.format(count=":count")} INSERT INTO relation (id, customer_id, staff_id, {RELATION})
    SELECT i, i, i % {STAFF} + 1, {FRIENDS} FROM number""",
    f"""{NUMBERS.format(count=":count / 5")} INSERT INTO relation (customer_id, staff_id, {RELATION})
    SELECT i * 5, (i * 5 + 1) % {STAFF} + 1, {FRIENDS} FROM number""",
    f"""{NUMBERS.format(count=8)} INSERT INTO tag_group (id, key, name, dimension, selection, scope, mirror, owner,
    position, sensitive, editable_by, created_at)
    SELECT i, 'g' || i, '标签组' || i, CASE i % 4 WHEN 0 THEN 'consumption' WHEN 1 THEN 'behaviour'
    WHEN 2 THEN 'basic_info' ELSE 'journey' END, 'multi', 'customer', 'two_way', 'ours', i, i = 8, 'everybody', :now
    FROM number""",
    f"""{NUMBERS.format(count=TAGS)} INSERT INTO tag
    (id, key, group_id, name, owner, wecom_tag_id, position, created_at)
    SELECT i, 'g' || ((i - 1) / 4 + 1) || '.t' || i, (i - 1) / 4 + 1, '标签' || i, 'ours', 'et' || i, i, :now
    FROM number""",
    f"""{NUMBERS.format(count=HELD)}, held AS (SELECT i FROM number) INSERT INTO customer_tag ({ROW})
    SELECT customer.id, {HELD_TAG}, 0, 1, 1, 0, {SOURCE}, 'vip', {EVIDENCE}, :now - held.i * :day, NULL, 0, 0, 0, 0, 0
    FROM customer CROSS JOIN held""",
    f"""{NUMBERS.format(count=HELD)}, held AS (SELECT i FROM number) INSERT INTO customer_tag ({ROW})
    SELECT customer.id, {HELD_TAG}, relation.id, 1, 1, 0, {SOURCE}, 'vip', '{{}}', :now - held.i * :day,
    1, 1, 2, 2, 0, 0 FROM customer JOIN relation ON relation.customer_id = customer.id CROSS JOIN held""",
    f"""{NUMBERS.format(count=HELD)} INSERT INTO change_set (id, at, actor_kind, actor_ref, reason)
    SELECT i, :now - i * :day, 'rule', 'vip', '夜间运行' FROM number""",
    f"""{NUMBERS.format(count=HELD)}, held AS (SELECT i FROM number) INSERT INTO tag_event
    (change_set_id, customer_id, tag_id, relation_id, op, after, at)
    SELECT held.i, customer.id, {HELD_TAG}, 0, 'add', {KEPT}, :now - held.i * :day FROM customer CROSS JOIN held""",
    f"""INSERT INTO follow_up (customer_id, staff_id, text, remind_at, remind_state, created_at)
    SELECT id, id % {STAFF} + 1, '问过尺码，下周再联系', :now + :day, 'waiting', :now - :day FROM customer
    WHERE id % 4 = 0""",
    """INSERT INTO inbox_event (id, digest, event, change_type, subject, deliveries, received_at,
    last_received_at, state)
    SELECT id, 'd' || id, 'change_external_contact', 'add_external_contact', external_userid, 1, :now, :now, 'done'
    FROM customer""",
    f"""INSERT INTO welcome (event_id, code, external_userid, userid, status, deadline_at, text, tries, received_at,
    finished_at)
    SELECT id, 'c' || id, external_userid, 'staff' || (id % {STAFF} + 1), 'sent', :now, '您好', 0, :now - :day, :now
    FROM customer""",
)


def fill(database: Database, customers: int, now: datetime) -> None:
    """Write the company into an empty database at head; `wm1` … `wmN` are its customers, `staff1` … its members."""
    values = {"now": (now - EPOCH) // timedelta(microseconds=1), "day": DAY, "count": customers}
    with database.engine.connect() as connection, connection.begin():
        for statement in STATEMENTS:
            named = {name: value for name, value in values.items() if f":{name}" in statement}
            connection.execute(text(statement), named)


def customers_of(staff_number: int, customers: int) -> list[str]:
    """Return the customers of one member."""
    return [f"wm{number}" for number in range(1, customers + 1) if number % STAFF + 1 == staff_number]
