"""Tags put on, or taken off, several customers by hand at once: one change set, one answer for each customer.

Called by `/sidebar/mine`. The work is cut into short transactions; what came before a cut stands.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from wecom_app.domain.access import Purpose
from wecom_app.errors import InvalidInput, Unavailable
from wecom_app.models import Customer, Relation, Tag
from wecom_app.services import rep_edits, tagging
from wecom_app.services.access import Viewer, visible_customers
from wecom_app.services.history import Act
from wecom_app.services.rep_edits import EditDraft
from wecom_app.services.runtime import Store
from wecom_app.services.tagging import TagChange

MOST_CUSTOMERS = 200
MOST_ROWS = 500
"""Written in one transaction."""
ROWS_A_CHANGE = 8
"""A change's truth with what it replaces, their events, and cells and intents of two friendships."""
WORDS: Mapping[str, str] = {
    "changed": "已更新",
    "unchanged": "原本就是这样，没有改动",
    "not_yours": "不是您可以修改的客户，没有改动",
    "not_done": "没有改动，请稍后再试",
}


@dataclass(frozen=True)
class Result:
    """What became of one customer; `outcome` is a key of WORDS."""

    external_userid: str
    name: str
    """Empty where he is not the viewer's."""
    outcome: str

    @property
    def words(self) -> str:
        return WORDS[self.outcome]


@dataclass(frozen=True)
class Edited:
    """`change_set_id` takes all of it back; None where nothing was different."""

    change_set_id: int | None
    results: tuple[Result, ...]

    @property
    def changed(self) -> int:
        return sum(result.outcome == "changed" for result in self.results)


def edit(store: Store, viewer: Viewer, external_userids: Sequence[str], draft: EditDraft) -> Edited:
    """Carry out one edit on each of the customers whom the viewer may edit.

    Only his own friends: a selection is made from his list. To take off what a customer has not got changes nothing.
    Raises InvalidInput, before anything is done, for an edit that could be given to nobody; Unavailable where not
    even the first transaction could be written.
    """
    chosen = list(dict.fromkeys(external_userids))
    if not 0 < len(chosen) <= MOST_CUSTOMERS:
        raise InvalidInput(f"一次可以选 1 到 {MOST_CUSTOMERS} 位客户", details={"customers": len(chosen)})
    rep_edits.check_shape(draft)
    with store.read() as session:
        tags = rep_edits.find_tags(session, viewer, draft, has_relation=True)
    act, results = rep_edits.act(viewer, draft.reason), list[Result]()
    for some in _slices(chosen, len(draft.keys)):
        try:
            change_set_id, part = _edit_some(store, viewer, some, draft, tags, act)
        except (Unavailable, InvalidInput):
            if not results:
                raise
            results += [Result(each, "", "not_done") for each in chosen[len(results) :]]
            break
        act = replace(act, change_set_id=change_set_id or act.change_set_id)
        results += part
    return Edited(act.change_set_id, tuple(results))


def _slices(chosen: Sequence[str], keys: int) -> Iterator[Sequence[str]]:
    size = max(1, MOST_ROWS // (ROWS_A_CHANGE * keys))
    return (chosen[at : at + size] for at in range(0, len(chosen), size))


def _edit_some(
    store: Store, viewer: Viewer, some: Sequence[str], draft: EditDraft, tags: Mapping[str, Tag], act: Act
) -> tuple[int | None, list[Result]]:
    with store.write() as session:
        rows = _editable(session, viewer, some)
        wishes = [wish for row in rows.values() for wish in _wishes(row, viewer, draft, tags)]
        applied = tagging.apply(
            session, wishes, act, queue=store.queue, now=store.clock.now(), priority=rep_edits.PRIORITY
        )
    skipped = {(skip.customer_id, skip.tag_id) for skip in applied.skipped}
    changed = {wish.customer_id for wish in wishes if (wish.customer_id, wish.tag_id) not in skipped}
    return applied.change_set_id, [_result(each, rows.get(each), changed) for each in some]


def _wishes(row: Any, viewer: Viewer, draft: EditDraft, tags: Mapping[str, Tag]) -> list[TagChange]:
    return rep_edits.changes(row.id, row.relation_id, viewer, draft, tags)


def _editable(session: Session, viewer: Viewer, external_userids: Sequence[str]) -> dict[str, Any]:
    """Return those of the customers who are his friends and whom he may edit, with his friendship."""
    query = (
        select(Customer.id, Customer.external_userid, Customer.name, Relation.id.label("relation_id"))
        .join(Relation, Relation.customer_id == Customer.id)
        .where(
            Customer.external_userid.in_(external_userids),
            Relation.staff_id == viewer.staff_id,
            Relation.lost_at.is_(None),
            ~Relation.half,
            visible_customers(session, viewer, Purpose.EDIT),
        )
    )
    return {row.external_userid: row for row in session.connection().execute(query)}


def _result(external_userid: str, row: Any | None, changed: set[int]) -> Result:
    if row is None:
        return Result(external_userid, "", "not_yours")
    return Result(external_userid, row.name, "changed" if row.id in changed else "unchanged")
