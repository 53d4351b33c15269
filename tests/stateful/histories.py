"""Histories that once broke the product or that kill a mutant, as lines that a failing run prints.

Each is played from a corp at rest (`met`) or from one whose friendships nobody has looked at yet, and healed.
"""

from collections.abc import Callable
from dataclasses import dataclass

from tests.stateful.course import CRASH
from tests.stateful.life import (
    AFTER_LOOK,
    AFTER_PAGE,
    AFTER_PUSH,
    BEFORE_PUSH,
    GET,
    LIBRARY,
    MARK,
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


# Each of these broke the product once.


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


# One for each mutant of tests/stateful/mutants.py.


@history
def what_stood_there_as_a_tag_that_we_did_not_know_takes_no_later_persons_place(life: Life) -> None:
    life.delete_tag("金")
    life.make_tag("金")
    life.member(1, "金", add=True)
    life.member(0, "铜", add=True)
    life.person(0, "银", add=True)
    life.work(2)


@history
def a_rule_does_not_take_what_a_person_put_on(life: Life) -> None:
    life.machine(0, "金", kind="rule")
    life.person(0, "银", add=True)
    life.settle()
    life.machine(0, "铜", kind="rule")
    life.settle()
    life.judge.customer_has(0, "银")


@history
def what_waits_to_be_pushed_is_no_edit_of_anybody(life: Life) -> None:
    life.fault(MARK, "down", times=1)
    life.person(0, "咖啡", add=True)
    life.settle()


@history
def there_and_back_while_a_push_is_unresolved_ends_at_the_last_act(life: Life) -> None:
    life.at(AFTER_PUSH, "machine", 0, "咖啡", {"kind": "rule"})
    life.machine(0, "咖啡", kind="rule")
    life.settle()


@history
def our_own_push_is_no_edit_even_after_a_crash(life: Life) -> None:
    life.at(AFTER_PUSH, CRASH)
    life.machine(0, "咖啡", kind="rule")
    life.work()
    life.machine(0, "咖啡", kind="rule")
    life.wait(20)
    life.settle()


@history
def an_answer_from_before_an_act_does_not_decide_about_it(life: Life) -> None:
    life.person(0, "咖啡", add=True)
    life.settle()
    life.remark(0)
    life.at(AFTER_LOOK, "put_back_what_a_member_takes_off", 0, 0, "咖啡")
    life.settle()


@history
def nothing_is_pushed_over_what_nobody_has_looked_at(life: Life) -> None:
    life.machine(0, "金", kind="rule")
    life.settle()
    life.lose(1, by_staff=True)
    life.settle()
    life.wait(600)
    life.meet(1, keep=False)
    life.member(1, "银", add=True)
    life.settle()
    life.judge.customer_has(0, "银")


@history
def the_end_of_a_friendship_takes_no_tag_from_the_customer(life: Life) -> None:
    life.person(0, "咖啡", add=True)
    life.settle()
    life.lose(1, by_staff=False)
    life.settle()


@history
def tags_dropped_by_a_friendship_made_anew_are_no_removals(life: Life) -> None:
    life.person(0, "咖啡", add=True)
    life.settle()
    life.lose(1, by_staff=True)
    life.meet(1, keep=False)
    # Only the new friendship is seen: neither its end nor its beginning is told in time.
    life.drop(0)
    life.drop(0)
    life.remark(1)
    life.settle()


@history
def what_a_friendship_kept_is_not_put_on_anew(life: Life) -> None:
    life.person(0, "咖啡", add=True)
    life.settle()
    life.lose(1, by_staff=False)
    life.settle()
    life.person(0, "咖啡", add=False)
    life.settle()
    life.wait(600)
    life.meet(1, keep=True)
    life.settle()


@history
def a_deleted_tag_is_taken_off_nobody(life: Life) -> None:
    life.person(0, "咖啡", add=True)
    life.settle()
    life.delete_tag("咖啡")
    life.drop(0)
    life.remark(0)
    life.settle()
    life.judge.nothing_was_taken_off()


@history
def two_people_who_have_not_seen_each_other_leave_a_row(life: Life) -> None:
    life.person(0, "咖啡", add=True)
    life.settle()
    life.member(0, "咖啡", add=False)
    life.person(0, "咖啡", add=True)
    life.settle()
    life.judge.customer_has(0, "咖啡")
    life.judge.has_one_row("concurrent")


@history
def an_unseen_edit_beats_a_machine(life: Life) -> None:
    life.machine(0, "金", kind="import")
    life.settle()
    life.member(0, "银", add=True)
    life.machine(0, "铜", kind="rule")
    life.settle()
    life.judge.customer_has(0, "银")


@history
def who_did_in_wecom_what_we_want_has_acted(life: Life) -> None:
    life.machine(0, "咖啡", kind="rule")
    life.settle()
    life.machine(0, "咖啡", kind="rule")
    life.member(0, "咖啡", add=False)
    life.settle()
    life.judge.a_person_has_acted("咖啡")


@history
def a_single_choice_group_has_one_value_on_every_friendship(life: Life) -> None:
    life.member(0, "铜", add=True)
    life.member(0, "银", add=True, replacing=False)
    life.settle()


@history
def a_removal_in_wecom_is_carried_to_the_other_friendships(life: Life) -> None:
    life.person(0, "咖啡", add=True)
    life.settle()
    life.member(0, "咖啡", add=False)
    life.settle()


@history
def errcode_zero_proves_nothing(life: Life) -> None:
    life.fault(MARK, "silent_ok", times=1)
    life.person(0, "咖啡", add=True)
    life.settle()


@history
def a_short_answer_ends_no_friendship(life: Life) -> None:
    life.person(0, "咖啡", add=True)
    life.settle()
    life.fault(GET, "partial", times=1)
    life.remark(0)
    life.settle()
    life.judge.friendships_are_live(0, 1)


@history
def a_short_page_ends_no_friendship(life: Life) -> None:
    life.person(0, "咖啡", add=True)
    life.settle()
    life.fault(PAGES, "partial", times=2)
    life.pull()
    life.settle()
    life.judge.friendships_are_live(0, 1, 2)


@history
def a_page_does_not_decide_about_a_push_that_is_under_way(life: Life) -> None:
    life.at(BEFORE_PUSH, "pull_in_between")
    life.at(AFTER_PUSH, "machine", 0, "咖啡", {"kind": "rule"})
    life.machine(0, "咖啡", kind="rule")
    life.settle()


@history
def a_page_from_before_an_act_does_not_decide_about_it(life: Life) -> None:
    life.person(0, "咖啡", add=True)
    life.settle()
    life.at(AFTER_PAGE, "put_back_what_a_member_takes_off", 0, 0, "咖啡")
    life.pull()
    life.settle()
    life.judge.customer_has(0, "咖啡")
