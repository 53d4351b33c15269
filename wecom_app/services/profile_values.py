"""What is filled into a customer's profile fields, by whom and when; every value that was replaced stays as history.

Called by the sidebar and the API.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import insert, select, update
from sqlalchemy.orm import Session

from wecom_app.domain import explaining, field_kinds
from wecom_app.domain.access import Purpose
from wecom_app.domain.tagging import Source
from wecom_app.domain.vocabulary import SourceKind
from wecom_app.domain.words import FILLED_BY
from wecom_app.errors import InvalidInput
from wecom_app.models import ProfileField, ProfileValue
from wecom_app.services import customers, rep_rows
from wecom_app.services.access import Viewer, find_customer
from wecom_app.services.rep_rows import Names, run
from wecom_app.services.rep_views import FieldValue, FieldView

MAX_VALUES = 20
"""Values of one repeated field."""

Given = Mapping[str, object]
"""By field key: one value, a list for a repeated field, None to clear."""


@dataclass(frozen=True)
class PastValue:
    """A value that stands or stood, newest first in a history."""

    id: int
    key: str
    kind: str
    value: str
    source: Source
    set_at: datetime
    ended_at: datetime | None
    ended_by: str | None


def views(session: Session, customer_id: int, names: Names) -> tuple[FieldView, ...]:
    """Return every field in use with the customer's values, in the order that admins gave them."""
    fields: dict[int, tuple[Any, list[Any]]] = {}
    for row in run(session, rep_rows.FIELDS, customer_id=customer_id):
        values = fields.setdefault(row.id, (row, []))[1]
        if row.value is not None:
            values.append(row)
    names.learn(row.actor for _, values in fields.values() for row in values)
    return tuple(_view(field, values, names) for field, values in fields.values())


def put(session: Session, customer_id: int, given: Given, source: Source, now: datetime) -> list[str]:
    """Set the fields given, leave the others; return the keys of those that changed.

    Raises InvalidInput that names every field whose value cannot be taken; then nothing is written. A value
    that stands already keeps who set it and when.
    """
    customers.lock(session, [customer_id])
    fields = _fields(session, given)
    wanted = _normalised(fields, given)
    present = _present(session, customer_id, [field.id for field in fields.values()])
    changed = [
        key for key, values in wanted.items() if [row.value for row in present.get(fields[key].id, [])] != values
    ]
    for key in changed:
        _replace(session, customer_id, fields[key], present.get(fields[key].id, []), wanted[key], source, now)
    return changed


def fill(session: Session, viewer: Viewer, external_userid: str, given: Given, now: datetime) -> list[str]:
    """Set fields as a member; raise NotInSight where he may not edit the customer, else as `put`."""
    customer = find_customer(session, viewer, external_userid, Purpose.EDIT).customer
    return put(session, customer.id, given, Source(SourceKind.MANUAL, "", viewer.userid or viewer.name), now)


def history(session: Session, customer_id: int, *, before_id: int | None = None, limit: int = 50) -> list[PastValue]:
    """Return the values that stand and stood, newest first."""
    query = (
        select(ProfileValue, ProfileField.key, ProfileField.kind)
        .join(ProfileField, ProfileField.id == ProfileValue.field_id)
        .where(ProfileValue.customer_id == customer_id)
        .order_by(ProfileValue.id.desc())
        .limit(limit)
    )
    if before_id is not None:
        query = query.where(ProfileValue.id < before_id)
    return [_past(row, key, kind) for row, key, kind in session.execute(query)]


def present(session: Session, customer_id: int) -> list[tuple[ProfileField, list[PastValue]]]:
    """Return the fields in use that are filled in, in their order, with what stands there."""
    query = (
        select(ProfileField, ProfileValue)
        .join(ProfileValue, ProfileValue.field_id == ProfileField.id)
        .where(
            ProfileValue.customer_id == customer_id,
            ProfileValue.ended_at.is_(None),
            ProfileField.archived_at.is_(None),
        )
        .order_by(ProfileField.position, ProfileField.id, ProfileValue.position, ProfileValue.id)
    )
    found: dict[int, tuple[ProfileField, list[PastValue]]] = {}
    for field, row in session.execute(query):
        found.setdefault(field.id, (field, []))[1].append(_past(row, field.key, field.kind))
    return list(found.values())


def _past(row: ProfileValue, key: str, kind: str) -> PastValue:
    return PastValue(
        id=row.id,
        key=key,
        kind=kind,
        value=row.value,
        source=Source(SourceKind(row.source_kind), row.source_ref or "", row.actor),
        set_at=row.set_at,
        ended_at=row.ended_at,
        ended_by=row.ended_by,
    )


def _fields(session: Session, given: Given) -> dict[str, ProfileField]:
    query = select(ProfileField).where(ProfileField.key.in_(list(given)), ProfileField.archived_at.is_(None))
    found = {field.key: field for field in session.execute(query).scalars()}
    unknown = sorted(set(given) - set(found))
    if unknown:
        raise InvalidInput(
            f"没有这些资料字段：{'、'.join(unknown)}", details=dict.fromkeys(unknown, "没有这个资料字段，或已停用")
        )
    return found


def _normalised(fields: Mapping[str, ProfileField], given: Given) -> dict[str, list[str]]:
    wanted: dict[str, list[str]] = {}
    problems: dict[str, object] = {}
    for key, value in given.items():
        try:
            wanted[key] = _values(fields[key], value)
        except ValueError as problem:
            problems[key] = str(problem)
    if problems:
        names = "；".join(f"{fields[key].name}：{problem}" for key, problem in problems.items())
        raise InvalidInput(f"有内容填得不对。{names}", details=problems)
    return wanted


def _values(field: ProfileField, value: object) -> list[str]:
    given = value if isinstance(value, list) else [] if value is None or value == "" else [value]
    if len(given) > 1 and not field.repeated:
        raise ValueError("只能填一个")
    if len(given) > MAX_VALUES:
        raise ValueError(f"最多填 {MAX_VALUES} 个")
    values = [field_kinds.normalise(field.kind, each, field.options) for each in given]
    if field.required and not values:
        raise ValueError("必填，不能清空")
    return list(dict.fromkeys(values))


def _present(session: Session, customer_id: int, field_ids: Sequence[int]) -> dict[int, list[ProfileValue]]:
    query = (
        select(ProfileValue)
        .where(
            ProfileValue.customer_id == customer_id,
            ProfileValue.field_id.in_(field_ids),
            ProfileValue.ended_at.is_(None),
        )
        .order_by(ProfileValue.position, ProfileValue.id)
    )
    found: dict[int, list[ProfileValue]] = {}
    for row in session.execute(query).scalars():
        found.setdefault(row.field_id, []).append(row)
    return found


def _replace(
    session: Session,
    customer_id: int,
    field: ProfileField,
    present: Sequence[ProfileValue],
    wanted: Sequence[str],
    source: Source,
    now: datetime,
) -> None:
    """End what is not wanted any more, add what is new, and move what stays to its place."""
    standing = {row.value: row for row in present}
    gone = [row.id for row in present if row.value not in wanted]
    if gone:
        by = source.actor or source.ref or source.kind.value
        session.execute(update(ProfileValue).where(ProfileValue.id.in_(gone)).values(ended_at=now, ended_by=by[:64]))
    for position, value in enumerate(wanted):
        if value in standing:
            session.execute(update(ProfileValue).where(ProfileValue.id == standing[value].id).values(position=position))
            continue
        row = {
            "customer_id": customer_id,
            "field_id": field.id,
            "value": value,
            "position": position,
            "source_kind": source.kind.value,
            "source_ref": source.ref or None,
            "actor": source.actor,
            "set_at": now,
        }
        session.execute(insert(ProfileValue).values(**row))


def _view(field: Any, values: Sequence[Any], names: Names) -> FieldView:
    return FieldView(
        key=field.key,
        name=field.name,
        kind=field.kind,
        repeated=field.repeated,
        required=field.required,
        is_sensitive=field.sensitive,
        help=field.help,
        options=tuple(field.options),
        values=tuple(
            FieldValue(
                text=field_kinds.spoken(field.kind, row.value),
                value=row.value,
                source_word=FILLED_BY.get(row.source_kind, row.source_kind),
                by=explaining.party(row.source_kind, row.source_ref, row.actor, {}, names),
                set_at=row.set_at,
            )
            for row in values
        ),
    )
