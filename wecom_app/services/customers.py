"""Customers and their relations: made on the first callback, filled in by looks, opened and closed by events."""

from collections.abc import Sequence
from datetime import datetime
from operator import attrgetter
from typing import Any

from sqlalchemy import bindparam, select, update
from sqlalchemy.orm import Session

from wecom_app.errors import NotFound
from wecom_app.models import Customer, Relation
from wecom_app.prepared import Prepared
from wecom_app.services.ports import ContactDetails
from wecom_app.services.upsert import ignoring, insert_ignore

CUSTOMER_TYPES = ("wechat", "wecom")
CUSTOMER = Customer.__table__
ID = select(CUSTOMER.c.id).where(CUSTOMER.c.external_userid == bindparam("external_userid"))
LOCKED_ID = Prepared(ID.with_for_update())
PREPARED_ID = Prepared(ID)
LOCKED = (
    select(CUSTOMER.c.id)
    .where(CUSTOMER.c.external_userid.in_(bindparam("external_userids", expanding=True)))
    .order_by(CUSTOMER.c.id)
    .with_for_update()
)
DETAILS_OF = attrgetter("name", "type", "avatar", "gender", "unionid", "corp_name")
"""The columns that `_details` writes, in its order."""
RELATION = select(Relation).where(
    Relation.customer_id == bindparam("customer_id"), Relation.staff_id == bindparam("staff_id")
)
LIVE_RELATIONS = (
    select(Relation)
    .where(Relation.customer_id == bindparam("customer_id"), Relation.lost_at.is_(None))
    .order_by(Relation.id)
)
CHANGE = Prepared(update(Customer).where(CUSTOMER.c.id == bindparam("customer_id")))
RAISE_VERSION = Prepared(
    update(Customer)
    .where(CUSTOMER.c.id.in_(bindparam("customer_ids", expanding=True)))
    .values(version=CUSTOMER.c.version + 1)
)


def lock(session: Session, customer_ids: Sequence[int]) -> None:
    """Lock the customers' rows in order of id, so that two transactions never wait for each other.

    SQLite has one writer at a time, who holds everything.
    """
    if session.get_bind().dialect.name == "sqlite":
        return
    session.execute(select(Customer.id).where(Customer.id.in_(customer_ids)).order_by(Customer.id).with_for_update())


def ensure(session: Session, external_userid: str, now: datetime) -> int:
    """Return the customer's id, locked; made if he is new."""
    kind = "wecom" if external_userid.startswith("wo") else "wechat"
    row = {
        "external_userid": external_userid,
        "name": "",
        "type": kind,
        "version": 0,
        "created_at": now,
    }
    found = LOCKED_ID.scalar(session, {"external_userid": external_userid})
    if found is None:
        statement = ignoring(session, Customer, ("external_userid",), returning=("id",))
        found = statement.scalar(session, row)
    if found is None:
        # Another process made him in the same moment.
        found = LOCKED_ID.scalar(session, {"external_userid": external_userid})
    return int(found)


def lock_known(session: Session, external_userids: Sequence[str]) -> None:
    """Lock those of the customers whom we know, in order of id; what is read after that stays as it is."""
    if session.get_bind().dialect.name != "sqlite":
        session.connection().execute(LOCKED, {"external_userids": list(external_userids)})


def add_many(session: Session, found: Sequence[ContactDetails], now: datetime) -> None:
    """Make customers who are new, each named once; one whom another process has made meanwhile stays as he is."""
    rows = [
        {"external_userid": details.external_userid, **_details(details), "version": 0, "created_at": now}
        for details in sorted(found, key=lambda one: one.external_userid)
    ]
    insert_ignore(session, Customer, [{**row, "details_at": now} for row in rows], ("external_userid",))


def renew(session: Session, found: Sequence[tuple[Any, ContactDetails]], now: datetime) -> None:
    """Write down what WeCom says of customers where it differs from their rows, which are locked."""
    changed = [
        {"customer_id": row.customer_id, **_details(details), "details_at": now}
        for row, details in found
        if row.details_at is None or DETAILS_OF(row) != tuple(_details(details).values())
    ]
    if changed:
        CHANGE.run_many(session, changed)


def find_id(session: Session, external_userid: str) -> int | None:
    """Return the customer's id; None if we do not know him."""
    found: int | None = PREPARED_ID.scalar(session, {"external_userid": external_userid})
    return found


def find(session: Session, external_userid: str) -> Customer:
    """Return the customer; raise NotFound if we do not know him."""
    query = select(Customer).where(Customer.external_userid == external_userid)
    # Details and version are written past the session: what it has loaded before may be old.
    found = session.execute(query.execution_options(populate_existing=True)).scalar_one_or_none()
    if found is None:
        raise NotFound("没有这个客户")
    return found


def find_relation(session: Session, customer_id: int, staff_id: int) -> Relation | None:
    """Return the relation of a customer and a member, open or lost; None if there never was one."""
    return session.execute(RELATION, {"customer_id": customer_id, "staff_id": staff_id}).scalar_one_or_none()


def new_relation(session: Session, customer_id: int, staff_id: int, now: datetime) -> Relation:
    """Return a relation that has not been heard of before; inserted when its epoch opens or closes."""
    relation = Relation(
        customer_id=customer_id,
        staff_id=staff_id,
        half=False,
        opened_at=now,
        parted=[],
        linked=False,
        life_seq=0,
        seen_seq=0,
        dirty_gen=0,
        pulled_gen=0,
        source_known=False,
    )
    session.add(relation)
    return relation


def live_relations(session: Session, customer_id: int) -> list[Relation]:
    """Return the relations that are not lost, by id; half-added ones too."""
    return list(session.execute(LIVE_RELATIONS, {"customer_id": customer_id}).scalars())


def update_details(session: Session, customer_id: int, details: ContactDetails, now: datetime) -> None:
    """Write down what WeCom says of the customer himself."""
    values = {"customer_id": customer_id, **_details(details), "details_at": now}
    CHANGE.run(session, values)


def _details(details: ContactDetails) -> dict[str, Any]:
    return {
        "name": details.name[:128],
        "type": details.type if details.type in CUSTOMER_TYPES else "wechat",
        "avatar": _fitting(details.avatar, 512),
        "gender": details.gender,
        "unionid": _fitting(details.unionid, 64),
        "corp_name": None if details.corp_name is None else details.corp_name[:128],
    }


def _fitting(text: str | None, most: int) -> str | None:
    """Return an address or id that there is room for: half of one is none."""
    return text if text is None or len(text) <= most else None


def raise_version(session: Session, customer_ids: Sequence[int]) -> None:
    """Raise the edit version of customers whose tags changed."""
    RAISE_VERSION.run(session, {"customer_ids": list(customer_ids)})
