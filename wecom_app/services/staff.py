"""Staff members as we know them; WeCom spells a userid in any case, we join on lower case."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

from sqlalchemy import bindparam, select
from sqlalchemy.orm import Session

from wecom_app.models import Staff
from wecom_app.prepared import Prepared
from wecom_app.services.ports import JobQueue
from wecom_app.services.upsert import insert_ignore

READ_KIND = "staff.read"
IDS = Prepared(select(Staff.userid_key, Staff.id).where(Staff.userid_key.in_(bindparam("keys", expanding=True))))
USERIDS = Prepared(select(Staff.id, Staff.userid).where(Staff.id.in_(bindparam("staff_ids", expanding=True))))


def ensure(session: Session, userids: Sequence[str], now: datetime) -> Mapping[str, int]:
    """Return each userid's staff id, making rows for those not yet known; keys as given."""
    wanted = {userid: userid.lower() for userid in userids}
    known = _ids(session, set(wanted.values()))
    missing = {key: userid for userid, key in wanted.items() if key not in known}
    if missing:
        rows = [{"userid": userid, "userid_key": key, "created_at": now} for key, userid in missing.items()]
        insert_ignore(session, Staff, rows, ["userid_key"])
        known = _ids(session, set(wanted.values()))
    return {userid: known[key] for userid, key in wanted.items()}


def find_ids(session: Session, userids: Sequence[str]) -> Mapping[str, int]:
    """Return the staff ids of the userids that are known, by lower-case userid."""
    return _ids(session, {userid.lower() for userid in userids})


def userids(session: Session, staff_ids: Collection[int]) -> dict[int, str]:
    """Return the userids of these members, by staff id."""
    return {row.id: row.userid for row in USERIDS.rows(session, {"staff_ids": sorted(staff_ids)})}


def unnamed(session: Session, staff_ids: Sequence[int]) -> list[str]:
    """Return the userids of those whose names we do not know."""
    query = select(Staff.userid).where(Staff.id.in_(staff_ids), Staff.name == "").order_by(Staff.id)
    return list(session.execute(query).scalars())


def request_names(session: Session, queue: JobQueue, staff_ids: Sequence[int]) -> None:
    """Have the members without a name read from WeCom: welcome messages and lists say it."""
    for userid in unnamed(session, staff_ids):
        request_reading(session, queue, userid)


def request_reading(session: Session, queue: JobQueue, userid: str) -> None:
    """Have one member read from WeCom."""
    queue.enqueue(session, READ_KIND, {"userid": userid}, lane="bulk", unique=userid.lower())


def _ids(session: Session, keys: set[str]) -> dict[str, int]:
    rows = IDS.rows(session, {"keys": sorted(keys)})
    return {row.userid_key: row.id for row in rows}
