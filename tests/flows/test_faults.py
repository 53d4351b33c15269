"""What real life does to the wire: lost replies, silence, refusals and restarts end with both sides equal."""

from typing import Any

import pytest

from tests.flows.company import Company
from wecom_app.services.runtime import SimulatedCrash

pytestmark = pytest.mark.both

MARK = "externalcontact/mark_tag"


def scan(company: Company, **faults: Any) -> str:
    channel = company.make_channel(tags=company.make_tags("护肤", "母婴"))
    if faults:
        company.simulator.faults.add(**faults)
    external_userid: str = company.simulator.scan(channel["config_id"])["external_userid"]
    return external_userid


def assert_equal(company: Company, external_userid: str, tags: set[str]) -> None:
    customer = company.get(f"/customers/{external_userid}")
    assert {tag["name"] for tag in customer["tags"]} == tags
    assert {tag["sync"]["state"] for tag in customer["tags"]} == {"synced"}
    assert company.tags_there(external_userid) == tags


@pytest.mark.parametrize("kind", ["lost_reply", "lost_request", "http_502", "html", "timeout", "silent_ok", "partial"])
def test_one_bad_answer_to_mark_tag_ends_right(company: Company, kind: str) -> None:
    external_userid = scan(company, api=MARK, kind=kind, times=1)

    company.settle_later(60)

    assert_equal(company, external_userid, {"护肤", "母婴"})


@pytest.mark.parametrize("errcode", [-1, 6000, 40014, 42001, 45009, 45033, 45035])
def test_a_passing_refusal_of_mark_tag_ends_right(company: Company, errcode: int) -> None:
    external_userid = scan(company, api=MARK, kind="errcode", errcode=errcode, times=1)

    company.settle_later(180)

    assert_equal(company, external_userid, {"护肤", "母婴"})


def test_wecom_down_for_a_minute_loses_nothing(company: Company) -> None:
    external_userid = scan(company, kind="down", for_s=60)

    company.settle_later(240)

    assert_equal(company, external_userid, {"护肤", "母婴"})


def test_errcode_zero_without_effect_is_dead_after_three_tries_and_says_so(company: Company) -> None:
    external_userid = scan(company, api=MARK, kind="silent_ok")

    company.settle_later(60)

    (first, *_) = company.get(f"/customers/{external_userid}")["tags"]
    assert first["sync"]["state"] == "failed"
    assert first["sync"]["reason"]
    assert len(company.simulator.calls.of(MARK)) == 3


def test_a_tag_that_is_gone_at_wecom_does_not_hold_back_the_others(company: Company) -> None:
    channel = company.make_channel(tags=company.make_tags("护肤", "母婴"))
    company.simulator.faults.put({"callbacks": {"loss": 1.0}})
    company.simulator.act("admin", "tag_delete", group="兴趣", tag="母婴")
    company.simulator.faults.put({})

    external_userid = company.simulator.scan(channel["config_id"])["external_userid"]
    company.settle_later(30)

    assert company.tags_there(external_userid) == {"护肤"}
    company.settle_later(30)
    assert not company.simulator.calls.of("externalcontact/add_corp_tag")[1:]


def test_a_list_answer_with_an_errcode_and_empty_lists_changes_no_row(company: Company) -> None:
    external_userid = scan(company)
    company.settle()
    before = company.get(f"/customers/{external_userid}"), company.get("/tags")
    company.simulator.faults.add("externalcontact/get", "errcode", errcode=-1)
    company.simulator.faults.add("externalcontact/get_corp_tag_list", "errcode", errcode=-1)

    company.simulator.act("admin", "tag_create", group="兴趣", name="数码")
    company.simulator.act("zhang", "remark", external_userid=external_userid, remark="老客")
    company.settle()

    assert (company.get(f"/customers/{external_userid}"), company.get("/tags")) == before


def test_an_empty_library_answer_buries_nothing(company: Company) -> None:
    external_userid = scan(company)
    company.settle()
    company.simulator.faults.add("externalcontact/get_corp_tag_list", "silent_ok", times=1)
    company.simulator.act("admin", "shuffle")
    company.settle()

    assert company.tags_here(external_userid) == {"护肤", "母婴"}


CRASH_POINTS = [
    "event.before_commit",
    "event.after_commit",
    "welcome.before_call",
    "welcome.after_call",
    "sync.before_push",
    "sync.after_push",
    "sync.after_look",
    "sync.after_merge",
]


@pytest.mark.parametrize("point", CRASH_POINTS)
def test_a_crash_at_any_named_point_is_made_good_after_the_restart(company: Company, point: str) -> None:
    external_userid = scan(company)
    crashed: list[str] = []

    def crash_once(name: str) -> None:
        if name == point and not crashed:
            crashed.append(name)
            raise SimulatedCrash(name)

    company.crash_hook = crash_once
    with pytest.raises(SimulatedCrash):
        company.settle()
    company.restart()
    company.settle_later(60)

    assert_equal(company, external_userid, {"护肤", "母婴"})
    welcomes = [welcome for welcome in company.wecom_state()["welcomes"] if welcome["sent_at"]]
    assert len(welcomes) == 1
