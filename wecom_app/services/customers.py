"""Customers and their relations: made on the first callback, filled in by looks, opened and closed by events."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, select, update
from sqlalchemy.orm import Session

from wecom_app.errors import NotFound
from wecom_app.models import Customer, Relation
from wecom_app.services.ports import ContactDetails
from wecom_app.services.upsert import ignoring, insert_ignore

CUSTOMER_TYPES = ("wechat", "wecom")
CUSTOMER = Customer.__table__
ID = select(CUSTOMER.c.id).where(CUSTOMER.c.external_userid == bindparam("external_userid"))
LOCKED_ID = ID.with_for_update()
KNOWN = select(CUSTOMER).where(CUSTOMER.c.external_userid.in_(bindparam("external_userids", expanding=True)))
RELATION = select(Relation).where(
    Relation.customer_id == bindparam("customer_id"), Relation.staff_id == bindparam("staff_id")
)
LIVE_RELATIONS = (
    select(Relation)
    .where(Relation.customer_id == bindparam("customer_id"), Relation.lost_at.is_(None))
    .order_by(Relation.id)
)
CHANGE = update(Customer).where(CUSTOMER.c.id == bindparam("customer_id"))
RAISE_VERSION = (
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
    connection = session.connection()
    found = connection.execute(LOCKED_ID, {"external_userid": external_userid}).scalar()
    if found is None:
        statement = ignoring(session, Customer, ("external_userid",), returning=("id",))
        found = connection.execute(statement, row).scalar()
    if found is None:
        # Another process made him in the same moment.
        found = connection.execute(LOCKED_ID, {"external_userid": external_userid}).scalar_one()
    return int(found)


def ensure_many(session: Session, found: Sequence[ContactDetails], now: datetime) -> dict[str, int]:
    """Return the customers' ids, locked in order of id; new ones are made, details that changed are written.

    `found` names each customer once.
    """
    values = {details.external_userid: _details(details) for details in found}
    known = _known(session, list(values))
    new = [
        {"external_userid": userid, **values[userid], "version": 0, "created_at": now, "details_at": now}
        for userid in sorted(values.keys() - known.keys())
    ]
    insert_ignore(session, Customer, new, ("external_userid",))
    if new:
        known |= _known(session, [row["external_userid"] for row in new])
    lock(session, [row["id"] for row in known.values()])
    changed = [
        {"customer_id": row["id"], **values[userid], "details_at": now}
        for userid, row in known.items()
        if row["details_at"] is None or any(row[name] != value for name, value in values[userid].items())
    ]
    if changed:
        session.connection().execute(CHANGE, changed)
    return {userid: row["id"] for userid, row in known.items()}


def _known(session: Session, external_userids: Sequence[str]) -> dict[str, dict[str, Any]]:
    rows = session.connection().execute(KNOWN, {"external_userids": list(external_userids)}).mappings()
    return {row["external_userid"]: dict(row) for row in rows}


def find_id(session: Session, external_userid: str) -> int | None:
    """Return the customer's id; None if we do not know him."""
    found: int | None = session.connection().execute(ID, {"external_userid": external_userid}).scalar()
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
    session.connection().execute(CHANGE, values)


def _details(details: ContactDetails) -> dict[str, Any]:
    return {
        "name": details.name[:128],
        "type": details.type if details.type in CUSTOMER_TYPES else "wechat",
        "avatar": details.avatar,
        "gender": details.gender,
        "unionid": details.unionid,
        "corp_name": details.corp_name,
    }


def raise_version(session: Session, customer_ids: Sequence[int]) -> None:
    """Raise the edit version of customers whose tags changed."""
    session.connection().execute(RAISE_VERSION, {"customer_ids": list(customer_ids)})
