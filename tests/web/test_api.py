"""The shapes that the API promises: customers, history, the tag library, channels, callbacks and jobs, and paging."""

import pytest

from tests.flows.company import Company
from tests.web.asking import add_customer
from wecom_app.domain.tagging import Source
from wecom_app.domain.vocabulary import SourceKind
from wecom_app.services import customers, tagging, taxonomy
from wecom_app.services.history import Act
from wecom_app.services.tagging import TagChange

NOW = "2026-11-23T02:00:00.000Z"
CHANNEL = {
    "name": "门店海报",
    "source": "小红书",
    "staff": ["zhang", "wang"],
    "welcome": {"text": "{customer_name}您好", "fallback_text": "您好"},
    "state": "poster-1",
}


@pytest.mark.both
def test_a_scanned_customer_has_the_promised_shape(company: Company) -> None:
    key, _ = company.make_tags("护肤", "母婴")
    channel = company.make_channel(tags=[key], staff=["zhang"])
    scanned = company.simulator.scan(channel["config_id"], name="林晓芸")
    company.settle()
    (event,) = [item for item in company.get("/inbox")["items"] if item["change_type"] == "add_external_contact"]

    customer = company.get(f"/customers/{scanned['external_userid']}")

    assert customer == {
        "external_userid": scanned["external_userid"],
        "name": "林晓芸",
        "type": "wechat",
        "state": "active",
        "version": 1,
        "relations": [
            {
                "userid": "zhang",
                "add_way": 1,
                "state": channel["state"],
                "channel": {"id": channel["id"], "name": "门店海报"},
                "created_at": NOW,
                "lost_at": None,
                "lost_by": None,
            }
        ],
        "tags": [
            {
                "key": key,
                "name": "护肤",
                "group": "behaviour.xing_qu",
                "dimension": "behaviour",
                "scope": "customer",
                "relations": ["zhang"],
                "source": {"kind": "channel", "ref": str(channel["id"]), "actor": None},
                "set_at": NOW,
                "expires_at": None,
                "evidence": {
                    "channel_id": channel["id"],
                    "channel_name": "门店海报",
                    "source": "门店",
                    "state": channel["state"],
                    "relation_id": 1,
                    "event_id": event["id"],
                    "occurred_at": "2026-11-23T02:00:00+00:00",
                },
                "sync": {"state": "synced", "reason": None},
            }
        ],
        "removing": [],
    }
    assert company.get("/customers")["items"] == [customer]


@pytest.mark.both
def test_a_line_of_history_has_the_promised_shape(company: Company) -> None:
    (key,) = company.make_tags("护肤")
    customer = add_customer(company, tags=[key])
    (channel,) = company.get("/channels")["items"]

    page = company.get(f"/customers/{customer}/history")

    (line,) = page["items"]
    evidence = line.pop("evidence")
    assert evidence["channel_id"] == channel["id"]
    assert line == {
        "id": 1,
        "at": NOW,
        "op": "add",
        "key": key,
        "userid": None,
        "source": {"kind": "channel", "ref": str(channel["id"]), "actor": None},
        "change_set_id": 1,
    }
    assert page["next_cursor"] is None


def test_history_is_told_newest_first(company: Company) -> None:
    keys = company.make_tags("护肤", "母婴")
    customer = add_customer(company)
    for key in keys:
        company.post(f"/customers/{customer}/tags", {"add": [key]}, 200)
    company.post(f"/customers/{customer}/tags", {"remove": keys[:1]}, 200)

    lines = company.get(f"/customers/{customer}/history")["items"]

    source = lines[-1]["key"]
    assert [(line["op"], line["key"]) for line in lines] == [
        ("remove", keys[0]),
        ("add", keys[1]),
        ("add", keys[0]),
        ("add", source),
    ]


def test_a_tag_waiting_for_wecom_and_one_being_taken_off_are_shown_as_such(company: Company) -> None:
    first, second = company.make_tags("护肤", "母婴")
    customer = add_customer(company, tags=[first])
    company.simulator.faults.add("*", "down")

    company.post(f"/customers/{customer}/tags", {"add": [second]}, 200)
    with_person(company, customer, remove=first)
    shown = company.get(f"/customers/{customer}")

    assert [(tag["key"], tag["sync"]["state"]) for tag in shown["tags"]] == [(second, "pending")]
    assert [item["key"] for item in shown["removing"]] == [first]


def with_person(company: Company, external_userid: str, *, remove: str) -> None:
    """Take a tag off as a person does, which the API's own rank could not."""
    with company.runtime.write() as session:
        customer = customers.find(session, external_userid)
        tag = taxonomy.find_tags(session, [remove])[remove]
        change = TagChange(customer.id, tag.id, add=False, source=Source(SourceKind.MANUAL, actor="zhang"))
        tagging.apply(session, [change], Act("manual"), queue=company.runtime.queue, now=company.clock.now())


@pytest.mark.both
def test_a_new_group_is_returned_with_made_keys_and_exists_at_wecom_after_a_moment(company: Company) -> None:
    body = {
        "name": "意向度",
        "dimension": "behaviour",
        "tags": [{"name": "高"}, {"name": "Low", "key": "interest.low"}],
    }

    made = company.post("/tag-groups", body)

    assert {name: value for name, value in made.items() if name != "tags"} == {
        "key": "behaviour.yi_xiang_du",
        "name": "意向度",
        "dimension": "behaviour",
        "selection": "multi",
        "scope": "customer",
        "mirror": "two_way",
        "conflict_policy": "wecom",
        "aliases": [],
        "colour": None,
        "owner": "ours",
        "wecom_group_id": None,
        "sync": {"state": "pending", "reason": None},
        "sensitive": False,
        "editable_by": "everybody",
        "description": "",
        "definition": "",
        "maintainer": None,
        "lifecycle": "active",
        "ttl_days": None,
        "version": 1,
        "archived": False,
    }
    assert made["tags"][0] == {
        "key": "behaviour.yi_xiang_du.gao",
        "name": "高",
        "group": "behaviour.yi_xiang_du",
        "dimension": "behaviour",
        "wecom_tag_id": None,
        "owner": "ours",
        "sync": {"state": "pending", "reason": None},
        "description": "",
        "definition": "",
        "maintainer": None,
        "lifecycle": "active",
        "ttl_days": None,
        "version": 1,
        "archived": False,
        "aliases": [],
        "merged_into": None,
        "replaced_by": None,
    }
    assert made["tags"][1]["key"] == "interest.low"
    company.settle()
    (group,) = company.get("/tag-groups")["items"]
    assert group["wecom_group_id"]
    assert {tag["sync"]["state"] for tag in group["tags"]} == {"synced"}


def test_a_group_keeps_what_was_chosen(company: Company) -> None:
    chosen = {"dimension": "journey", "selection": "single", "scope": "relation", "mirror": "none"}

    made = company.post("/tag-groups", {"name": "意向", **chosen})

    assert made.items() >= chosen.items()


def test_tags_of_a_group_that_is_not_mirrored_stay_local(company: Company) -> None:
    company.make_tags("内部", mirror="none")

    (tag,) = company.get("/tags")["items"]
    assert (tag["sync"], tag["wecom_tag_id"]) == ({"state": "local", "reason": None}, None)
    assert company.simulator.calls.of("externalcontact/add_corp_tag") == []


@pytest.mark.both
def test_a_new_tag_of_a_group_is_returned_and_listed(company: Company) -> None:
    company.make_tags("护肤")

    made = company.post("/tags", {"name": "母婴", "group": "behaviour.xing_qu"})
    company.settle()

    listed = {tag["key"]: tag for tag in company.get("/tags")["items"]}
    assert made["key"] == "behaviour.xing_qu.mu_ying"
    assert set(listed) == {"behaviour.xing_qu.hu_fu", made["key"]}
    assert listed[made["key"]]["sync"]["state"] == "synced"


def test_a_name_that_wecom_has_already_is_linked_and_not_twinned(company: Company) -> None:
    company.simulator.faults.put({"callbacks": {"loss": 1.0}})
    company.simulator.act("admin", "group_create", group="兴趣", names=["护肤"])
    company.simulator.faults.put({})

    company.make_tags("护肤")

    (tag,) = company.get("/tags")["items"]
    assert (tag["sync"]["state"], tag["owner"]) == ("synced", "foreign")
    assert company.simulator.calls.of("externalcontact/add_corp_tag") == []


@pytest.mark.both
def test_a_new_channel_has_its_live_code_at_once(company: Company) -> None:
    made = company.post("/channels", CHANNEL)

    assert made["config_id"]
    assert made["qr_code"].startswith("http")
    assert made["sync"] == {"state": "synced", "reason": None}
    assert made["created_at"] == NOW
    assert {name: made[name] for name in ("name", "source", "staff", "state")} == {
        name: CHANNEL[name] for name in ("name", "source", "staff", "state")
    }
    assert made["welcome"]["text"] == "{customer_name}您好"
    assert made["welcome"]["fallback_text"] == "您好"
    assert made["tags"] == ["basic_info.source.xiao_hong_shu"]
    assert company.get(f"/channels/{made['id']}") == made
    assert company.get("/channels")["items"] == [made]


def test_a_channel_without_a_state_gets_one_of_its_own(company: Company) -> None:
    states = {company.make_channel()["state"] for _ in range(3)}

    assert len(states) == 3
    assert all(len(state) <= 30 for state in states)


def test_a_member_named_twice_in_any_case_stands_once(company: Company) -> None:
    staff = company.make_channel(staff=["zhang", "ZHANG", "wang", "zhang"])["staff"]

    assert [userid.lower() for userid in staff] == ["zhang", "wang"]


@pytest.mark.both
def test_a_stored_callback_is_listed_without_its_text(company: Company) -> None:
    customer = add_customer(company)

    event = company.get("/inbox")["items"][-1]

    assert event == {
        "id": event["id"],
        "event": "change_external_contact",
        "change_type": "add_external_contact",
        "subject": customer,
        "state": "done",
        "deliveries": 1,
        "occurred_at": NOW,
        "received_at": NOW,
        "handled_at": NOW,
        "error": None,
    }


@pytest.mark.both
def test_a_job_is_listed_with_what_it_is_for(company: Company) -> None:
    add_customer(company)
    (event,) = company.get("/inbox")["items"]

    jobs = [job for job in company.get("/jobs")["items"] if job["kind"] == "event.handle"]

    assert [{name: value for name, value in job.items() if name != "id"} for job in jobs] == [
        {
            "kind": "event.handle",
            "lane": "event",
            "state": "done",
            "key": event["subject"],
            "args": {"event_id": event["id"]},
            "attempts": 1,
            "priority": 0,
            "run_at": NOW,
            "last_error": None,
            "created_at": NOW,
            "finished_at": NOW,
        }
    ]


def test_callbacks_can_be_listed_by_state(company: Company) -> None:
    add_customer(company)
    company.simulator.act("system", "unknown_event", event="brand_new", change_type="")
    company.settle()

    listed = {
        state: [event["event"] for event in company.get(f"/inbox?state={state}")["items"]]
        for state in ("waiting", "done", "ignored", "failed")
    }

    assert listed == {"waiting": [], "done": ["change_external_contact"], "ignored": ["brand_new"], "failed": []}


def test_jobs_can_be_listed_by_state(company: Company) -> None:
    add_customer(company)

    done, dead = company.get("/jobs?state=done")["items"], company.get("/jobs?state=dead")["items"]

    assert done
    assert {job["state"] for job in done} == {"done"}
    assert dead == []
