"""Change sets and tag events: what changed, by whom and why, with the full row before and after."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import insert
from sqlalchemy.orm import Session

from wecom_app.domain.tagging import Holding, Source
from wecom_app.domain.vocabulary import SourceKind
from wecom_app.models import ChangeSet, TagEvent
from wecom_app.prepared import Prepared
from wecom_app.services.tag_units import UnitRows

NEW_CHANGE_SET = Prepared(insert(ChangeSet).returning(ChangeSet.id))
NEW_EVENT = Prepared(insert(TagEvent))
KEPT = ("wanted", "source_kind", "source_ref", "actor", "evidence", "set_at", "expires_at")


@dataclass(frozen=True)
class Act:
    """Who changes tags and why; becomes a change set."""

    actor_kind: str
    actor_ref: str | None = None
    reason: str | None = None
    event_id: int | None = None
    """The callback that caused it, if one did."""
    parent_id: int | None = None
    change_set_id: int | None = None
    """The change set that it goes on with, where one act takes several transactions."""


@dataclass(frozen=True)
class Kept:
    """What history keeps of a row, read back; compared with a row to see whether it still stands."""

    wanted: bool
    source_kind: str
    source_ref: str | None
    actor: str | None
    evidence: dict[str, Any]
    set_at: datetime
    expires_at: datetime | None


def read(kept: Mapping[str, Any]) -> Kept:
    """Return a kept row with its times as times."""
    times = {name: _moment(kept[name]) for name in ("set_at", "expires_at")}
    return Kept(**{**{name: kept[name] for name in KEPT}, **times})


def keep(row: Mapping[str, Any]) -> Kept:
    """Return what history would keep of a row."""
    return Kept(**{name: row[name] for name in KEPT})


def read_claims(claims: Mapping[str, Any] | None, when: str) -> tuple[Holding, ...]:
    """Return what other sources wanted `before` or `after` an act."""
    return tuple(
        Holding(
            claim["tag_id"],
            Source(SourceKind(claim["source_kind"]), claim["source_ref"], claim["actor"]),
            claim["evidence"],
            _moment(claim["claimed_at"]),
            _moment(claim["expires_at"]),
        )
        for claim in (claims or {}).get(when, ())
    )


def record(session: Session, units: Sequence[UnitRows], act: Act, now: datetime, *, expired: bool = False) -> int:
    """Write one change set with an event per changed tag; return its id. With `expired` the tags ran out."""
    change_set = {
        "at": now,
        "actor_kind": act.actor_kind,
        "actor_ref": act.actor_ref,
        "reason": act.reason,
        "parent_id": act.parent_id,
    }
    change_set_id = act.change_set_id
    if change_set_id is None:
        change_set_id = int(NEW_CHANGE_SET.scalar(session, change_set))
    rows = [
        _event(unit, tag_id, change_set_id, act, now, expired=expired)
        for unit in units
        for tag_id in unit.changed_tag_ids()
    ]
    NEW_EVENT.run_many(session, rows)
    return change_set_id


def _event(
    unit: UnitRows, tag_id: int, change_set_id: int, act: Act, now: datetime, *, expired: bool
) -> dict[str, Any]:
    after = unit.after[tag_id]
    removal = "expire" if expired else "remove"
    return {
        "change_set_id": change_set_id,
        "customer_id": unit.key.customer_id,
        "tag_id": tag_id,
        "relation_id": unit.key.relation_id,
        "op": "add" if after["wanted"] else removal,
        "before": plain_row(unit.before.get(tag_id)),
        "after": plain_row(after),
        "claims": _claims(unit),
        "event_id": act.event_id,
        "at": now,
    }


def plain_row(row: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Return what history keeps of a row, as JSON; `read` reads it back."""
    if row is None:
        return None
    return {name: _plain(row[name]) for name in KEPT}


def _claims(unit: UnitRows) -> dict[str, Any] | None:
    before, after = unit.original.claims, unit.state.claims
    if not before and not after:
        return None
    return {"before": [plain_claim(claim) for claim in before], "after": [plain_claim(claim) for claim in after]}


def plain_claim(claim: Holding) -> dict[str, Any]:
    """Return a claim as JSON; `read_claims` reads it back."""
    return {
        "tag_id": claim.tag_id,
        "source_kind": claim.source.kind.value,
        "source_ref": claim.source.ref,
        "actor": claim.source.actor,
        "evidence": claim.evidence,
        "claimed_at": _plain(claim.since),
        "expires_at": _plain(claim.expires_at),
    }


def _moment(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else value
