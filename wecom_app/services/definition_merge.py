"""Names and orders of groups or tags that are neighbours, merged three ways without two ever bearing one name.

Called by `library_merge`. Neighbours are all live groups, or the live tags of one group.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime

import structlog
from sqlalchemy.orm import Session

from wecom_app.domain.definitions import Dispute, Policy, Sides, Step, canonical, decide
from wecom_app.domain.vocabulary import Owner
from wecom_app.models import TagGroup
from wecom_app.services import definition_conflicts, definition_orders
from wecom_app.services.definition_conflicts import Definition
from wecom_app.services.definition_entries import TAKING, TELLING, Entry

ASKING = "ask"
HELD_WORDS = "企业微信里改了名称，新名称在本系统还有别的标签或标签组在用"
ASK_WORDS = {True: "两边都改了名称，等人处理", False: "两边都改了顺序，等人处理"}

log = structlog.get_logger(__name__)


def merge(
    session: Session,
    shown: Sequence[Entry],
    live: Sequence[Definition],
    *,
    seq: int,
    now: datetime,
    has_strangers: bool = False,
) -> list[Entry]:
    """Decide and write down; return those of which WeCom must be told.

    `seq` was drawn before WeCom was asked: what has been edited, told or seen since is left as it is. `has_strangers`
    says that WeCom shows others beside them, which are not known here yet.
    """
    # What is to be deleted at WeCom keeps the name it has here, and nobody is asked about its place.
    shown = [entry for entry in shown if entry.one.deleting_at is None]
    entries = [entry for entry in shown if entry.one.touched_seq <= seq]
    before = [_state(entry.one) for entry in entries]
    for entry in entries:
        one, policy = entry.one, Policy(entry.group.conflict_policy)
        sides = Sides(one.name, entry.name, one.base_name, one.sent_name)
        entry.name_step = decide(sides, policy, leads=entry.leads)
    _part(entries, live)
    _write_names(session, entries, now)
    definition_orders.merge(session, shown, live, seq=seq, now=now, has_strangers=has_strangers)
    for entry in entries:
        _mark(entry)
    for entry, state in zip(entries, before, strict=True):
        if _state(entry.one) != state:
            entry.one.touched_seq = seq
    session.flush()
    return [entry for entry in entries if _is_to_tell(entry)]


def give_up_name(session: Session, holder: Definition, live: Sequence[Definition], now: datetime) -> bool:
    """Take back a rename that WeCom cannot follow, since another there bears the name; False where it is none."""
    base = holder.base_name
    if base is None or base == holder.name or any(one is not holder and one.name == base for one in live):
        return False
    definition_conflicts.note(
        session, holder, Dispute.NAME, ours=holder.name, theirs=base, resolution="theirs", now=now
    )
    definition_conflicts.keep_alias(holder, holder.name)
    holder.name, holder.sent_name = base, None
    holder.version += 1
    session.flush()
    return True


def _part(entries: Sequence[Entry], live: Sequence[Definition]) -> None:
    """See to it that no two neighbours end with one name; each round takes one name back, for good."""
    by_id = {entry.one.id: entry for entry in entries}
    denied = set[int]()
    while (pair := _clash(by_id, live)) is not None:
        taker, holder = pair
        other = by_id.get(holder.id)
        policy = Policy(taker.group.conflict_policy)
        if other is None or other.name_step in (*TAKING, Step.AGREED) or holder.id in denied:
            # A tag that was never at WeCom has the name: are the two one and the same? A person knows.
            taker.name_step, taker.is_held = (Step.ASK, False) if _is_unlinked(holder) else (taker.name_step, True)
        elif policy is Policy.WECOM and other.leads is None:
            other.name_step = Step.YIELD
            continue
        elif policy is Policy.ASK or taker.one.owner == Owner.FOREIGN:
            taker.name_step = Step.ASK
        else:
            taker.name_step = Step.INSIST
        denied.add(taker.one.id)


def _is_unlinked(holder: Definition) -> bool:
    """Return whether WeCom was never seen to have it."""
    return (holder.wecom_group_id if isinstance(holder, TagGroup) else holder.wecom_tag_id) is None


def _clash(by_id: Mapping[int, Entry], live: Sequence[Definition]) -> tuple[Entry, Definition] | None:
    """Return one that would take a name, and the neighbour that would have it then."""
    named: dict[str, list[Definition]] = {}
    for one in live:
        entry = by_id.get(one.id)
        named.setdefault(one.name if entry is None else entry.final, []).append(one)
    for bearers in named.values():
        takers = [one for one in bearers if one.id in by_id and by_id[one.id].final != one.name]
        if len(bearers) > 1 and takers:
            taker = takers[-1]
            return by_id[taker.id], next(one for one in bearers if one is not taker)
    return None


def _write_names(session: Session, entries: Sequence[Entry], now: datetime) -> None:
    moving = [entry for entry in entries if entry.final != entry.one.name]
    kept = {entry.one.id: entry.one.name for entry in moving}
    for entry in moving:
        entry.one.name = f"\x1f{entry.one.id}"
    if len(moving) > 1:
        # Two may have swapped their names: for a moment neither bears either.
        session.flush()
    for entry in entries:
        _write_name(session, entry, kept.get(entry.one.id, entry.one.name), now)
    session.flush()


def _write_name(session: Session, entry: Entry, ours: str, now: datetime) -> None:
    one, step, theirs = entry.one, entry.name_step, entry.name
    if entry.is_held:
        return
    if step in TAKING:
        one.name = theirs
        one.version += 1
        if step is Step.YIELD:
            definition_conflicts.keep_alias(one, ours)
            _note(session, one, Dispute.NAME, ours, theirs, "theirs", now)
    elif step is Step.INSIST:
        _clear(one)
        definition_conflicts.keep_alias(one, theirs)
        _note(session, one, Dispute.NAME, ours, theirs, "ours", now)
    elif step is Step.ASK:
        _note(session, one, Dispute.NAME, ours, theirs, None, now)
        return
    if step in (Step.AGREED, Step.TAKE, Step.PUSH):
        definition_conflicts.close(session, one, Dispute.NAME, now)
    if step is not Step.PUSH or canonical(theirs) != canonical(one.base_name or ""):
        # Two spellings of one name agree: ours is kept, so that nothing seems to be left to tell.
        one.base_name, one.sent_name = one.name if step is Step.AGREED else theirs, None


def _note(
    session: Session,
    one: Definition,
    kind: Dispute,
    ours: str,
    theirs: str,
    resolution: str | None,
    now: datetime,
) -> None:
    definition_conflicts.note(session, one, kind, ours=ours, theirs=theirs, resolution=resolution, now=now)


def _clear(one: Definition) -> None:
    """What stood in the way of an older edit does not stand in the way of the next."""
    if one.tries:
        one.tries = 0
    if one.blocked_by is not None:
        one.blocked = one.blocked_by = None


def _state(one: Definition) -> tuple[str | int | None, ...]:
    return one.name, one.position, one.base_name, one.base_order, one.sent_name, one.sent_order


def _mark(entry: Entry) -> None:
    """Show on the group or tag itself that a person must decide first; else forget what an older edit met."""
    one, steps = entry.one, (entry.name_step, entry.order_step)
    if Step.ASK in steps:
        one.blocked, one.blocked_by = ASK_WORDS[entry.name_step is Step.ASK], ASKING
    elif entry.is_held:
        one.blocked, one.blocked_by = HELD_WORDS, ASKING
    elif one.blocked_by == ASKING or not any(step in TELLING for step in steps):
        _clear(one)


def _is_to_tell(entry: Entry) -> bool:
    one = entry.one
    return one.blocked_by is None and (entry.name_step in TELLING or entry.order_step in TELLING)
