"""Printed codes of a former tool: their states are listed, adopted, and their earlier customers tagged."""

from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import select

from tests.flows.company import Company
from wecom_app.models import ChangeSet
from wecom_app.services import back_tagging, push_backlog
from wecom_app.services.ports import ContactWayDraft
from wecom_app.services.runtime import SimulatedCrash

pytestmark = pytest.mark.both

UNKNOWN = {"来源未识别"}


def old_code(company: Company, state: str = "old-tool-7", *staff: str) -> str:
    """Print a code with the former tool; return its config_id."""
    draft = ContactWayDraft(staff or ("zhang",), state, "旧工具")
    return company.runtime.wecom.add_contact_way(draft).config_id


def scan(company: Company, config_id: str, **switches: Any) -> str:
    external_userid: str = company.simulator.scan(config_id, **switches)["external_userid"]
    company.settle()
    return external_userid


def adopt(company: Company, expect: int = 201, **more: Any) -> Any:
    body = {"state": "old-tool-7", "name": "老海报", "source": "旧门店", **more}
    adopted = company.post("/channels/adopt", body, expect=expect)
    company.settle()
    return adopted


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def test_states_that_nobody_knows_are_listed_with_their_customers_and_staff(company: Company) -> None:
    config_id = old_code(company, "old-tool-7", "zhang", "wang")
    began = company.clock.now()
    first = scan(company, config_id, userid="zhang")
    company.clock.advance(3600)
    scan(company, config_id, external_userid=first, userid="wang")
    scan(company, config_id, userid="wang")
    scan(company, company.make_channel()["config_id"])
    company.simulator.act("zhang", "add", add_way=3)
    company.settle()

    (item,) = company.get("/channels/unknown-states")["items"]

    assert (item["state"], item["count"], item["staff"]) == ("old-tool-7", 2, ["wang", "zhang"])
    assert (moment(item["last_at"]) - moment(item["first_at"])).total_seconds() == 3600
    assert moment(item["first_at"]) == began


def test_the_list_of_unknown_states_has_pages(company: Company) -> None:
    for state in ("a", "b", "c"):
        scan(company, old_code(company, state))

    first = company.get("/channels/unknown-states?limit=2")
    second = company.get(f"/channels/unknown-states?limit=2&cursor={first['next_cursor']}")

    assert [item["state"] for item in first["items"] + second["items"]] == ["a", "b", "c"]
    assert second["next_cursor"] is None


def test_an_adopted_code_tags_and_welcomes_whoever_scans_it_from_then_on(company: Company) -> None:
    config_id = old_code(company)
    earlier = scan(company, config_id)

    adopted = adopt(company, tags=company.make_tags("护肤"), welcome={"text": "您好"})
    later = scan(company, config_id)

    assert company.tags_there(later) == {"护肤"}
    assert company.tags_here(earlier) == UNKNOWN
    assert [item["text"] for item in company.wecom_state()["welcomes"] if item["sent_at"]] == ["您好"]
    assert (adopted["staff"], adopted["config_id"], adopted["sync"]["state"]) == (["zhang"], None, "local")
    assert company.get("/channels/unknown-states")["items"] == []


def test_the_adopted_code_is_never_touched_at_wecom(company: Company) -> None:
    scan(company, old_code(company))
    adopted = adopt(company)
    company.simulator.calls.clear()

    body = {"name": "改名", "staff": ["wang"], "exclusive": True}
    answer = company.client.patch(f"/api/v1/channels/{adopted['id']}", json=body, headers=company.headers)
    company.post(f"/channels/{adopted['id']}/archive", {"delete_code": True}, expect=422)
    company.settle_later(130, step=65)

    assert (answer.json["staff"], answer.json["sync"]["state"]) == (["wang"], "local")
    assert not [call.api for call in company.simulator.calls if call.api.endswith("_contact_way")]


def test_the_preview_says_who_would_get_what_and_changes_nothing(company: Company) -> None:
    config_id = old_code(company)
    tags = company.make_tags("护肤", "母婴")
    names = ["甲", "乙", "丙"]
    ids = [scan(company, config_id, name=name) for name in names]
    company.post(f"/customers/{ids[0]}/tags", {"add": tags[:1]}, expect=200)
    take_off_by_hand(company, ids[1], "母婴", tags[1])

    body = {"state": "old-tool-7", "source": "旧门店", "tags": tags}
    found = company.post("/channels/adopt/preview", body, expect=200)

    assert found["customers"] == 3
    assert {tag["name"]: tag["customers"] for tag in found["tags"]} == {"护肤": 2, "母婴": 2}
    assert [sample["name"] for sample in found["samples"]] == names[::-1]
    assert found["samples"][0]["userids"] == ["zhang"]
    assert company.get("/channels")["items"] == []
    assert company.tags_here(ids[2]) == UNKNOWN


def take_off_by_hand(company: Company, external_userid: str, name: str, key: str) -> None:
    """Let the member take a tag off in WeCom that the customer had."""
    company.post(f"/customers/{external_userid}/tags", {"add": [key]}, expect=200)
    company.settle()
    tag = {"group": "兴趣", "tag": name}
    company.simulator.act("zhang", "mark", external_userid=external_userid, remove=[tag])
    company.settle()
    assert name not in company.tags_here(external_userid)


def test_the_preview_of_a_new_source_counts_everybody(company: Company) -> None:
    scan(company, old_code(company))

    found = company.post("/channels/adopt/preview", {"state": "old-tool-7", "source": "旧门店"}, expect=200)

    assert found["tags"] == [{"key": None, "name": "旧门店", "customers": 1}]


def test_a_single_choice_tag_that_a_person_chose_is_not_promised(company: Company) -> None:
    config_id = old_code(company)
    hand, channel = company.make_tags("已到店", "未到店", group="到店", selection="single")
    external_userid = scan(company, config_id)
    company.simulator.act("zhang", "mark", external_userid=external_userid, add=[{"group": "到店", "tag": "已到店"}])
    company.settle()

    body = {"state": "old-tool-7", "source": "旧门店", "tags": [channel]}
    found = company.post("/channels/adopt/preview", body, expect=200)
    adopt(company, tags=[channel], back_tag=True)

    assert found["tags"] == [{"key": channel, "name": "未到店", "customers": 0}]
    assert company.tags_here(external_userid) == {"已到店"}
    assert hand


def test_earlier_customers_get_the_channels_tags_in_place_of_not_recognised(company: Company) -> None:
    external_userid = scan(company, old_code(company))
    assert company.tags_there(external_userid) == UNKNOWN

    adopted = adopt(company, tags=company.make_tags("护肤"), back_tag=True)

    assert company.tags_there(external_userid) == {"护肤"}
    customer = company.get(f"/customers/{external_userid}")
    (tag,) = customer["tags"]
    assert tag["source"] == {"kind": "channel", "ref": str(adopted["id"]), "actor": None}
    assert (tag["evidence"]["adopted"], tag["evidence"]["state"]) == (True, "old-tool-7")
    assert customer["relations"][0]["channel"] == {"id": adopted["id"], "name": "老海报"}


def test_what_a_person_has_taken_off_stays_off(company: Company) -> None:
    external_userid = scan(company, old_code(company))
    tags = company.make_tags("护肤", "母婴")
    take_off_by_hand(company, external_userid, "母婴", tags[1])

    adopt(company, tags=tags, back_tag=True)

    assert company.tags_here(external_userid) == {"护肤"}


def test_a_customer_with_another_unknown_code_stays_not_recognised_too(company: Company) -> None:
    external_userid = scan(company, old_code(company))
    scan(company, old_code(company, "old-tool-8", "wang"), external_userid=external_userid)

    adopt(company, tags=company.make_tags("护肤"), back_tag=True)

    assert company.tags_here(external_userid) == {"护肤", *UNKNOWN}


def test_a_tag_of_the_friendship_goes_to_the_one_that_came_by_the_code(company: Company) -> None:
    external_userid = scan(company, old_code(company))
    scan(company, company.make_channel(staff=["wang"])["config_id"], external_userid=external_userid)
    tags = company.make_tags("已跟进", group="跟进", scope="relation")

    adopt(company, tags=tags, back_tag=True)

    assert "已跟进" in company.tags_there(external_userid, "zhang")
    assert "已跟进" not in company.tags_there(external_userid, "wang")


def test_back_tagging_is_one_change_set_with_pages_below_it(company: Company) -> None:
    external_userid = scan(company, old_code(company))

    adopted = adopt(company, back_tag=True)

    entries = company.get(f"/customers/{external_userid}/history")["items"]
    pages = {entry["change_set_id"] for entry in entries if entry["evidence"].get("adopted")}
    with company.runtime.read() as session:
        parents = session.execute(select(ChangeSet.parent_id).where(ChangeSet.id.in_(pages))).scalars().all()
        parent = session.get_one(ChangeSet, adopted["change_set_id"])
    assert set(parents) == {parent.id}
    assert "老海报" in (parent.reason or "")


def test_back_tagging_goes_on_after_a_crash_and_acts_once(company: Company, monkeypatch: Any) -> None:
    config_id = old_code(company)
    ids = [scan(company, config_id) for _ in range(5)]
    tags = company.make_tags("护肤")
    monkeypatch.setattr(back_tagging, "CHANGES_ON_PAGE", 4)
    reached: list[str] = []

    def crash_on_the_second_page(name: str) -> None:
        if name == "back_tag.before_commit":
            reached.append(name)
            if len(reached) == 2:
                raise SimulatedCrash(name)

    company.crash_hook = crash_on_the_second_page
    with pytest.raises(SimulatedCrash):
        adopt(company, tags=tags, back_tag=True)
    company.restart()
    company.settle_later(60, step=30)

    for external_userid in ids:
        assert company.tags_there(external_userid) == {"护肤"}
        entries = company.get(f"/customers/{external_userid}/history")["items"]
        assert [entry["op"] for entry in entries if entry["key"] == tags[0]] == ["add"]


def test_back_tagging_waits_while_many_pushes_are_waiting(company: Company, monkeypatch: Any) -> None:
    external_userid = scan(company, old_code(company))
    tags = company.make_tags("护肤")
    monkeypatch.setattr(push_backlog, "is_full", lambda _runtime: True)
    adopt(company, tags=tags, back_tag=True)
    assert company.tags_here(external_userid) == UNKNOWN

    monkeypatch.undo()
    company.settle_later(10)

    assert company.tags_here(external_userid) == {"护肤"}


def test_a_state_can_be_adopted_once(company: Company) -> None:
    adopt(company)

    assert adopt(company, expect=409)["error"] == "name_taken"
