"""A customer scans a live code: the main job, end to end over the wire."""

import pytest
from tests.flows.company import Company

pytestmark = pytest.mark.both


def test_a_scan_tags_the_customer_on_both_sides_and_welcomes_him_once(company: Company) -> None:
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
    welcomes = company.wecom_state()["welcomes"]
    assert [welcome["text"] for welcome in welcomes if welcome["sent_at"]] == ["林晓芸您好，我是张伟"]
