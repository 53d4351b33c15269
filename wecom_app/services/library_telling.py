"""Names and orders of ours told to WeCom one by one, and given up where it does not follow.

Called by `library_push`, which has merged before and reads back after; an answer alone closes nothing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import structlog
from sqlalchemy import update
from sqlalchemy.orm import Session

from wecom_app.domain.definitions import Dispute
from wecom_app.domain.vocabulary import Owner
from wecom_app.errors import AppError, WeComRejected, WeComTagGone, WeComUnavailable
from wecom_app.models import Tag, TagGroup
from wecom_app.services import definition_conflicts, sequence
from wecom_app.services.definition_conflicts import Definition
from wecom_app.services.definition_entries import TELLING, Entry
from wecom_app.services.runtime import Runtime

EDIT = "externalcontact/edit_corp_tag"
NOT_OURS = frozenset({81011, 301002})
"""WeCom's answer to an app that would change what another has made; which of the two is not documented."""
NAME_EXISTS = 40071
MAX_TRIES = 3
"""Edits that WeCom answered and that reading back did not confirm."""
UNCONFIRMED_WORDS = "多次修改后企业微信仍未变化，可点“重试”"
NAME_ROOM = 30

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Telling:
    """What WeCom is to be told of one group or tag; None where it has that already."""

    table: type[Tag] | type[TagGroup]
    id: int
    group_id: int
    wecom_id: str
    base_name: str
    name: str | None
    order: int | None
    is_passing: bool = False
    """Whether the name is only to free another one, in a circle of names that change places."""

    @classmethod
    def of(cls, entry: Entry) -> "Telling":
        one = entry.one
        wecom_id = one.wecom_group_id if isinstance(one, TagGroup) else one.wecom_tag_id
        assert wecom_id is not None
        return cls(
            table=TagGroup if isinstance(one, TagGroup) else Tag,
            id=one.id,
            group_id=entry.group.id,
            wecom_id=wecom_id,
            base_name=entry.name,
            name=one.name if entry.name_step in TELLING else None,
            order=one.position if entry.order_step in TELLING else None,
        )

    @property
    def neighbourhood(self) -> tuple[str, int]:
        """What names must differ in."""
        return self.table.__name__, self.group_id if self.table is Tag else 0


Held = Mapping[tuple[tuple[str, int], str], Telling]
"""Who has a name, by neighbourhood and name."""


def tell(runtime: Runtime, told: Sequence[Telling]) -> list[AppError]:
    """Tell WeCom each edit; return what it refused. What cannot be reached raises, and the job is tried again."""
    refusals: list[AppError] = []
    for telling in in_order(told):
        with runtime.write() as session:
            _write(session, telling, **_sent(telling))
        runtime.crash_point("library.before_edit")
        try:
            runtime.wecom.edit_corp_tag(telling.wecom_id, name=telling.name, order=telling.order)
        except WeComTagGone:
            log.info("library.edit_of_a_deleted_tag", wecom_id=telling.wecom_id)
        except WeComRejected as error:
            refusal = _refused(runtime, telling, error)
            refusals += [refusal] if refusal is not None else []
            continue
        runtime.crash_point("library.after_edit")
        with runtime.write() as session:
            if telling.is_passing:
                _write(session, telling, base_name=telling.name, sent_name=None)
            else:
                _write(session, telling, tries=telling.table.tries + 1)
    return refusals


def in_order(told: Sequence[Telling]) -> list[Telling]:
    """Return the edits so that no name is asked for while a neighbour still has it; a circle is broken by a third."""
    rest, ordered = list(told), list[Telling]()
    while rest:
        held = {(one.neighbourhood, one.base_name): one for one in rest if one.name is not None}
        ready = [one for one in rest if _holder(held, one) is one]
        if not ready:
            aside = _of_circle(held, rest[0])
            passing = f"{aside.base_name[: NAME_ROOM - 8]}~{aside.id % 10**6}"
            ordered.append(replace(aside, name=passing, order=None, is_passing=True))
            rest[rest.index(aside)] = replace(aside, base_name=passing)
            continue
        ordered += ready
        rest = [one for one in rest if one not in ready]
    return ordered


def _holder(held: Held, one: Telling) -> Telling:
    """Return who has the name that this one is to get; itself where nobody has."""
    return held.get((one.neighbourhood, one.name or ""), one)


def _of_circle(held: Held, one: Telling) -> Telling:
    """Return one of the circle that this one waits for: to free a name that nobody of the circle wants breaks none."""
    met: list[Telling] = []
    while one not in met:
        met.append(one)
        one = _holder(held, one)
    return one


def await_the_rest(runtime: Runtime, rest: Sequence[Telling]) -> None:
    """Give up on edits that were tried often enough; raise WeComUnavailable where others cannot be seen yet."""
    waiting = False
    with runtime.write() as session:
        for telling in rest:
            one = _row(session, telling)
            if one.tries >= MAX_TRIES:
                one.blocked, one.blocked_by = UNCONFIRMED_WORDS, "tries"
                log.error("library.edit_given_up", table=telling.table.__name__, id=telling.id)
            else:
                waiting = waiting or one.blocked_by is None
    if waiting:
        raise WeComUnavailable("企业微信还没有显示刚做的修改，系统会自动重试", api=EDIT)


def _sent(telling: Telling) -> dict[str, str | int]:
    values: dict[str, str | int] = {}
    if telling.name is not None:
        values["sent_name"] = telling.name
    if telling.order is not None:
        values["sent_order"] = telling.order
    return values


def _refused(runtime: Runtime, telling: Telling, error: WeComRejected) -> AppError | None:
    """Write a refusal down; return it unless it has been dealt with."""
    with runtime.write() as session:
        one = _row(session, telling)
        if error.errcode in NOT_OURS:
            disown(session, one, runtime)
            return None
        one.tries += 1
        one.touched_seq = sequence.draw(session)
        if error.errcode == NAME_EXISTS and one.tries < MAX_TRIES:
            # Somebody there took it a moment ago: the merge that follows decides.
            return None
        one.blocked, one.blocked_by = f"{error.message}（{error.errcode}）"[:200], "refused"
        one.sent_name = one.sent_order = None
    return error


def disown(session: Session, one: Definition, runtime: Runtime) -> None:
    """Note that it belongs to another app: what we wished of it is undone by the next merge, and not tried again."""
    log.warning("library.not_ours", table=type(one).__name__, id=one.id)
    one.owner = Owner.FOREIGN.value
    one.sent_name = one.sent_order = None
    if one.base_name is not None and one.name != one.base_name:
        definition_conflicts.keep_alias(one, one.name)
        definition_conflicts.note(
            session,
            one,
            Dispute.NAME,
            ours=one.name,
            theirs=one.base_name,
            resolution="theirs",
            now=runtime.clock.now(),
        )


def _row(session: Session, telling: Telling) -> Definition:
    if telling.table is TagGroup:
        return session.get_one(TagGroup, telling.id)
    return session.get_one(Tag, telling.id)


def _write(session: Session, telling: Telling, **values: Any) -> None:
    row = telling.table
    session.execute(update(row).where(row.id == telling.id).values(touched_seq=sequence.draw(session), **values))
