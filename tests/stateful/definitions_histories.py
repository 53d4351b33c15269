"""Histories of the tag library that once broke the product or that kill a mutant, as a failing run prints them."""

from collections.abc import Callable

from tests.stateful.course import CRASH
from tests.stateful.definitions_life import DefinitionsLife

Script = Callable[[DefinitionsLife], None]
HISTORIES: dict[str, Script] = {}
LIST = "externalcontact/get_corp_tag_list"


def history(play: Script) -> Script:
    """Keep a history; its name says what must hold in it."""
    HISTORIES[play.__name__] = play
    return play


def live(play: Script) -> None:
    """Play a history from a library at rest to the judged end."""
    life = DefinitionsLife()
    try:
        play(life)
        life.heal()
    finally:
        life.close()


# Each of these broke the product once.


@history
def a_group_made_here_under_a_name_that_another_has_in_wecom_is_not_mixed_with_it(life: DefinitionsLife) -> None:
    life.policy("爱好", "ask")
    life.rename_group_there("爱好", "新组")
    life.rename_group_here("爱好", "丁组")
    life.settle()
    life.make_group_here("新组", "丁")
    life.settle()
    assert life.tags_there("新组") == ["甲", "乙", "丙"]
    life.rename_group_there("新组", "丙组")
    life.settle()
    assert life.tags_there("新组") == ["丁"]


@history
def a_group_that_takes_the_name_of_one_being_made_is_not_mixed_with_it(life: DefinitionsLife) -> None:
    life.make_group_here("新组", "丁")
    # WeCom puts the tag into the other group, where it stays; the group of ours gets its own later.
    life.judge.asked += 1
    life.at("library.before_create", "rename_group_there", "爱好", "新组")
    life.settle()
    life.wait(70)
    life.settle()
    assert life.judge.held_back() == 1
    life.rename_group_there("新组", "爱好")
    life.settle()


@history
def a_question_about_a_name_ends_with_the_edit_that_answers_it(life: DefinitionsLife) -> None:
    life.policy("爱好", "ask")
    life.rename_here("爱好", "丙", "己")
    life.rename_there("爱好", "丙", "丁")
    life.settle()
    assert life.judge.questions() == 1
    life.rename_here("爱好", "己", "丁")
    life.settle()
    assert life.judge.questions() == 0


@history
def deletions_that_a_person_refused_are_neither_carried_out_nor_asked_about_again(life: DefinitionsLife) -> None:
    life.strict_guard()
    life.delete_there("外部")
    life.settle()
    life.approve(yes=False)
    life.heal()
    assert life.judge.count_gone() == 0


@history
def a_refused_deletion_is_not_carried_out_once_the_library_has_grown(life: DefinitionsLife) -> None:
    life.strict_guard()
    life.delete_there("爱好", "丙")
    life.settle()
    life.approve(yes=False)
    life.make_there("外部", "戊", "己", "庚")
    life.heal()
    assert life.judge.count_gone() == 0


@history
def a_group_goes_in_wecom_while_the_deletion_of_its_last_tag_here_is_refused(life: DefinitionsLife) -> None:
    life.strict_guard()
    life.delete_there("爱好", "乙")
    life.delete_here("爱好", "甲")
    life.work(2)
    life.delete_there("爱好", "丙")
    life.approve(yes=False)
    life.delete_here("爱好", "丙")


@history
def of_a_tag_deleted_once_more_a_person_is_asked_again(life: DefinitionsLife) -> None:
    life.strict_guard()
    life.delete_there("爱好", "乙")
    life.settle()
    life.approve(yes=False)
    life.delete_here("爱好", "乙")
    life.settle()
    life.recreate("爱好", "乙")
    life.settle()
    life.delete_there("爱好", "乙")
    life.settle()
    life.approve()
    life.settle()
    assert life.tags_here("爱好") == ["甲", "丙"]


@history
def a_rename_that_waits_for_another_tags_question_says_so(life: DefinitionsLife) -> None:
    life.swap_there("外部", "甲", "丁")
    life.rename_there("外部", "甲", "丙")
    life.make_here("外部", "丙")


@history
def a_question_about_the_order_does_not_hold_up_a_deletion(life: DefinitionsLife) -> None:
    life.policy("爱好", "ask")
    life.delete_here("爱好", "丙")
    life.order_here("爱好", 2)
    life.order_there("爱好", 2)
    life.settle()
    assert life.tags_there("爱好") == ["乙", "甲"]


@history
def of_an_order_with_another_apps_new_tag_nobody_is_asked(life: DefinitionsLife) -> None:
    life.policy("爱好", "ask")
    life.order_here("爱好", 1)
    life.order_there("爱好", 2)
    life.settle()
    life.make_there("爱好", "丁")


@history
def what_is_renamed_and_then_deleted_here_keeps_its_name(life: DefinitionsLife) -> None:
    life.swap_here("爱好", "甲", "乙")
    life.delete_here("爱好", "乙")
    life.rename_group_here("等级", "新组")
    life.delete_here("新组")
    life.settle()
    assert "新组" in [name for (name,) in life.corp.rows("SELECT name FROM tag_group")]


@history
def a_rename_waits_for_the_name_of_a_deleted_tag_until_its_burial_is_approved(life: DefinitionsLife) -> None:
    life.strict_guard()
    life.delete_there("爱好", "丙")
    life.rename_there("爱好", "甲", "丙")


@history
def a_group_that_follows_wecom_asks_about_a_name_that_only_a_tag_of_ours_has(life: DefinitionsLife) -> None:
    life.make_here("爱好", "丁")
    life.rename_there("爱好", "丙", "丁")
    life.rename_there("爱好", "甲", "丙")
    life.mirror("爱好", "pull")
    life.settle()
    assert life.judge.questions() == 1


@history
def what_is_archived_here_and_deleted_in_wecom_is_found_by_a_pass(life: DefinitionsLife) -> None:
    life.archive_here("等级")
    life.delete_there("等级", "甲")
    life.drop(0)
    life.heal()
    assert life.judge.count_gone() == 1


@history
def what_bears_the_names_of_the_buried_is_taken_in_once_their_burial_is_approved(life: DefinitionsLife) -> None:
    life.strict_guard()
    life.delete_there("外部")
    life.make_there("外部", "甲", "丁")
    life.settle()
    life.approve()
    life.settle()
    assert life.tags_here("外部") == ["甲", "丁"]


@history
def a_group_that_comes_to_follow_wecom_does_so_at_once(life: DefinitionsLife) -> None:
    life.mirror("爱好", "none")
    life.rename_there("爱好", "甲", "丁")
    life.order_there("爱好", 1)
    life.settle()
    life.mirror("爱好", "pull")
    life.settle()
    assert life.tags_here("爱好") == ["丁", "乙", "丙"]


@history
def a_group_whose_tags_are_archived_goes_in_wecom_and_a_person_refuses_to_see_it_go(life: DefinitionsLife) -> None:
    life.strict_guard()
    life.delete_there("爱好")
    life.settle()
    life.archive_here("爱好", "甲")
    life.archive_here("爱好", "乙")
    life.archive_here("爱好", "丙")
    life.approve(yes=False)


@history
def an_order_whose_callback_never_came_is_found_by_a_pass(life: DefinitionsLife) -> None:
    life.order_there("外部", 1)
    life.drop(0)


@history
def what_is_restored_before_its_deletion_was_carried_out_is_not_deleted(life: DefinitionsLife) -> None:
    life.delete_here("爱好")
    life.restore_here("爱好")
    life.delete_here("等级", "甲")
    life.restore_here("等级", "甲")
    life.settle()
    assert (life.tags_there("爱好"), life.tags_there("等级")) == (["甲", "乙", "丙"], ["甲", "乙"])


@history
def a_deletion_that_is_under_way_when_it_is_called_off_is_found_out(life: DefinitionsLife) -> None:
    life.at("library.before_delete", "restore_here", "等级", "甲")
    life.delete_here("等级", "甲")
    life.settle()
    assert life.judge.count_gone() == 1


@history
def a_question_about_the_name_of_a_group_ends_with_the_group_in_wecom(life: DefinitionsLife) -> None:
    life.delete_here("等级", "乙")
    life.make_group_here("新组", "丙", "乙")
    life.rename_group_there("等级", "新组")
    life.delete_here("等级", "甲")


# Each of these kills a mutant.


@history
def a_rename_there_is_not_undone_by_what_stands_here(life: DefinitionsLife) -> None:
    life.policy("爱好", "ours")
    life.rename_there("爱好", "甲", "丁")
    life.read()
    life.settle()
    assert "丁" in life.tags_here("爱好")


@history
def of_two_renames_the_one_in_wecom_holds_and_a_row_says_so(life: DefinitionsLife) -> None:
    life.rename_here("爱好", "甲", "丁")
    life.rename_there("爱好", "甲", "戊")
    life.settle()
    assert "戊" in life.tags_here("爱好")
    assert life.judge.rows("name") == 1


@history
def tags_of_one_name_in_two_groups_do_not_share_their_fate(life: DefinitionsLife) -> None:
    life.delete_there("爱好", "甲")
    life.rename_there("等级", "甲", "丁")
    life.settle()
    life.make_there("爱好", "甲")
    life.settle()
    assert (life.tags_here("爱好"), life.tags_here("外部")) == (["乙", "丙", "甲"], ["甲", "丁"])
    assert life.tags_here("等级") == ["丁", "乙"]


@history
def what_is_deleted_in_wecom_is_not_made_again(life: DefinitionsLife) -> None:
    life.delete_there("爱好", "甲")
    life.settle()
    life.read()
    life.settle()
    life.retry()
    life.make_here("爱好", "丁")
    life.settle()
    assert sorted(life.tags_there("爱好")) == sorted(["丁", "乙", "丙"])


@history
def an_empty_or_short_list_buries_nothing(life: DefinitionsLife) -> None:
    before = [life.tags_here(group) for group in life.groups_here()]
    for kind in ("silent_ok", "partial"):
        life.fault(LIST, kind, times=4)
        life.read()
        life.work()
        life.wait(70)
        life.work()
    assert [life.tags_here(group) for group in life.groups_here()] == before


@history
def an_order_set_on_one_side_is_taken_whole(life: DefinitionsLife) -> None:
    life.order_there("爱好", 1)
    life.read()
    life.settle()
    life.order_here("爱好", 1)
    life.settle()
    assert life.tags_there("爱好") == ["乙", "丙", "甲"]


@history
def two_orders_at_once_end_in_one_of_them(life: DefinitionsLife) -> None:
    life.order_here("爱好", 1)
    life.order_there("爱好", 0)
    life.settle()
    assert life.tags_there("爱好") == ["丙", "乙", "甲"]


@history
def names_that_change_places_are_told_whatever_happens_between(life: DefinitionsLife) -> None:
    life.at("library.after_edit", CRASH)
    life.swap_here("爱好", "甲", "乙")
    life.swap_there("等级", "甲", "乙")
    for _ in range(4):
        life.settle()
        life.wait(70)
    assert life.judge.held_back() == 0


@history
def many_deletions_wait_for_a_person(life: DefinitionsLife) -> None:
    life.strict_guard()
    life.delete_there("爱好")
    life.settle()
    assert life.tags_here("爱好") == ["甲", "乙", "丙"]
    life.approve()
    life.settle()
    assert life.tags_here("爱好") == []
