"""Histories that once broke the product, as lines that a failing run prints; `mutant_histories` adds more.

Each is played from a corp at rest (`met`) or from one whose friendships nobody has looked at yet, and healed.
"""

from collections.abc import Callable
from dataclasses import dataclass

from tests.stateful.life import (
    GET,
    LIBRARY,
    PAGES,
    Life,
)

Script = Callable[[Life], None]
HISTORIES: dict[str, "History"] = {}


@dataclass(frozen=True)
class History:
    """A course of acts; its name says what must hold in it."""

    play: Script
    met: bool = True


def history(play: Script) -> Script:
    """Keep a history that begins with everybody met and at rest."""
    HISTORIES[play.__name__] = History(play)
    return play


def from_nothing(play: Script) -> Script:
    """Keep a history that begins with a library and no customer."""
    HISTORIES[play.__name__] = History(play, met=False)
    return play


def live(kept: History) -> None:
    """Play a history from its beginning to the judged end."""
    life = Life(met=kept.met)
    try:
        kept.play(life)
        life.heal()
    finally:
        life.close()


@history
def an_unseen_edit_beats_a_machine_though_a_person_acted_in_between_and_a_row_says_so(life: Life) -> None:
    life.person(0, "银", add=True)
    life.fault(GET, "errcode", errcode=-1, times=4)
    life.delete_tag("金")
    life.member(1, "银", add=True, replacing=True)
    life.person(0, "银", add=False)
    life.machine(0, "铜", kind="import")
    life.heal()
    life.judge.has_one_row("concurrent")


@history
def what_a_look_showed_before_we_had_the_tag_is_no_later_act(life: Life) -> None:
    life.strict_guard()
    life.delete_tag("铜")
    life.delete_tag("银")
    life.make_tag("银")
    life.member(0, "银", add=True, replacing=True)
    life.person(0, "金", add=True)


@from_nothing
def a_value_that_leaves_a_tag_whose_deletion_is_held_leaves_no_cell_without_its_operation(life: Life) -> None:
    life.strict_guard()
    life.was_there(1, ["音乐", "金", "银"])
    life.meet(0)
    life.settle()
    life.delete_tag("音乐")
    life.delete_tag("金")
    life.member(1, "铜", add=True, replacing=False)
    life.lose(0, by_staff=False)


@history
def a_tag_deleted_and_made_anew_does_not_end_the_reading_of_the_library(life: Life) -> None:
    life.delete_tag("银")
    life.make_tag("银")
    life.settle()


@history
def a_whole_group_deleted_and_made_anew_is_the_same_group(life: Life) -> None:
    life.person(0, "金", add=True)
    life.settle()
    for name in ("金", "银", "铜"):
        life.delete_tag(name)
    life.settle()
    life.make_tag("金")
    life.make_tag("银")
    life.settle()
    life.member(0, "金", add=True)
    life.settle()


@history
def an_answer_without_the_tags_that_were_asked_about_buries_none(life: Life) -> None:
    life.person(0, "咖啡", add=True)
    life.settle()
    life.member(0, "咖啡", add=False)
    life.fault(LIBRARY, "silent_ok", times=2)
    life.settle()


@history
def a_friendship_that_ends_while_its_beginning_waits_is_ended(life: Life) -> None:
    life.lose(1, by_staff=True)
    life.meet(1, keep=True)
    life.lose(1, by_staff=False)


@history
def an_end_that_overtakes_its_beginning_is_not_forgotten(life: Life) -> None:
    life.lose(1, by_staff=False)
    life.settle()
    life.meet(1, keep=False)
    life.lose(1, by_staff=True)
    life.deliver(1)
    life.settle()


@history
def what_two_partings_in_a_row_left_behind_is_not_put_on_anew(life: Life) -> None:
    life.machine(0, "咖啡", kind="rule")
    life.settle()
    life.lose(1, by_staff=False)
    life.machine(0, "咖啡", kind="rule")
    life.meet(1, keep=True)
    life.deliver()
    life.lose(1, by_staff=False)
    life.meet(1, keep=True)


@history
def a_beginning_that_overtakes_the_end_before_it_is_not_forgotten(life: Life) -> None:
    life.lose(2, by_staff=False)
    life.meet(2, keep=True)
    life.deliver(1, 0)
    life.settle()
    life.judge.friendships_are_live(2)


@history
def a_person_replaces_a_tag_that_is_gone_and_nothing_is_asked_of_wecom_for_it(life: Life) -> None:
    life.member(0, "金", add=True)
    life.settle()
    life.member(1, "银", add=True)
    life.delete_tag("金")
    life.settle()


@history
def two_members_who_put_on_different_values_end_with_the_first_seen_and_a_row(life: Life) -> None:
    life.member(1, "银", add=True)
    life.member(0, "金", add=True)


@from_nothing
def old_friendships_first_heard_of_by_an_edit_are_looked_at_before_anything_is_pushed(life: Life) -> None:
    life.meet(0)
    life.settle()
    life.machine(0, "金", kind="rule")
    life.was_there(1, ["银"])
    life.remark(1)
    life.corp.simulator.calls.clear()
    life.settle()
    life.judge.first_call_is(GET)


@history
def a_friendship_that_two_short_answers_hid_comes_back_with_its_own_tags(life: Life) -> None:
    life.person(0, "已联系", add=True, friendship=0)
    life.person(0, "已联系", add=True, friendship=1)
    life.settle()
    life.fault(PAGES, "partial", times=3)
    life.fault(GET, "partial", times=2)
    life.pull()
    life.settle()
    life.pull()
    life.settle()
    life.judge.friendships_are_live(0, 1, 2)


@history
def a_value_that_is_deleted_before_anybody_saw_it_does_not_take_another_ones_place(life: Life) -> None:
    life.member(0, "金", add=True)
    life.member(1, "银", add=True)
    life.delete_tag("银")
    life.settle()
    life.judge.customer_has(0, "金")
