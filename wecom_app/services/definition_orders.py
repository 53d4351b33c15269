"""Orders of the library merged as one value each: the tags of a group, or the groups of a dimension.

Called by `definition_merge`, which has the neighbours at hand. An order is decided only on a list that is not older
than what stands here of any of them.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime

from sqlalchemy.orm import Session

from wecom_app.domain.definitions import Dispute, Policy, Sides, Step
from wecom_app.domain.orders import Place, decide_order
from wecom_app.models import Tag, TagGroup
from wecom_app.services import definition_conflicts
from wecom_app.services.definition_conflicts import Definition
from wecom_app.services.definition_entries import TELLING, Entry


def merge(
    session: Session,
    shown: Sequence[Entry],
    live: Sequence[Definition],
    *,
    seq: int,
    now: datetime,
    has_strangers: bool = False,
) -> None:
    """Decide on the orders of neighbours and write them down; fill in what follows for each of them."""
    for entries in _sequences(shown):
        if all(entry.one.touched_seq <= seq for entry in entries):
            _merge_one(session, entries, live, now, has_strangers=has_strangers)


def _sequences(shown: Iterable[Entry]) -> Iterable[list[Entry]]:
    """Return those that have one order together: tags come as those of one group, groups as all there are."""
    found: dict[str, list[Entry]] = {}
    for entry in shown:
        found.setdefault(entry.group.dimension if isinstance(entry.one, TagGroup) else "", []).append(entry)
    return found.values()


def _merge_one(
    session: Session, entries: Sequence[Entry], live: Sequence[Definition], now: datetime, *, has_strangers: bool
) -> None:
    policy, leads = _policy(entries, has_strangers=has_strangers), _leads(entries)
    step = decide_order([_place(entry) for entry in entries], policy, leads=leads)
    if step in TELLING and any(entry.leads is Policy.WECOM and entry.order != entry.one.position for entry in entries):
        # One that we cannot move back has moved: ours cannot be had whole.
        step = Step.YIELD
    is_overruled = step is Step.INSIST and policy is Policy.WECOM and leads is None
    _tell_people(session, entries, live, step, is_overruled=is_overruled, now=now)
    for entry in entries:
        _write(entry, step)


def _place(entry: Entry) -> Place:
    one = entry.one
    return Sides(one.position, entry.order, one.base_order, one.sent_order)


def _leads(entries: Sequence[Entry]) -> Policy | None:
    """Return the side that alone may change the order."""
    sides = {entry.leads for entry in entries}
    if sides == {Policy.WECOM}:
        return Policy.WECOM
    return Policy.OURS if Policy.OURS in sides and None not in sides else None


def _policy(entries: Sequence[Entry], *, has_strangers: bool) -> Policy:
    """Return whose order holds where both sides changed it.

    WeCom's where it has some that we cannot move, be it that they are not known here yet. Groups follow theirs
    where all of them say ours; no person is asked, for no group's policy is that of all.
    """
    policies = {Policy(entry.group.conflict_policy) for entry in entries}
    if has_strangers or any(entry.leads is Policy.WECOM for entry in entries):
        return Policy.WECOM
    if isinstance(entries[0].one, Tag) or policies == {Policy.OURS}:
        return policies.pop()
    return Policy.WECOM


def _write(entry: Entry, step: Step) -> None:
    one, theirs = entry.one, entry.order
    if one.position == theirs and step is not Step.ASK:
        entry.order_step, one.base_order, one.sent_order = Step.AGREED, theirs, None
    elif step in TELLING:
        entry.order_step = step
        if step is Step.INSIST or theirs != one.base_order:
            one.base_order, one.sent_order = theirs, None
    elif step is Step.ASK:
        entry.order_step = Step.AGREED if one.position == theirs else Step.ASK
    else:
        entry.order_step, one.position, one.base_order, one.sent_order = Step.TAKE, theirs, theirs, None


def _tell_people(
    session: Session,
    entries: Sequence[Entry],
    live: Sequence[Definition],
    step: Step,
    *,
    is_overruled: bool,
    now: datetime,
) -> None:
    """Write a row where a person is to decide, or where WeCom's order could not be had whole; orders need none else."""
    group = entries[0].group
    if isinstance(entries[0].one, TagGroup):
        return
    if step is Step.ASK or is_overruled:
        definition_conflicts.note(
            session,
            group,
            Dispute.ORDER,
            ours=[entry.one.name for entry in sorted(entries, key=lambda entry: (-entry.one.position, entry.one.id))],
            theirs=[entry.one.name for entry in sorted(entries, key=lambda entry: (-entry.order, entry.one.id))],
            numbers={entry.one.id: entry.order for entry in entries},
            resolution=None if step is Step.ASK else "ours",
            now=now,
        )
    elif {entry.one.id for entry in entries}.issuperset(one.id for one in live if one.base_order is not None):
        definition_conflicts.close(session, group, Dispute.ORDER, now)
