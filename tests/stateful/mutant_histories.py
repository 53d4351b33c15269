"""Histories each of which kills a mutant of `mutants`, as lines that a failing run prints."""

from tests.stateful.course import CRASH
from tests.stateful.histories import history
from tests.stateful.life import (
    AFTER_LOOK,
    AFTER_PAGE,
    AFTER_PUSH,
    BEFORE_PUSH,
    GET,
    MARK,
    PAGES,
    Life,
)


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
