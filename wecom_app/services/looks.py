"""Applying what WeCom showed of a relation: the merge of every unit, adoption of people's edits, closing of cells.

Called by `services.sync` after each `get`, in one transaction per customer; `bulk_looks` does the same for whole pages.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, insert, select, update
from sqlalchemy.orm import Session

from wecom_app.domain.merge import Look, Merge, merge
from wecom_app.domain.tagging import Source
from wecom_app.domain.vocabulary import PUSHED, Mirror, SourceKind
from wecom_app.models import CustomerTag, Relation, Staff, SyncConflict, TagOperation
from wecom_app.prepared import Prepared
from wecom_app.services import cells, conflict_closing, look_units, pushes, run_items, sequence, tagging
from wecom_app.services.history import Act
from wecom_app.services.library import NOBODY_ASKED, Fate
from wecom_app.services.look_units import LookUnit
from wecom_app.services.ports import JobQueue
from wecom_app.services.tag_units import Row, UnitKey, blank_row
from wecom_app.services.tagging import Applied, TagChange
from wecom_app.services.upsert import insert_ignore, upsert

OPEN_OPERATIONS = Prepared(
    select(TagOperation.relation_id, TagOperation.tag_id).where(
        TagOperation.relation_id.in_(bindparam("relation_ids", expanding=True)), cells.IS_OPEN
    )
)
DELETION_HELD = "标签可能已在企业微信中删除，等管理员确认"
Units = Mapping[UnitKey, LookUnit]
Merges = Mapping[UnitKey, Merge]


@dataclass(frozen=True)
class Outcome:
    """What a look brought about on one relation."""

    stale: bool = False
    """A unit changed after the question was asked: look again."""
    suspects: frozenset[int] = frozenset()
    """Tags that were there and are not; nothing was applied until the library has been asked about them."""


def apply_look(
    session: Session,
    relation: Relation,
    wecom_tag_ids: Collection[str],
    seq: int,
    *,
    queue: JobQueue,
    now: datetime,
    fate: Fate = NOBODY_ASKED,
) -> Outcome:
    """Merge what WeCom shows of one relation; `seq` was drawn before WeCom was asked.

    A tag that disappeared may have been taken off this relation or deleted altogether. Unless `fate` tells,
    it comes back as a suspect and the look is not applied; one that is held is left out.
    """
    shown = look_units.find_observed(session, wecom_tag_ids)
    observed = set(shown.values())
    units = look_units.load(session, relation, observed, fate.held)
    suspects = _suspects(units) - fate.alive
    if suspects:
        return Outcome(suspects=suspects)
    merges = merge_units(units, relation, Look(seq, frozenset()))
    notes = conflict_rows(relation, units, merges, now)
    if notes:
        session.connection().execute(insert(SyncConflict), notes)
    if _adopt(session, relation, units, merges, fate.held, queue=queue, now=now):
        units = look_units.load(session, relation, observed, fate.held)
    seen = sequence.draw(session)
    settled = [unit for key, unit in units.items() if key in merges and merges[key].skipped is None]
    settle(session, [(relation, settled)], seen, now)
    confirm(session, [unit for unit in settled if merges[unit.key].confirmed], seen, now)
    _keep_unseen(session, relation, [unit for key, unit in units.items() if key in merges and merges[key].skipped], now)
    look_units.note_missed(relation, set(wecom_tag_ids) - shown.keys())
    relation.seen_seq = seen
    return Outcome(stale=len(settled) < len(merges))


def merge_units(units: Units, relation: Relation, look: Look) -> dict[UnitKey, Merge]:
    """Return what the look means for each unit of one relation; what each unit showed stands in the unit."""
    state = look_units.relation_state(relation)
    merges = {
        key: merge(unit.truth_state(), unit.cell_states(state), state, replace(look, observed=unit.meant))
        for key, unit in units.items()
    }
    return _together(units, merges)


def _together(units: Units, merges: dict[UnitKey, Merge]) -> dict[UnitKey, Merge]:
    """Skip a merged tag and the one that it counts as together: an edit counts once, or is looked at again."""
    for key, unit in units.items():
        for _, merged in unit.read:
            pair = [key, *(other for other, its in units.items() if merged.id in its.unread)]
            skipped = next((reason for one in pair if (reason := merges[one].skipped) is not None), None)
            if skipped is not None:
                merges |= dict.fromkeys(pair, Merge(skipped=skipped))
    return merges


def suspects_of(units: Units) -> frozenset[int]:
    """Return the tags that were there at the last look and are not in this one."""
    return _suspects(units)


def _suspects(units: Units) -> frozenset[int]:
    return frozenset(
        tag_id
        for unit in units.values()
        for tag_id, row in unit.cells.items()
        if row["base"] and tag_id not in unit.observed and row["sent"] not in (0, 2)
    )


def _adopt(
    session: Session,
    relation: Relation,
    units: Units,
    merges: Merges,
    held: frozenset[int],
    *,
    queue: JobQueue,
    now: datetime,
) -> bool:
    """Take over what people did in WeCom as new truth; return whether there was anything."""
    adopting = {key: found for key, found in merges.items() if found.adopted is not None}
    if not adopting:
        return False
    userid = session.execute(select(Staff.userid).where(Staff.id == relation.staff_id)).scalar_one()
    changes = [change for key, found in adopting.items() for change in changes_for(relation, units[key], found, userid)]
    parent_id = run_items.parent_change_set(session, relation) if changes else None
    act = Act("wecom", actor_ref=userid, reason="在企业微信中修改", parent_id=parent_id)
    done = tagging.apply(session, changes, act, queue=queue, now=now, observed_on=[relation.id])
    _give_up_held(session, relation, units, held, done, now)
    return bool(changes)


def _give_up_held(
    session: Session, relation: Relation, units: Units, held: frozenset[int], done: Applied, now: datetime
) -> None:
    """Let a value that moved away from a tag whose deletion waits for approval say why WeCom is not told.

    The look leaves such a tag out, so that nobody else writes its cell.
    """
    pushed = [rows for key, rows in done.written.items() if key in units and units[key].mirror in PUSHED]
    left = {tag_id: cells.cell(row, relation) for rows in pushed for tag_id, row in rows.items() if tag_id in held}
    if not left:
        return
    upsert(session, CustomerTag, list(left.values()), cells.CELL_KEYS, overwrite=(*cells.COPIED, "tries", "dead"))
    there = select(CustomerTag.tag_id).where(
        CustomerTag.customer_id == relation.customer_id,
        CustomerTag.relation_id == relation.id,
        CustomerTag.tag_id.in_(left),
        CustomerTag.base.is_(True),
    )
    moved = list(session.scalars(there))
    cells.open_operations(session, [cells.wish(relation, tag_id, left[tag_id]["ver"], now) for tag_id in moved], now)
    if moved:
        pushes.bury(session, relation.id, moved, DELETION_HELD, now)


def changes_for(relation: Relation, unit: LookUnit, found: Merge, userid: str) -> list[TagChange]:
    """Return what makes the truth equal to what was adopted; who put on what the first link finds is not known."""
    assert found.adopted is not None
    ref = str(relation.id)
    source = Source(SourceKind.WECOM_LINK, ref) if found.by_link else Source(SourceKind.WECOM, ref, userid)
    evidence: dict[str, Any] = {"relation_id": relation.id, "userid": userid}
    if relation.epoch_at is not None:
        evidence["createtime"] = relation.epoch_at.isoformat()
    removed = [] if unit.single and found.adopted else sorted(unit.wanted - found.adopted)
    wishes = [(tag_id, False) for tag_id in removed]
    wishes += [(tag_id, True) for tag_id in sorted(found.adopted - unit.wanted)]
    return [
        TagChange(
            relation.customer_id,
            tag_id,
            add,
            source,
            evidence | _as_merged(unit, tag_id),
            unit.key.relation_id,
        )
        for tag_id, add in wishes
    ]


def _as_merged(unit: LookUnit, tag_id: int) -> dict[str, str]:
    names = sorted(merged.name for heir, merged in unit.read if heir == tag_id)
    return {"merged_tag": "、".join(names)} if names else {}


def conflict_rows(relation: Relation, units: Units, merges: Merges, now: datetime) -> list[dict[str, Any]]:
    """Return the rows of what people should know of."""
    return [
        {
            "kind": note.kind.value,
            "customer_id": relation.customer_id,
            "relation_id": relation.id,
            "tag_id": note.tag_id,
            "ours": {"wanted": sorted(units[key].wanted)},
            "theirs": {"observed": sorted(units[key].observed)},
            "state": "open",
            "created_at": now,
        }
        for key, found in merges.items()
        for note in found.notes
    ]


def confirm(session: Session, units: Iterable[LookUnit], seq: int, now: datetime) -> None:
    """A person at WeCom did what we want already: his act counts as one."""
    for unit in units:
        if unit.truth:
            session.execute(
                update(CustomerTag)
                .where(
                    CustomerTag.customer_id == unit.key.customer_id,
                    CustomerTag.relation_id == unit.key.relation_id,
                    CustomerTag.tag_id.in_(unit.truth),
                )
                .values(person_seq=seq, person_at=now)
            )


def settle(
    session: Session, looked_at: Sequence[tuple[Relation, Sequence[LookUnit]]], seen: int, now: datetime
) -> None:
    """Write the agreed state into the cells; close the operations that are done, reopen those that are not."""
    rows: list[Row] = []
    open_wishes: list[dict[str, Any]] = []
    has_open = _open_operations(session, [relation.id for relation, _ in looked_at])
    for relation, units in looked_at:
        agreed: list[int] = []
        # What a merged tag counts as may stand here alone.
        for unit in (one for one in units if one.mirror is not Mirror.NONE):
            for tag_id in unit.tag_ids():
                row = _settled(unit, relation, tag_id, seen, now)
                rows.append(row)
                if row["acked_ver"] < row["ver"]:
                    wish = cells.wish(relation, tag_id, row["ver"], now)
                    open_wishes += [wish] if unit.mirror in PUSHED and not row["dead"] else []
                elif (relation.id, tag_id) in has_open:
                    agreed.append(tag_id)
        if agreed:
            cells.close_operations(session, relation.id, "verified", None, now, tag_ids=agreed)
    upsert(session, CustomerTag, rows, cells.CELL_KEYS)
    cells.open_operations(session, [wish for wish in open_wishes if _cell_of(wish) not in has_open], now)
    conflict_closing.close_answered(session, [relation for relation, _ in looked_at], seen, now)


def _keep_unseen(session: Session, relation: Relation, units: Iterable[LookUnit], now: datetime) -> None:
    """Remember of skipped units that this look did not count: a tag without a row passes for looked at from now on."""
    unseen = cells.unseen(relation)
    rows = [
        {
            **blank_row(unit.key.customer_id, tag_id, relation.id, now),
            **unseen,
            "seen_seq": unit.missed.get(tag_id, unseen["seen_seq"]),
        }
        for unit in units
        for tag_id in sorted(unit.observed.difference(unit.cells))
    ]
    insert_ignore(session, CustomerTag, rows, cells.CELL_KEYS)


def _settled(unit: LookUnit, relation: Relation, tag_id: int, seen: int, now: datetime) -> Row:
    blank = blank_row(unit.key.customer_id, tag_id, relation.id, now)
    truth, known = unit.truth.get(tag_id), unit.cells.get(tag_id, {})
    cell = {**blank, **known}
    if known and known["ver"] < unit.ver:
        cell |= {"tries": 0, "dead": False}
    if truth is not None:
        cell |= {name: truth[name] for name in cells.COPIED}
    wanted, base = tag_id in unit.wanted, tag_id in unit.observed
    cell |= {"wanted": wanted, "base": base, "sent": None, "seen_seq": seen, "touched_seq": seen}
    cell["ver"] = unit.ver
    if wanted == base:
        cell |= {"acked_ver": unit.ver, "tries": 0, "dead": False}
    elif cell["acked_ver"] >= unit.ver:
        cell["acked_ver"] = unit.ver - 1
    return cell


def _open_operations(session: Session, relation_ids: Sequence[int]) -> set[tuple[int, int]]:
    """Return the relations and tags of the operations that have not ended."""
    found = OPEN_OPERATIONS.rows(session, {"relation_ids": relation_ids})
    return {(row.relation_id, row.tag_id) for row in found}


def _cell_of(wish: Mapping[str, Any]) -> tuple[int, int]:
    return wish["relation_id"], wish["tag_id"]
