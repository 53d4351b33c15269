"""Repair by hand: what failed is looked at, put back and carried out, and nothing happens twice."""

from collections.abc import Sequence
from typing import Any

import pytest
from sqlalchemy import select

from tests.flows.company import Company
from wecom_app.models import InboxEvent, TagEvent
from wecom_app.services import accounts, repair

pytestmark = pytest.mark.both

ADD = "add_external_contact"
MARK = "externalcontact/mark_tag"
WELCOME = "externalcontact/send_welcome_msg"
WRITES = (MARK, WELCOME, "externalcontact/add_corp_tag", "externalcontact/add_contact_way")


def scan(company: Company) -> str:
    channel = company.make_channel(tags=company.make_tags("护肤", "母婴"))
    external_userid: str = company.simulator.scan(channel["config_id"])["external_userid"]
    return external_userid


def event_of(company: Company, change_type: str = ADD) -> Any:
    return next(item for item in company.get("/inbox")["items"] if item["change_type"] == change_type)


def jobs(company: Company, query: str) -> list[Any]:
    found: list[Any] = company.get(f"/jobs?{query}")["items"]
    return found


def post(company: Company, path: str, body: Any = None, *, expect: int = 200) -> Any:
    return company.post(path, body, expect=expect)


def effects(company: Company, external_userid: str) -> Any:
    """Return all that one callback brought about, here and at WeCom."""
    with company.runtime.read() as session:
        history = session.scalars(select(TagEvent.id)).all()
    calls = [len(company.simulator.calls.of(api)) for api in WRITES]
    return company.get(f"/customers/{external_userid}"), company.wecom_state(), history, calls


def break_handling(company: Company) -> None:
    """Let every handling of a callback fail by a mistake of ours."""

    def fail(point: str) -> None:
        if point == "event.before_commit":
            raise RuntimeError("a mistake")

    company.crash_hook = fail


def fail_event(company: Company) -> tuple[str, Any]:
    """Return a customer whose callback failed until its job was given up, and the callback."""
    external_userid = scan(company)
    break_handling(company)
    company.settle_later(60)
    company.crash_hook = None
    event = event_of(company)
    assert event["state"] == "failed"
    return external_userid, event


def test_a_callback_replayed_ten_times_has_its_effects_once(company: Company) -> None:
    external_userid = scan(company)
    company.settle()
    before = effects(company, external_userid)
    event = event_of(company)

    for _ in range(10):
        assert post(company, f"/inbox/{event['id']}/replay")["job_id"] is not None
        company.settle()

    assert effects(company, external_userid) == before


def test_a_failed_callback_is_carried_out_by_its_replay(company: Company) -> None:
    external_userid, event = fail_event(company)
    assert "a mistake" in event["error"]

    replayed = post(company, f"/inbox/{event['id']}/replay")
    assert (replayed["state"], replayed["error"]) == ("waiting", None)
    company.settle()

    assert event_of(company)["state"] == "done"
    assert company.tags_there(external_userid) == {"护肤", "母婴"}


def test_a_dead_job_is_carried_out_by_its_replay(company: Company) -> None:
    external_userid, event = fail_event(company)
    (dead,) = jobs(company, "state=dead")
    assert dead["kind"] == "event.handle"

    replayed = post(company, f"/jobs/{dead['id']}/replay")
    assert (replayed["state"], replayed["attempts"]) == ("waiting", 0)
    assert company.get(f"/inbox/{event['id']}")["state"] == "waiting"
    company.settle()

    assert company.get(f"/jobs/{dead['id']}")["state"] == "done"
    assert company.tags_there(external_userid) == {"护肤", "母婴"}


def test_a_callback_that_waits_already_gets_no_second_job(company: Company) -> None:
    scan(company)
    company.simulator.run_until_idle()
    event = event_of(company)

    assert post(company, f"/inbox/{event['id']}/replay")["job_id"] is None


def test_only_dead_jobs_can_be_replayed(company: Company) -> None:
    scan(company)
    company.settle()
    done = jobs(company, "state=done&kind=event.handle")[0]

    refused = post(company, f"/jobs/{done['id']}/replay", expect=409)

    assert refused["message"] == "只有处理失败的任务可以重新执行，这个任务已完成"


def test_a_cancelled_job_does_not_run_until_it_is_replayed(company: Company) -> None:
    external_userid = scan(company)
    company.simulator.run_until_idle()
    (job,) = jobs(company, "state=waiting&kind=event.handle")

    assert post(company, f"/jobs/{job['id']}/cancel")["last_error"] == "cancelled"
    company.settle()
    assert event_of(company)["state"] == "waiting"
    refused = post(company, f"/jobs/{job['id']}/cancel", expect=409)
    assert refused["message"] == "只有还没开始执行的任务可以取消，这个任务处理失败"

    post(company, f"/jobs/{job['id']}/replay")
    company.settle()
    assert company.tags_there(external_userid) == {"护肤", "母婴"}


def test_an_id_that_nothing_has_is_not_found(company: Company) -> None:
    asked = [("GET", "/jobs/{}"), ("POST", "/jobs/{}/replay"), ("POST", "/jobs/{}/cancel")]
    asked += [("GET", "/inbox/{}"), ("POST", "/inbox/{}/replay")]
    for number in (999_999, 2**63, 10**30):
        for method, path in asked:
            answer = company.client.open(f"/api/v1{path.format(number)}", method=method, headers=company.headers)
            assert (answer.status_code, answer.get_json()["error"]) == (404, "not_found")


def test_repairing_takes_a_key_with_the_scope_write(company: Company) -> None:
    with company.runtime.write() as session:
        key = accounts.create_key(session, "reader", ["read"], company.clock.now())
    headers = {"Authorization": f"Bearer {key}"}

    paths = ("/inbox/1/replay", "/jobs/1/replay", "/jobs/1/cancel", "/jobs/replay")
    refused = [company.client.post(f"/api/v1{path}", json={}, headers=headers).status_code for path in paths]

    assert refused == [403] * 4


def test_a_callback_is_shown_without_its_welcome_code(company: Company) -> None:
    external_userid = scan(company)
    company.settle()
    event = event_of(company)
    with company.runtime.read() as session:
        code = session.get_one(InboxEvent, event["id"]).fields["WelcomeCode"]
    assert code

    answer = company.client.get(f"/api/v1/inbox/{event['id']}", headers=company.headers)

    fields = answer.get_json()["fields"]
    assert (fields["ExternalUserID"], fields["WelcomeCode"]) == (external_userid, repair.MASK)
    assert code not in answer.get_data(as_text=True)


def kill_jobs(company: Company) -> list[int]:
    """Return the ids of dead jobs of three kinds: two with one error, one with another, one cancelled."""
    with company.runtime.write() as session:
        queue = company.runtime.queue
        ids = [
            queue.enqueue(session, "event.handle", {"event_id": 900_001}, lane="event"),
            queue.enqueue(session, "welcome.send", {"event_id": 900_001}, lane="welcome"),
            queue.enqueue(session, "customer.sync", {"customer_id": "nobody"}, lane="push"),
        ]
    company.settle_later(60)
    with company.runtime.write() as session:
        ids.append(queue.enqueue(session, "event.handle", {"event_id": 1}, lane="event"))
        assert queue.cancel(session, ids[-1] or 0)
    return [job_id for job_id in ids if job_id is not None]


def states(company: Company, ids: Sequence[int]) -> list[str]:
    return [company.get(f"/jobs/{job_id}")["state"] for job_id in ids]


@pytest.mark.parametrize(
    ("body", "replayed", "skipped"),
    [
        ({}, [0, 1, 2], 1),
        ({"kind": "event.handle"}, [0], 1),
        ({"error": "ValueError"}, [2], 0),
        ({"error": "cancelled"}, [3], 0),
        ({"kind": "welcome.send", "error": "ValueError"}, [], 0),
    ],
    ids=["all", "of one kind", "with one error", "that were cancelled", "of kind and error"],
)
def test_dead_jobs_are_replayed_by_kind_and_error(
    company: Company, body: Any, replayed: list[int], skipped: int
) -> None:
    ids = kill_jobs(company)
    assert states(company, ids) == ["dead"] * 4

    done = post(company, "/jobs/replay", body)

    assert done == {"replayed": len(replayed), "skipped": skipped, "next_cursor": None}
    assert states(company, ids) == ["waiting" if place in replayed else "dead" for place in range(4)]


def test_dead_letters_are_listed_by_state_kind_and_error(company: Company) -> None:
    ids = kill_jobs(company)

    def listed(query: str) -> list[int]:
        return [job["id"] for job in jobs(company, query)]

    assert listed("state=dead") == ids[::-1]
    assert listed("state=dead&kind=event.handle") == [ids[3], ids[0]]
    assert listed("state=dead&error=NotFound") == [ids[1], ids[0]]
    assert listed("state=dead&error=notfound") == []
    assert listed("kind=customer.sync&error=invalid%20literal") == [ids[2]]


@pytest.mark.parametrize("field", ["kind", "error"])
def test_a_filter_that_no_text_could_match_is_refused(company: Company, field: str) -> None:
    asked = company.client.get(f"/api/v1/jobs?{field}=a%00b", headers=company.headers)
    posted = company.client.post("/api/v1/jobs/replay", json={field: "a\0b"}, headers=company.headers)
    assert (asked.status_code, posted.status_code) == (422, 422)


def test_at_most_a_thousand_jobs_are_replayed_at_once(company: Company) -> None:
    with company.runtime.write() as session:
        for _ in range(1_030):
            job_id = company.runtime.queue.enqueue(session, "watch.run", {}, lane="local")
            company.runtime.queue.cancel(session, job_id or 0)
    body = {"error": "cancelled"}

    first = post(company, "/jobs/replay", body)
    second = post(company, "/jobs/replay", {**body, "cursor": int(first["next_cursor"])})

    assert first["replayed"] == 1_000
    assert second == {"replayed": 30, "skipped": 0, "next_cursor": None}


def test_a_replayed_sync_revives_the_cells_that_were_given_up(company: Company) -> None:
    external_userid = scan(company)
    company.simulator.faults.add(MARK, "silent_ok")
    company.settle_later(60)
    tags = company.get(f"/customers/{external_userid}")["tags"]
    assert {tag["sync"]["state"] for tag in tags} == {"failed"}
    company.simulator.faults.put({"customer_contact": False})
    company.simulator.act("zhang", "remark", external_userid=external_userid, remark="老客")
    company.settle_later(10)
    company.simulator.faults.put({})
    (dead,) = jobs(company, "state=dead&kind=customer.sync")
    assert "48002" in dead["last_error"]

    post(company, f"/jobs/{dead['id']}/replay")

    tags = company.get(f"/customers/{external_userid}")["tags"]
    assert {tag["sync"]["state"] for tag in tags} == {"pending"}
    company.settle()
    tags = company.get(f"/customers/{external_userid}")["tags"]
    assert {tag["sync"]["state"] for tag in tags} == {"synced"}
    assert company.tags_there(external_userid) == {"护肤", "母婴"}


def test_a_sync_is_not_replayed_beside_a_twin_that_waits(company: Company) -> None:
    external_userid = scan(company)
    company.settle()
    company.simulator.faults.put({"customer_contact": False})
    company.simulator.act("zhang", "remark", external_userid=external_userid, remark="老客")
    company.settle()
    (dead,) = jobs(company, "state=dead&kind=customer.sync")
    with company.runtime.write() as session:
        company.runtime.queue.enqueue(
            session,
            "customer.sync",
            dead["args"],
            lane="push",
            key=dead["key"],
            unique=str(dead["args"]["customer_id"]),
        )

    refused = post(company, f"/jobs/{dead['id']}/replay", expect=409)

    assert refused["message"] == "同样的任务已在等待执行，不必重复"


def test_a_replayed_library_push_makes_the_tags_that_were_refused(company: Company) -> None:
    company.simulator.faults.add("externalcontact/add_corp_tag", "errcode", errcode=40058)
    company.make_tags("护肤")
    (tag,) = company.get("/tags")["items"]
    assert tag["sync"]["state"] == "failed"
    company.simulator.faults.put({})
    (dead,) = jobs(company, "state=dead&kind=library.push")

    post(company, f"/jobs/{dead['id']}/replay")
    company.settle()

    (tag,) = company.get("/tags")["items"]
    assert (tag["sync"]["state"], tag["wecom_tag_id"] is not None) == ("synced", True)


def test_failed_callbacks_are_replayed_together_in_their_order(company: Company) -> None:
    channel = company.make_channel()
    break_handling(company)
    for _ in range(3):
        company.simulator.scan(channel["config_id"])
    company.settle_later(60)
    company.crash_hook = None

    done = repair.replay_failed_events(company.runtime)
    company.settle()

    assert (done.replayed, done.skipped, done.next_cursor) == (3, 0, None)
    assert {item["state"] for item in company.get("/inbox")["items"]} == {"done"}
    assert len(company.get("/customers")["items"]) == 3
