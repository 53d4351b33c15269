"""Lines of a full pull that only confirm are told from the others in one statement: never one too many."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, insert, update
from sqlalchemy.orm import Session

from tests.services.shop import Shop
from wecom_app.domain.merge import Look
from wecom_app.domain.vocabulary import Mirror, Scope, Selection
from wecom_app.models import CustomerTag, Relation, Tag
from wecom_app.services import bulk_looks, look_units, looks, page_lines
from wecom_app.services.page_lines import Line
from wecom_app.services.ports import ContactDetails, FollowUser
from wecom_app.services.tag_units import blank_row

BEGAN = datetime(2026, 1, 1, tzinfo=UTC)
SEQ = 5
NUMBERS = st.sampled_from((1, 2, 4, 7))
"""Versions and numbers of looks, before the page's and after it."""
AGREED = {"ver": 2, "acked_ver": 2, "seen_seq": 2, "touched_seq": 2}
EXAMPLES = settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def page_of(customer: str, tags: Sequence[str]) -> list[ContactDetails]:
    follower = FollowUser("zhang", BEGAN, 1, None, frozenset(tags))
    return [ContactDetails(customer, "", "wechat", None, None, None, None, (follower,))]


CELL_CHANGES: dict[str, st.SearchStrategy[Any]] = {
    "wanted": st.booleans(),
    "base": st.none() | st.booleans(),
    "ver": NUMBERS,
    "acked_ver": NUMBERS,
    "person_seq": NUMBERS,
    "touched_seq": NUMBERS,
    "sent": st.sampled_from((0, 1, 2)),
    "dead": st.just(True),
}
TRUTH_CHANGES: dict[str, st.SearchStrategy[Any]] = {"wanted": st.booleans(), "ver": NUMBERS, "person_seq": NUMBERS}
RELATION_CHANGES: dict[str, st.SearchStrategy[Any]] = {
    "life_seq": NUMBERS,
    "seen_seq": NUMBERS,
    "parted": st.just([1]),
    "linked": st.just(True),
}


@st.composite
def state(draw: st.DrawFn, tags: int) -> dict[str, Any]:
    """Return the rows of a customer's tags by index, what the page shows, and how old the relation is.

    All is agreed on at first; then a few things are changed.
    """
    held = {index for index in range(tags) if draw(st.booleans())}
    truths = {index: {"wanted": index in held, "ver": 2, "person_seq": 0} for index in range(tags)}
    cells = {index: {"wanted": index in held, "base": index in held, **AGREED} for index in range(tags)}
    relation: dict[str, Any] = {"life_seq": 0, "seen_seq": 2, "parted": [], "linked": False}
    shown = set(held)
    for _ in range(draw(st.integers(0, 3))):
        index = draw(st.integers(0, tags - 1))
        kind = draw(st.sampled_from(("cell", "truth", "relation", "shown", "no cell", "no truth")))
        if kind == "cell" and index in cells:
            _change(draw, cells[index], CELL_CHANGES)
        elif kind == "truth" and index in truths:
            _change(draw, truths[index], TRUTH_CHANGES)
        elif kind == "relation":
            _change(draw, relation, RELATION_CHANGES)
        elif kind == "shown":
            shown ^= {index}
        else:
            (cells if kind == "no cell" else truths).pop(index, None)
    return {"truths": truths, "cells": cells, "shown": shown, "relation": relation}


def _change(draw: st.DrawFn, row: dict[str, Any], changes: dict[str, st.SearchStrategy[Any]]) -> None:
    name = draw(st.sampled_from(sorted(changes)))
    row[name] = draw(changes[name])


class Scene:
    """A customer of zhang's, and tags of every kind: one of several, one of one, a relation's, unmirrored, gone."""

    def __init__(self, shop: Shop) -> None:
        self.shop = shop
        several = shop.tags("a", "b", group="several")
        self.single = shop.tags("c", "d", group="one", selection=Selection.SINGLE)
        self.of_relation = shop.tags("e", group="relation", scope=Scope.RELATION)
        unseen = shop.tags("f", group="ours", mirror=Mirror.NONE)
        gone = shop.tags("g", group="gone")
        self.tags = [*several, *self.single, *self.of_relation, *unseen, *gone]
        self.customer = shop.customer("zhang")
        with shop.store.write() as session:
            for tag_id in self.tags:
                session.execute(update(Tag).where(Tag.id == tag_id).values(wecom_tag_id=f"et{tag_id}"))
            session.execute(update(Tag).where(Tag.id.in_(gone)).values(gone_at=BEGAN))
            self.relation = session.execute(update(Relation).values(epoch_at=BEGAN).returning(Relation.id)).scalar_one()

    def put(self, session: Session, found: dict[str, Any]) -> None:
        """Make the tables say this."""
        session.execute(delete(CustomerTag))
        session.execute(update(Relation).values(**found["relation"]))
        rows = [self._row(index, self.relation, values) for index, values in found["cells"].items()]
        rows += [
            self._row(index, 0, values)
            for index, values in found["truths"].items()
            if self.tags[index] not in self.of_relation
        ]
        # All rows of a single-choice unit have its one version, and at most one is wanted (sync.md, 1).
        unit = [row for row in rows if row["tag_id"] in self.single and row["relation_id"] == 0]
        for row in unit:
            row["ver"], row["wanted"] = unit[0]["ver"], row["wanted"] and row is unit[0]
        if rows:
            session.execute(insert(CustomerTag), rows)

    def _row(self, index: int, relation_id: int, values: dict[str, Any]) -> dict[str, Any]:
        return {**blank_row(self.customer, self.tags[index], relation_id, BEGAN), **values}

    def line(self, session: Session, shown: Sequence[str]) -> tuple[Line, bool]:
        """Return the page's line, and whether it is quiet."""
        page = page_of("wm_li", shown)
        (line,) = page_lines.read(session, page, SEQ, self.shop.clock.now())
        return line, line.is_ordinary(SEQ) and line.is_quiet(page_lines.find_ours(session, page))

    def confirms(self, session: Session, shown: Sequence[str]) -> bool:
        """Return whether a look at this one relation would change nothing but the numbers of its rows."""
        relation = session.get_one(Relation, self.relation, populate_existing=True)
        observed, _ = look_units.find_observed(session, shown)
        units = look_units.load(session, relation, observed)
        merges = looks.merge_units(units, relation, Look(SEQ, frozenset(), bulk=True))
        skipped = any(found.skipped for found in merges.values())
        return not looks.suspects_of(units) and not skipped and bulk_looks.is_at_rest(units.values(), merges)


def test_a_quiet_line_is_one_of_which_a_look_would_change_nothing(shop: Shop) -> None:
    scene = Scene(shop)
    answers = set()

    @EXAMPLES
    @given(state(len(scene.tags)))
    def check(found: dict[str, Any]) -> None:
        shown = [f"et{scene.tags[index]}" for index in sorted(found["shown"])]
        with shop.store.write() as session:
            scene.put(session, found)
            _, is_quiet = scene.line(session, shown)
            confirms = scene.confirms(session, shown)
            answers.add((is_quiet, confirms))
            assert confirms or not is_quiet

    check()
    assert {(True, True), (False, False)} <= answers


def test_a_line_that_shows_what_both_sides_agreed_on_is_quiet(shop: Shop) -> None:
    """With the tags of every kind of group; one that is missing, one too many or a remark makes it loud."""
    scene = Scene(shop)
    held = (0, 2, 4)
    found = {
        "truths": {index: {"wanted": index in held, "ver": 2} for index in range(5)},
        "cells": {index: {"wanted": index in held, "base": index in held, **AGREED} for index in range(5)},
        "relation": {"life_seq": 0, "seen_seq": 2, "parted": [], "linked": False},
    }
    ids = [f"et{tag_id}" for tag_id in scene.tags]
    shown = [ids[index] for index in held]
    with shop.store.write() as session:
        scene.put(session, found)
        answers = [scene.line(session, those)[1] for those in (shown, [*shown, ids[5]], shown[1:], [*shown, ids[1]])]
        session.execute(update(Relation).values(remark="老客户"))
        answers.append(scene.line(session, shown)[1])

    assert answers == [True, True, False, False, False]
