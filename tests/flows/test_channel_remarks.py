"""Remarks that a channel's rule gives new customers at WeCom: set once, and never over a person's own."""

from typing import Any

import pytest

from tests.flows.company import Company
from tests.flows.test_channels import crash, once, scan
from wecom_app.services.runtime import SimulatedCrash

pytestmark = pytest.mark.both

REMARK = "externalcontact/remark"


def remark_there(company: Company, external_userid: str) -> str:
    relations = company.wecom_state()["relations"]
    found: str = next(item["remark"] for item in relations if item["external_userid"] == external_userid)
    return found


def remarks(company: Company, channel: Any) -> list[tuple[str, str | None]]:
    items = company.get(f"/channels/{channel['id']}/remarks")["items"]
    return [(item["status"], item["remark"]) for item in items]


def test_a_new_customer_gets_the_remark_of_the_channels_rule(company: Company) -> None:
    channel = company.make_channel(
        source="小红书", remark_rule="{customer_name}-{source}-{staff_name}-{date}-老客户介绍"
    )

    external_userid = scan(company, channel, name="林晓芸")

    assert remark_there(company, external_userid) == "林晓芸-小红书-张伟-11月23日-老客"
    assert remarks(company, channel) == [("set", "林晓芸-小红书-张伟-11月23日-老客")]


def test_a_remark_that_a_person_has_set_is_left_alone(company: Company) -> None:
    channel = company.make_channel(remark_rule="{customer_name}-{source}")
    company.hold_callbacks()
    external_userid = scan(company, channel, name="林晓芸")
    company.simulator.act("zhang", "remark", external_userid=external_userid, remark="林姐")

    company.release_callbacks()

    assert remark_there(company, external_userid) == "林姐"
    assert remarks(company, channel) == [("kept", "林姐")]


def test_a_remark_is_set_once_however_often_the_person_changes_it_back(company: Company) -> None:
    channel = company.make_channel(remark_rule="{customer_name}-{source}")
    external_userid = scan(company, channel, name="林晓芸")

    company.simulator.act("zhang", "remark", external_userid=external_userid, remark="")
    company.settle_later(60, step=30)

    assert remark_there(company, external_userid) == ""
    assert len(company.simulator.calls.of(REMARK)) == 1


def test_a_remark_that_wecom_refuses_is_recorded_with_the_reason(company: Company) -> None:
    channel = company.make_channel(remark_rule="{source}")
    company.simulator.faults.add(REMARK, "errcode", errcode=48002)

    scan(company, channel)

    (item,) = company.get(f"/channels/{channel['id']}/remarks")["items"]
    assert item["status"] == "failed"
    assert "权限" in item["reason"]


def test_a_remark_waits_until_the_member_has_accepted(company: Company) -> None:
    channel = company.make_channel(remark_rule="{source}")
    external_userid = scan(company, channel, half=True, confirm=False)
    assert remarks(company, channel) == [("waiting", None)]

    company.simulator.act("zhang", "confirm_add", external_userid=external_userid)
    company.settle_later(600, step=300)

    assert remark_there(company, external_userid) == "门店"


@pytest.mark.parametrize("point", ["remark.before_call", "remark.after_call"])
def test_a_remark_cut_short_by_a_crash_is_set_once(company: Company, point: str) -> None:
    channel = company.make_channel(remark_rule="{source}")
    company.crash_hook = once(point, crash)

    with pytest.raises(SimulatedCrash):
        scan(company, channel)
    company.restart()
    company.settle_later(60, step=30)

    assert remarks(company, channel) == [("set", "门店")]
    assert len(company.simulator.calls.of(REMARK)) == 1


@pytest.mark.parametrize("rule", ["{nickname}", "这一条备注规则的固定文字实在是太长太长太长了", "两\n行"])
def test_a_remark_rule_that_cannot_work_is_refused(company: Company, rule: str) -> None:
    body = {"name": "海报", "source": "门店", "staff": ["zhang"], "remark_rule": rule}
    assert "remark_rule" in company.post("/channels", body, expect=422)["details"]
