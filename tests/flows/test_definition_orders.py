"""Both sides put one group into another order at once: it ends in one of the two, whole, and is left alone then."""

import pytest

from tests.flows.company import Company
from tests.flows.definitions import (
    EDIT,
    call,
    delete_there,
    names_there,
    open_row,
    rename_here,
    rows,
    set_policy,
    settle_row,
    tag_here,
)
from wecom_app.services import taxonomy

FIRST, OURS, THEIRS = ["一", "二", "三", "四"], ["四", "一", "三", "二"], ["二", "四", "一", "三"]


def begin(company: Company, policy: str = "wecom") -> dict[str, str]:
    """A group that both sides have in one order; return its tags' keys by name."""
    keys = dict(zip(FIRST, company.make_tags(*FIRST), strict=True))
    set_policy(company, policy)
    company.settle_later(30)
    company.simulator.calls.clear()
    return keys


def order_here(company: Company, keys: dict[str, str], names: list[str]) -> None:
    call(company, "PUT", f"/tag-groups/{group_key(company)}/order", {"keys": [keys[name] for name in names]})


def order_there(company: Company, names: list[str]) -> None:
    ids = {tag["name"]: tag["id"] for group in company.wecom_state()["tag_groups"] for tag in group["tag"]}
    company.simulator.act("admin", "shuffle", group="兴趣", ids=[ids[name] for name in names])


def group_key(company: Company) -> str:
    return str(next(group["key"] for group in company.get("/tag-groups")["items"] if group["name"] == "兴趣"))


def names_here(company: Company) -> list[str]:
    with company.runtime.read() as session:
        group = taxonomy.get_group(session, group_key(company))
        return [tag.name for tag in taxonomy.tags_of(session, [group.id])[group.id]]


def both(company: Company) -> tuple[list[str], list[str]]:
    return names_here(company), names_there(company)


def rests(company: Company) -> bool:
    """Return whether a pass with echoes tells WeCom nothing more and changes nothing here."""
    company.simulator.calls.clear()
    before = both(company)
    company.simulator.act("admin", "group_rename", group="兴趣", order=3)
    company.settle_later(40)
    return company.simulator.calls.of(EDIT) == [] and both(company) == before


@pytest.mark.both
@pytest.mark.parametrize(("policy", "end"), [("wecom", THEIRS), ("ours", OURS)])
def test_two_orders_at_once_end_in_one_of_them_by_policy_without_a_word(
    company: Company, policy: str, end: list[str]
) -> None:
    keys = begin(company, policy)
    order_here(company, keys, OURS)
    order_there(company, THEIRS)
    company.settle_later(30)

    assert (both(company), rows(company)) == ((end, end), [])
    assert rests(company)


@pytest.mark.both
@pytest.mark.parametrize(("keep", "end"), [("ours", OURS), ("theirs", THEIRS)])
def test_where_a_person_is_asked_two_orders_have_one_row_and_his_word_holds(
    company: Company, keep: str, end: list[str]
) -> None:
    keys = begin(company, "ask")
    order_here(company, keys, OURS)
    order_there(company, THEIRS)
    company.settle_later(30)
    assert both(company) == (OURS, THEIRS)
    assert rows(company) == [("order", "group", "兴趣", tuple(OURS), tuple(THEIRS), None)]
    assert company.simulator.calls.of(EDIT) == []

    settle_row(company, open_row(company), keep)
    company.settle_later(30)

    assert both(company) == (end, end)
    assert [row[-1] for row in rows(company)] == [keep]
    assert {tag["sync"]["state"] for tag in company.get("/tags")["items"]} == {"synced"}
    assert rests(company)


def test_a_dispute_about_an_order_that_ends_by_itself_waits_for_nobody(company: Company) -> None:
    keys = begin(company, "ask")
    order_here(company, keys, OURS)
    order_there(company, THEIRS)
    company.settle_later(30)
    order_there(company, OURS)
    company.settle_later(30)

    assert (both(company), [row[-1] for row in rows(company)]) == ((OURS, OURS), ["same"])
    assert all(tag_here(company, key).blocked is None for key in keys.values())


@pytest.mark.both
def test_an_order_set_in_wecom_between_two_of_our_edits_is_not_mixed_with_ours(company: Company) -> None:
    keys = begin(company)
    order_here(company, keys, OURS)
    ids = {tag["name"]: tag["id"] for group in company.wecom_state()["tag_groups"] for tag in group["tag"]}
    wanted = [ids[name] for name in THEIRS]

    def in_between(name: str) -> None:
        if name == "library.after_edit" and len(company.simulator.calls.of(EDIT)) == 2:
            company.simulator.act("admin", "shuffle", group="兴趣", ids=wanted)

    company.crash_hook = in_between
    company.settle_later(60)

    assert both(company) == (OURS, OURS)
    assert [(row[0], row[-1]) for row in rows(company)] == [("order", "ours")]
    assert rests(company)


def test_two_orders_here_while_the_first_is_told_end_in_the_second(company: Company) -> None:
    keys = begin(company)
    order_here(company, keys, THEIRS)
    done = list[bool]()

    def again(name: str) -> None:
        if name == "library.before_edit" and not done:
            done.append(True)
            order_here(company, keys, OURS)

    company.crash_hook = again
    company.settle_later(60)

    assert (both(company), rows(company)) == ((OURS, OURS), [])
    assert rests(company)


@pytest.mark.parametrize("policy", ["wecom", "ours", "ask"])
def test_a_tag_made_or_deleted_there_is_no_dispute_about_our_order(company: Company, policy: str) -> None:
    keys = begin(company, policy)
    order_here(company, keys, OURS)
    delete_there(company, "三")
    company.simulator.act("admin", "tag_create", group="兴趣", names=["五"], order=0)
    company.settle_later(60)

    end = ["四", "一", "二", "五"]
    assert (both(company), [row for row in rows(company) if row[0] == "order"]) == ((end, end), [])
    assert rests(company)


def test_a_tag_made_here_is_no_dispute_about_their_order(company: Company) -> None:
    begin(company, "ask")
    order_there(company, THEIRS)
    call(company, "POST", "/tags", {"group": group_key(company), "name": "五"}, 201)
    company.settle_later(30)

    here, there = both(company)
    assert here == there
    assert ([name for name in there if name != "五"], rows(company)) == (THEIRS, [])


def test_a_name_edited_beside_an_order_goes_its_own_way(company: Company) -> None:
    keys = begin(company)
    order_there(company, THEIRS)
    rename_here(company, keys["四"], "肆")
    company.settle_later(30)

    end = ["二", "肆", "一", "三"]
    assert (both(company), rows(company)) == ((end, end), [])
    assert rests(company)
