"""What WeCom may answer to `mark_tag` for good: each bad mark stays alone, and says why."""

import itertools
from typing import Any

import pytest

from tests.flows.company import Company, open_company
from wecom_app.clock import ManualClock
from wecom_app.services.ports import ContactWayDraft

MARK, ADD_TAGS = "externalcontact/mark_tag", "externalcontact/add_corp_tag"


def known_customer(company: Company) -> str:
    """Return a customer of zhang who came through another tool's code, at rest."""
    code = company.runtime.wecom.add_contact_way(ContactWayDraft(("zhang",), "old-tool", "旧工具"))
    external_userid: str = company.simulator.scan(code.config_id)["external_userid"]
    company.settle()
    return external_userid


def edit(company: Company, external_userid: str, **change: Any) -> None:
    company.post(f"/customers/{external_userid}/tags", change, expect=200)


def sync_states(company: Company, external_userid: str) -> dict[str, str]:
    return {tag["name"]: tag["sync"]["state"] for tag in company.get(f"/customers/{external_userid}")["tags"]}


def test_two_deleted_tags_among_five_do_not_hold_back_the_others(company: Company) -> None:
    """40068 names no tag: the library is asked about each, and the push goes on without the deleted ones."""
    keys = company.make_tags("护肤", "母婴", "数码", "宠物", "户外")
    external_userid = known_customer(company)
    company.simulator.faults.put({"callbacks": {"loss": 1.0}})
    company.simulator.act("admin", "tag_delete", group="兴趣", tag="母婴")
    company.simulator.act("admin", "tag_delete", group="兴趣", tag="宠物")
    company.simulator.calls.clear()

    edit(company, external_userid, add=keys)
    company.settle_later(30)

    assert company.tags_there(external_userid) >= {"护肤", "数码", "户外"}
    assert [call.errcode for call in company.simulator.calls.of(MARK)] == [40068, 0]
    assert company.simulator.calls.of(ADD_TAGS) == []


def test_a_mark_that_wecom_refuses_is_found_by_halving_and_stays_alone(database_url: str, clock: ManualClock) -> None:
    """A relation holds so many tags and no more (40070): those for which there is room go through."""
    company = open_company(database_url, clock, tags_per_relation=4)
    keys = company.make_tags("护肤", "母婴", "数码", "宠物", "户外")
    external_userid = known_customer(company)

    edit(company, external_userid, add=keys)
    company.settle_later(30)

    states = sync_states(company, external_userid)
    assert sorted(states.values()) == ["failed"] * 2 + ["synced"] * 4
    assert len(company.tags_there(external_userid)) == 4
    refused = [tag for tag in company.get(f"/customers/{external_userid}")["tags"] if tag["sync"]["state"] == "failed"]
    assert all("40070" in tag["sync"]["reason"] for tag in refused)
    company.close()


def test_half_of_a_call_done_and_its_answer_lost_ends_right(company: Company) -> None:
    keys = company.make_tags("护肤", "母婴", "数码")
    external_userid = known_customer(company)
    company.simulator.faults.add(MARK, "partial_lost", times=1)

    edit(company, external_userid, add=keys)
    company.settle_later(60)

    assert company.tags_there(external_userid) >= {"护肤", "母婴", "数码"}
    assert set(sync_states(company, external_userid).values()) == {"synced"}


@pytest.mark.parametrize("errcode", [84061, 40096, 40003])
def test_a_friendship_that_wecom_does_not_know_ends_by_itself_neither_relation_nor_tag(
    company: Company, errcode: int
) -> None:
    keys = company.make_tags("护肤")
    external_userid = known_customer(company)
    company.simulator.faults.add(MARK, "errcode", errcode=errcode, times=2)

    edit(company, external_userid, add=keys)
    company.settle_later(60)

    assert company.get(f"/customers/{external_userid}")["state"] == "active"
    assert "护肤" in company.tags_there(external_userid)


def test_what_wecom_said_to_the_last_of_three_tries_is_the_reason_given(company: Company) -> None:
    keys = company.make_tags("护肤")
    external_userid = known_customer(company)
    company.simulator.faults.add(MARK, "errcode", errcode=84061)

    edit(company, external_userid, add=keys)
    company.settle_later(60)

    (tag,) = [tag for tag in company.get(f"/customers/{external_userid}")["tags"] if tag["name"] == "护肤"]
    assert tag["sync"] == {"state": "failed", "reason": "多次推送后企业微信仍未变化：企业微信中没有这个好友关系"}


def test_a_mark_waits_with_a_reason_for_a_friendship_that_wecom_no_longer_names(company: Company) -> None:
    keys = company.make_tags("护肤")
    external_userid = known_customer(company)
    company.simulator.act("wang", "add", external_userid=external_userid)
    company.settle()
    company.simulator.faults.put({"callbacks": {"loss": 1.0}})
    company.simulator.act("wang", "delete_customer", external_userid=external_userid)

    edit(company, external_userid, add=keys)
    company.settle_later(60)

    (tag,) = [tag for tag in company.get(f"/customers/{external_userid}")["tags"] if tag["name"] == "护肤"]
    assert tag["sync"] == {"state": "pending", "reason": "企业微信没有列出这个好友关系，等下一次全量同步核实"}


@pytest.mark.parametrize("errcode", [60020, 48002, 84074])
def test_what_only_an_admin_can_mend_is_asked_once_and_says_what_to_do(company: Company, errcode: int) -> None:
    keys = company.make_tags("护肤")
    external_userid = known_customer(company)
    company.simulator.faults.add(MARK, "errcode", errcode=errcode)
    company.simulator.calls.clear()

    edit(company, external_userid, add=keys)
    company.settle_later(120)

    assert len(company.simulator.calls.of(MARK)) == 1
    (tag,) = [tag for tag in company.get(f"/customers/{external_userid}")["tags"] if tag["name"] == "护肤"]
    assert tag["sync"]["state"] == "pending"
    assert (
        "企业微信后台" in tag["sync"]["reason"] or "客户联系" in tag["sync"]["reason"] or "IP" in tag["sync"]["reason"]
    )


@pytest.mark.parametrize("errcode", [60011, 84074])
def test_a_member_without_the_right_holds_back_no_other_members_marks(company: Company, errcode: int) -> None:
    keys = company.make_tags("护肤")
    external_userid = known_customer(company)
    company.simulator.act("wang", "add", external_userid=external_userid)
    company.settle()
    company.simulator.faults.add(MARK, "errcode", errcode=errcode, times=1)
    company.simulator.calls.clear()

    edit(company, external_userid, add=keys)
    company.settle_later(60)

    assert ["护肤" in company.tags_there(external_userid, userid) for userid in ("zhang", "wang")] == [False, True]
    assert len(company.simulator.calls.of(MARK)) == 2
    (tag,) = [tag for tag in company.get(f"/customers/{external_userid}")["tags"] if tag["name"] == "护肤"]
    assert (tag["sync"]["state"], tag["sync"]["reason"].startswith(("没有权限", "成员没有"))) == ("pending", True)


def test_edits_made_while_wecom_is_down_for_ten_minutes_land_as_they_were_last(company: Company) -> None:
    """Forty edits there and back on each of three customers, and two restarts in between."""
    key, other = company.make_tags("护肤", "母婴")
    customers = [known_customer(company) for _ in range(3)]
    company.simulator.faults.add("*", "down", for_s=600)
    company.simulator.calls.clear()

    for turn in range(40):
        for external_userid in customers:
            add, remove = ([key], [other]) if turn % 2 == 0 else ([other], [key])
            edit(company, external_userid, add=add, remove=remove if turn else [])
        company.settle()
        company.clock.advance(15)
        if turn in (10, 25):
            company.restart()
    company.settle_later(180)

    for external_userid in customers:
        assert company.tags_there(external_userid) >= {"母婴"}
        assert "护肤" not in company.tags_there(external_userid)
        assert set(sync_states(company, external_userid).values()) == {"synced"}
    assert len([call for call in company.simulator.calls.of(MARK) if call.errcode == 0]) == 3


def test_a_request_that_is_carried_out_after_the_read_back_looks_like_an_edit_once(company: Company) -> None:
    """The stated limit: WeCom applied our add long after it timed out, and after we had taken the tag off."""
    (key,) = company.make_tags("护肤")
    external_userid = known_customer(company)
    company.simulator.faults.add(MARK, "timeout", times=1)
    edit(company, external_userid, add=[key])
    company.settle_later(60)
    edit(company, external_userid, remove=[key])
    company.settle_later(30)

    late = {"group": "兴趣", "tag": "护肤"}
    company.simulator.act("zhang", "mark", external_userid=external_userid, add=[late])
    company.settle_later(30)
    company.simulator.calls.clear()
    company.simulator.act("zhang", "remark", external_userid=external_userid, remark="老客")
    company.settle_later(30)

    assert "护肤" in company.tags_here(external_userid) & company.tags_there(external_userid)
    assert company.simulator.calls.of(MARK) == []


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_added_deleted_and_added_again_in_any_order_ends_as_wecom_has_it(company: Company, order: Any) -> None:
    company.make_tags("护肤")
    company.hold_callbacks()
    added = company.simulator.act("zhang", "add", name="林晓芸")
    company.clock.advance(30)
    company.simulator.act("zhang", "delete_customer", external_userid=added["external_userid"])
    company.clock.advance(30)
    company.simulator.act("zhang", "add", external_userid=added["external_userid"])
    company.settle()

    company.release_callbacks(order)
    company.settle_later(30)

    customer = company.get(f"/customers/{added['external_userid']}")
    assert customer["state"] == "active"
    assert company.tags_there(added["external_userid"]) == {"名片分享"}
    assert sync_states(company, added["external_userid"]) == {"名片分享": "synced"}
