"""Lines of a full pull that only confirm are told from the others in one statement: never one too many."""

from collections.abc import Collection, Sequence
from datetime import UTC, datetime
from functools import reduce
from typing import Any

import pytest
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
NUMBERS = (1, 2, 4, 7)
"""Versions and numbers of looks, before the page's and after it."""
AGREED = {"ver": 2, "acked_ver": 2, "seen_seq": 2, "touched_seq": 2}
EXAMPLES = settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def page_of(customer: str, tags: Sequence[str]) -> list[ContactDetails]:
    follower = FollowUser("zhang", BEGAN, 1, None, frozenset(tags))
    return [ContactDetails(customer, "", "wechat", None, None, None, None, (follower,))]


COLUMNS: dict[str, dict[str, Sequence[Any]]] = {
    "cells": {
        "wanted": (False, True),
        "base": (None, False, True),
        "ver": NUMBERS,
        "acked_ver": NUMBERS,
        "person_seq": NUMBERS,
        "touched_seq": NUMBERS,
        "sent": (0, 1, 2),
        "dead": (True,),
    },
    "truths": {"wanted": (False, True), "ver": NUMBERS, "person_seq": NUMBERS},
}
RELATION: dict[str, Sequence[Any]] = {"life_seq": NUMBERS, "seen_seq": NUMBERS, "parted": ([1],), "linked": (True,)}
TAGS = 7
Change = tuple[str, int, str, Any]
CHANGES: Sequence[Change] = [
    *(
        (kind, tag, name, value)
        for kind in COLUMNS
        for tag in range(TAGS)
        for name, values in COLUMNS[kind].items()
        for value in values
    ),
    *((kind, tag, "", None) for kind in ("shown", "no cells", "no truths") for tag in range(TAGS)),
    *(("relation", 0, name, value) for name, values in RELATION.items() for value in values),
]
"""Everything that one change can make different, as kind, tag, column and value."""
UNHEARD = [(("no cells", tag, "", None), ("shown", tag, "", None)) for tag in range(TAGS)]
"""A tag that the relation was never told of, and does not show."""


def agreed_on(held: Collection[int]) -> dict[str, Any]:
    """Return rows by tag, in which all is agreed on: these tags are held, seen and shown."""
    return {
        "truths": {tag: {"wanted": tag in held, "ver": 2, "person_seq": 0} for tag in range(TAGS)},
        "cells": {tag: {"wanted": tag in held, "base": tag in held, **AGREED} for tag in range(TAGS)},
        "relation": {"life_seq": 0, "seen_seq": 2, "parted": [], "linked": False},
        "shown": set(held),
    }


def changed(found: dict[str, Any], change: Change) -> dict[str, Any]:
    kind, tag, name, value = change
    if kind == "relation":
        found["relation"][name] = value
    elif kind == "shown":
        found["shown"] ^= {tag}
    elif kind in COLUMNS:
        found[kind].get(tag, {})[name] = value
    else:
        found[kind.removeprefix("no ")].pop(tag, None)
    return found


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

    def judge(self, found: dict[str, Any]) -> tuple[bool, bool]:
        """Return whether the page's line is quiet, and whether a look would change nothing."""
        shown = [f"et{self.tags[tag]}" for tag in sorted(found["shown"])]
        with self.shop.store.write() as session:
            self.put(session, found)
            return self.line(session, shown)[1], self.confirms(session, shown)

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
        # All rows of a single-choice unit have its one version, and at most one is wanted.
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
        return line, line.is_ordinary(SEQ) and line.is_quiet(page_lines.find_tags(session, page))

    def confirms(self, session: Session, shown: Sequence[str]) -> bool:
        """Return whether a look at this one relation would change nothing but the numbers of its rows."""
        relation = session.get_one(Relation, self.relation, populate_existing=True)
        observed = set(look_units.find_observed(session, shown).values())
        units = look_units.load(session, relation, observed)
        merges = looks.merge_units(units, relation, Look(SEQ, frozenset(), bulk=True))
        skipped = any(found.skipped for found in merges.values())
        return not looks.suspects_of(units) and not skipped and bulk_looks.is_at_rest(units.values(), merges)


@pytest.mark.parametrize("held", [(), (0, 2, 4, 5)])
def test_a_quiet_line_is_one_of_which_a_look_would_change_nothing(shop: Shop, held: Collection[int]) -> None:
    """For every single difference; the next test joins several."""
    scene = Scene(shop)
    answers = set()
    assert scene.judge(agreed_on(held)) == (True, True)
    for changes in [*((change,) for change in CHANGES), *UNHEARD]:
        is_quiet, confirms = scene.judge(reduce(changed, changes, agreed_on(held)))
        answers.add((is_quiet, confirms))
        assert confirms or not is_quiet, changes
    assert {(True, True), (False, False)} <= answers


def test_differences_together_make_no_line_quiet_that_is_not(shop: Shop) -> None:
    scene = Scene(shop)

    @EXAMPLES
    @given(st.sets(st.integers(0, TAGS - 1)), st.lists(st.sampled_from(CHANGES), min_size=2, max_size=4))
    def check(held: set[int], changes: list[Change]) -> None:
        is_quiet, confirms = scene.judge(reduce(changed, changes, agreed_on(held)))
        assert confirms or not is_quiet

    check()


def test_a_line_that_shows_what_both_sides_agreed_on_is_quiet(shop: Shop) -> None:
    """With the tags of every kind of group; one that is missing, one too many or a remark makes it loud."""
    scene = Scene(shop)
    held = (0, 2, 4)
    ids = [f"et{tag_id}" for tag_id in scene.tags]
    shown = [ids[index] for index in held]
    with shop.store.write() as session:
        scene.put(session, agreed_on(held))
        answers = [scene.line(session, those)[1] for those in (shown, [*shown, ids[5]], shown[1:], [*shown, ids[1]])]
        session.execute(update(Relation).values(remark="老客户"))
        answers.append(scene.line(session, shown)[1])

    assert answers == [True, True, False, False, False]
