"""Friendships begin, half begin, change and end; orders and echoes of callbacks do not matter."""

from typing import Any

import pytest

from tests.flows.company import Company

pytestmark = pytest.mark.both


@pytest.fixture
def scanned(company: Company) -> Any:
    channel = company.make_channel(tags=company.make_tags("护肤", "母婴"), staff=["zhang"])
    found = company.simulator.scan(channel["config_id"])
    company.settle()
    return {**found, "channel": channel}


def relation(company: Company, external_userid: str, userid: str = "zhang") -> Any:
    found = company.get(f"/customers/{external_userid}")["relations"]
    return next(item for item in found if item["userid"] == userid)


def test_a_customer_who_deletes_the_member_is_lost_and_keeps_his_tags(company: Company, scanned: Any) -> None:
    company.simulator.act(scanned["external_userid"], "delete_staff", userid="zhang")
    company.settle()

    customer = company.get(f"/customers/{scanned['external_userid']}")
    assert customer["state"] == "lost"
    assert customer["relations"][0]["lost_by"] == "customer"
    assert {tag["name"] for tag in customer["tags"]} == {"护肤", "母婴"}


def test_a_member_who_deletes_the_customer_ends_the_relation(company: Company, scanned: Any) -> None:
    company.simulator.act("zhang", "delete_customer", external_userid=scanned["external_userid"])
    company.settle()

    assert relation(company, scanned["external_userid"])["lost_by"] == "staff"


def test_a_lost_customer_who_scans_again_is_active_with_the_codes_tags(company: Company, scanned: Any) -> None:
    company.simulator.act("zhang", "delete_customer", external_userid=scanned["external_userid"])
    company.settle()
    company.clock.advance(60)

    company.simulator.scan(scanned["channel"]["config_id"], external_userid=scanned["external_userid"])
    company.settle()

    customer = company.get(f"/customers/{scanned['external_userid']}")
    assert customer["state"] == "active"
    assert company.tags_there(scanned["external_userid"]) == {"护肤", "母婴"}
    assert {tag["sync"]["state"] for tag in customer["tags"]} == {"synced"}


@pytest.fixture
def keen(company: Company, scanned: Any) -> Any:
    """The scanned customer, with a tag that zhang's relation alone has."""
    (key,) = company.make_tags("想买", group="跟进", scope="relation")
    edit = {"add": [key], "userid": "zhang"}
    company.post(f"/customers/{scanned['external_userid']}/tags", edit, expect=200)
    company.settle()
    return {**scanned, "key": key}


def history(company: Company, scanned: Any) -> Any:
    return company.get(f"/customers/{scanned['external_userid']}/history")["items"]


def test_a_relations_own_tags_end_with_it_and_the_history_says_why(company: Company, keen: Any) -> None:
    company.simulator.act("zhang", "delete_customer", external_userid=keen["external_userid"])
    company.settle()

    line = history(company, keen)[0]
    assert (line["op"], line["key"], line["userid"]) == ("remove", keen["key"], "zhang")
    assert (line["evidence"]["reason"], line["evidence"]["lost_by"]) == ("好友关系已解除", "staff")
    assert "想买" not in company.tags_here(keen["external_userid"])


def test_a_loss_that_only_a_look_shows_leaves_the_same_line(company: Company, keen: Any) -> None:
    company.simulator.faults.put({"callbacks": {"loss": 1.0}})
    company.simulator.act("zhang", "delete_customer", external_userid=keen["external_userid"])
    company.clock.advance(60)
    company.simulator.act("zhang", "add", external_userid=keen["external_userid"])
    company.settle()
    company.simulator.faults.put({})
    company.simulator.act("zhang", "remark", external_userid=keen["external_userid"], remark="老客户")
    company.settle()

    (line,) = [line for line in history(company, keen) if (line["op"], line["key"]) == ("remove", keen["key"])]
    assert line["evidence"]["reason"] == "好友关系已解除"


def test_a_deletion_older_than_the_present_friendship_closes_nothing(company: Company, scanned: Any) -> None:
    company.hold_callbacks()
    company.simulator.act("zhang", "delete_customer", external_userid=scanned["external_userid"])
    company.clock.advance(30)
    company.simulator.scan(scanned["channel"]["config_id"], external_userid=scanned["external_userid"])
    company.settle()
    company.release_callbacks(order=[1, 0])

    assert company.get(f"/customers/{scanned['external_userid']}")["state"] == "active"
    assert company.tags_there(scanned["external_userid"]) == {"护肤", "母婴"}


def test_a_half_added_customer_is_known_and_gets_his_tags_once_accepted(company: Company) -> None:
    channel = company.make_channel(tags=company.make_tags("护肤"))

    scanned = company.simulator.scan(channel["config_id"], half=True, confirm=False)
    company.settle()

    assert company.tags_here(scanned["external_userid"]) == {"护肤"}
    company.simulator.act("zhang", "confirm_add", external_userid=scanned["external_userid"])
    company.settle()
    assert company.tags_there(scanned["external_userid"]) == {"护肤"}
    sent = [welcome for welcome in company.wecom_state()["welcomes"] if welcome["sent_at"]]
    assert len(sent) == 1


def test_what_a_member_tags_in_wecom_is_taken_over_as_his_act(company: Company, scanned: Any) -> None:
    company.simulator.act("admin", "group_create", group="意向", names=["高意向"])
    company.settle()
    company.simulator.act(
        "zhang",
        "mark",
        external_userid=scanned["external_userid"],
        add=[{"group": "意向", "tag": "高意向"}],
        remove=[{"group": "兴趣", "tag": "母婴"}],
    )
    company.settle()

    customer = company.get(f"/customers/{scanned['external_userid']}")
    tags = {tag["name"]: tag for tag in customer["tags"]}
    assert set(tags) == {"护肤", "高意向"}
    assert (tags["高意向"]["source"]["kind"], tags["高意向"]["source"]["actor"]) == ("wecom", "zhang")
    removed = next(line for line in history(company, scanned) if line["op"] == "remove")
    assert removed["source"]["actor"] == "zhang"
    assert tags["高意向"]["evidence"]["userid"] == "zhang"
    assert company.tags_there(scanned["external_userid"]) == {"护肤", "高意向"}


def test_a_tag_known_only_to_wecom_is_read_into_the_library(company: Company, scanned: Any) -> None:
    company.simulator.faults.put({"callbacks": {"loss": 1.0}})
    company.simulator.act("admin", "group_create", group="意向", names=["高意向"])
    company.settle()
    company.simulator.faults.put({})
    company.simulator.act(
        "zhang", "mark", external_userid=scanned["external_userid"], add=[{"group": "意向", "tag": "高意向"}]
    )
    company.settle()

    assert "高意向" in company.tags_here(scanned["external_userid"])


def test_a_second_member_gets_the_customers_tags_on_his_relation_too(company: Company, scanned: Any) -> None:
    other = company.make_channel(name="另一张海报", staff=["wang"], tags=scanned["channel"]["tags"][:1])

    company.simulator.scan(other["config_id"], external_userid=scanned["external_userid"])
    company.settle()

    assert company.tags_there(scanned["external_userid"], "wang") == {"护肤", "母婴"}


def test_contacts_from_outside_channels_are_tagged_with_how_they_came(company: Company) -> None:
    added = company.simulator.act("zhang", "add", add_way=3, name="名片客户")
    company.settle()

    assert company.tags_here(added["external_userid"]) == {"名片分享"}
    assert company.tags_there(added["external_userid"]) == {"名片分享"}


def test_unknown_events_are_kept_and_left_alone(company: Company) -> None:
    company.simulator.act("system", "unknown_event", event="brand_new", change_type="whatever")
    company.settle()

    (event,) = company.get("/inbox?state=ignored")["items"]
    assert (event["event"], event["change_type"]) == ("brand_new", "whatever")


def test_at_rest_a_further_look_writes_nothing(company: Company, scanned: Any) -> None:
    company.simulator.calls.clear()
    company.simulator.act("zhang", "remark", external_userid=scanned["external_userid"], remark="老客")
    company.settle()

    assert {call.api for call in company.simulator.calls} == {"externalcontact/get"}
