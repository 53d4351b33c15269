"""A customer scans a live code: the main job, end to end over the wire."""

import pytest

from tests.flows.company import Company
from wecom_app.services.ports import ContactWayDraft

pytestmark = pytest.mark.both


def sent_welcomes(company: Company) -> list[str]:
    return [welcome["text"] for welcome in company.wecom_state()["welcomes"] if welcome["sent_at"]]


def test_a_scan_tags_the_customer_on_both_sides_and_welcomes_him(company: Company) -> None:
    tags = company.make_tags("护肤", "母婴")
    channel = company.make_channel(
        source="小红书", tags=tags, welcome={"text": "{customer_name}您好，我是{staff_name}"}
    )

    scanned = company.simulator.scan(channel["config_id"], name="林晓芸")
    company.settle()

    customer = company.get(f"/customers/{scanned['external_userid']}")
    assert customer["name"] == "林晓芸"
    assert {tag["name"] for tag in customer["tags"]} == {"护肤", "母婴"}
    assert {tag["sync"]["state"] for tag in customer["tags"]} == {"synced"}
    assert company.tags_there(scanned["external_userid"]) == {"护肤", "母婴"}
    assert sent_welcomes(company) == ["林晓芸您好，我是张伟"]


def test_every_tag_says_which_channel_and_callback_it_came_from(company: Company) -> None:
    tags = company.make_tags("护肤")
    channel = company.make_channel(tags=tags)

    scanned = company.simulator.scan(channel["config_id"])
    company.settle()

    (tag,) = company.get(f"/customers/{scanned['external_userid']}")["tags"]
    assert tag["source"] == {"kind": "channel", "ref": str(channel["id"]), "actor": None}
    assert tag["evidence"]["channel_name"] == channel["name"]
    assert tag["evidence"]["state"] == channel["state"]
    (event,) = [item for item in company.get("/inbox")["items"] if item["change_type"] == "add_external_contact"]
    assert tag["evidence"]["event_id"] == event["id"]
    (entry,) = company.get(f"/customers/{scanned['external_userid']}/history")["items"]
    assert (entry["op"], entry["key"]) == ("add", tags[0])


def test_a_channel_without_tags_assigns_its_source(company: Company) -> None:
    channel = company.make_channel(source="直播间")

    scanned = company.simulator.scan(channel["config_id"])
    company.settle()

    assert company.tags_here(scanned["external_userid"]) == {"直播间"}
    assert company.tags_there(scanned["external_userid"]) == {"直播间"}


def test_a_contact_with_the_state_of_another_tool_is_tagged_as_not_recognised(company: Company) -> None:
    code = company.runtime.wecom.add_contact_way(ContactWayDraft(("zhang",), "old-tool-7", "旧工具"))

    scanned = company.simulator.scan(code.config_id)
    company.settle()

    assert company.tags_here(scanned["external_userid"]) == {"来源未识别"}
    assert company.tags_there(scanned["external_userid"]) == {"来源未识别"}


def test_three_deliveries_of_one_callback_act_once(company: Company) -> None:
    channel = company.make_channel(tags=company.make_tags("护肤"))
    company.simulator.faults.put({"callbacks": {"duplicates": 3}})

    scanned = company.simulator.scan(channel["config_id"])
    company.settle()

    (event,) = [item for item in company.get("/inbox")["items"] if item["change_type"] == "add_external_contact"]
    assert event["deliveries"] == 3
    assert sent_welcomes(company) == ["您好"]
    assert len(company.get(f"/customers/{scanned['external_userid']}/history")["items"]) == 1


def test_two_hundred_customers_in_one_second_each_delivered_three_times(company: Company) -> None:
    channel = company.make_channel(tags=company.make_tags("护肤"), welcome={"text": "{customer_name}您好"})
    company.simulator.faults.put({"callbacks": {"duplicates": 3}})

    names = {company.simulator.scan(channel["config_id"])["external_userid"] for _ in range(200)}
    company.settle()

    page = company.get("/customers?limit=200")
    assert {customer["external_userid"] for customer in page["items"]} == names
    for customer in page["items"]:
        (tag,) = customer["tags"]
        assert tag["sync"]["state"] == "synced"
        assert tag["evidence"]["channel_id"] == channel["id"]
    state = company.wecom_state()
    assert all([tag["name"] for tag in relation["tags"]] == ["护肤"] for relation in state["relations"])
    sent = [welcome["external_userid"] for welcome in state["welcomes"] if welcome["sent_at"]]
    assert sorted(sent) == sorted(names)
