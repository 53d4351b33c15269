"""Staff members as we know them; WeCom spells a userid in any case, we join on lower case."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from wecom_app.models import Staff
from wecom_app.services.upsert import insert_ignore


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


def _ids(session: Session, keys: set[str]) -> dict[str, int]:
    rows = session.execute(select(Staff.userid_key, Staff.id).where(Staff.userid_key.in_(keys)))
    return {key: staff_id for key, staff_id in rows}
