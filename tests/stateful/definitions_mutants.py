"""The sync of the tag library broken on purpose; each mutant names the pinned history that must fail under it."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import pytest

from tests.stateful import definitions_histories as pinned
from tests.stateful.definitions_histories import Script
from wecom_app.domain.definitions import Sides, Step
from wecom_app.models import Tag
from wecom_app.services import (
    definition_merge,
    definition_orders,
    library,
    library_burial,
    library_merge,
    library_telling,
    runs,
)
from wecom_app.services.library_burial import Part

Break = Callable[[pytest.MonkeyPatch], None]


@dataclass(frozen=True)
class Mutant:
    """What is broken, how, and which history shows it."""

    name: str
    history: Script
    breaks: Break


def no_base(patch: pytest.MonkeyPatch) -> None:
    decide = definition_merge.decide

    def broken(sides: Sides[str], *arguments: Any, **more: Any) -> Step:
        known = sides if sides.base is None else replace(sides, base=sides.theirs)
        return decide(known, *arguments, **more)

    patch.setattr(definition_merge, "decide", broken)


def last_name_wins(patch: pytest.MonkeyPatch) -> None:
    decide = definition_merge.decide

    def broken(sides: Sides[str], *arguments: Any, **more: Any) -> Step:
        step = decide(sides, *arguments, **more)
        return Step.TAKE if step is Step.YIELD else step

    patch.setattr(definition_merge, "decide", broken)


def names_across_groups(patch: pytest.MonkeyPatch) -> None:
    bury = library_burial.bury

    def broken(session: Any, given: Any, part: Part) -> None:
        names = {session.get_one(Tag, tag_id).name for tag_id in part}
        alike = tuple(tag.id for tag in session.query(Tag).filter(Tag.name.in_(names)))
        bury(session, given, replace(part, tag_ids=alike))

    patch.setattr(library_burial, "bury", broken)


def deleted_is_made_again(patch: pytest.MonkeyPatch) -> None:
    bury = library_burial.bury

    def broken(session: Any, given: Any, part: Part) -> None:
        bury(session, given, part)
        for tag_id in part:
            tag = session.get_one(Tag, tag_id)
            tag.gone_at = tag.wecom_tag_id = tag.base_name = tag.base_order = None

    patch.setattr(library_burial, "bury", broken)


def a_list_is_believed(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(library, "_alive", lambda runtime, wecom_tag_ids: set())


def guard_lets_all_pass(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(runs, "is_within", lambda count, known: True)


def order_per_tag(patch: pytest.MonkeyPatch) -> None:
    sequences = definition_orders._sequences

    def broken(shown: Any) -> Any:
        return [[entry] for entries in sequences(shown) for entry in entries]

    patch.setattr(definition_orders, "_sequences", broken)


def told_in_any_order(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(library_telling, "in_order", list)


def any_group_of_the_name(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(library_merge, "is_listed", lambda listing, name: False)


def never_asked_again(patch: pytest.MonkeyPatch) -> None:
    merge = definition_merge.merge

    def broken(session: Any, shown: Any, live: Any, **more: Any) -> Any:
        return merge(session, [entry for entry in shown if entry.one.blocked_by != "ask"], live, **more)

    patch.setattr(definition_merge, "merge", broken)


MUTANTS = (
    Mutant("a name has no base", pinned.a_rename_there_is_not_undone_by_what_stands_here, no_base),
    Mutant(
        "the last name wins without a row",
        pinned.of_two_renames_the_one_in_wecom_holds_and_a_row_says_so,
        last_name_wins,
    ),
    Mutant(
        "names are compared across groups",
        pinned.tags_of_one_name_in_two_groups_do_not_share_their_fate,
        names_across_groups,
    ),
    Mutant("what was deleted is made again", pinned.what_is_deleted_in_wecom_is_not_made_again, deleted_is_made_again),
    Mutant("an empty list is believed", pinned.an_empty_or_short_list_buries_nothing, a_list_is_believed),
    Mutant("the guard lets all deletions pass", pinned.many_deletions_wait_for_a_person, guard_lets_all_pass),
    Mutant("an order is one of each tag", pinned.an_order_set_on_one_side_is_taken_whole, order_per_tag),
    Mutant(
        "names are told in any order",
        pinned.names_that_change_places_are_told_whatever_happens_between,
        told_in_any_order,
    ),
    Mutant(
        "a group of the name is taken for ours",
        pinned.a_group_made_here_under_a_name_that_another_has_in_wecom_is_not_mixed_with_it,
        any_group_of_the_name,
    ),
    Mutant(
        "a question is asked once for ever",
        pinned.a_question_about_a_name_ends_with_the_edit_that_answers_it,
        never_asked_again,
    ),
)
