"""Making a channel when WeCom is well, silent or unwilling: kept and finished later, or refused and forgotten."""

from typing import Any

import pytest
from sqlalchemy import select

from tests.flows.company import Company
from tests.web.asking import ask, assert_error
from wecom_app.models import Staff, Tag, TagGroup

ADD_WAY = "externalcontact/add_contact_way"
CHANNEL = {"name": "海报", "source": "门店", "staff": ["zhang"], "state": "poster-1"}
SILENCES = ["down", "lost_request", "timeout", "http_502", "html"]


def codes_at_wecom(company: Company) -> list[Any]:
    return [way for way in company.wecom_state()["channels"] if way["state"] == "poster-1"]


def channel(company: Company) -> Any:
    (found,) = company.get("/channels")["items"]
    return found


def assert_finished(company: Company) -> None:
    """Check that the channel has the one live code that WeCom has of it, and that no work is left."""
    (code,) = codes_at_wecom(company)
    made = channel(company)
    assert (made["config_id"], made["sync"]) == (code["config_id"], {"state": "synced", "reason": None})
    pushes = [job for job in company.get("/jobs?limit=200")["items"] if job["kind"] == "channel.push"]
    assert {job["state"] for job in pushes} <= {"done"}


@pytest.mark.both
def test_a_channel_made_while_wecom_is_down_is_kept_and_finished_later(company: Company) -> None:
    company.simulator.faults.add("*", "down")

    made = company.post("/channels", CHANNEL)

    assert (made["config_id"], made["qr_code"]) == (None, None)
    assert made["sync"]["state"] == "pending"
    assert made["sync"]["reason"]
    assert company.get(f"/channels/{made['id']}") == made
    company.simulator.faults.clear()
    company.settle_later(120, step=15)
    assert_finished(company)


@pytest.mark.parametrize("kind", SILENCES)
def test_one_unanswered_call_leads_to_one_code_in_the_end(company: Company, kind: str) -> None:
    company.simulator.faults.add(ADD_WAY, kind, times=1)

    company.post("/channels", CHANNEL)
    company.settle_later(120, step=15)

    assert_finished(company)


@pytest.mark.both
def test_a_lost_reply_to_the_creation_makes_no_second_code(company: Company) -> None:
    company.simulator.faults.add(ADD_WAY, "lost_reply", times=1)

    made = company.post("/channels", CHANNEL)
    company.settle_later(120, step=15)

    assert made["config_id"] is None
    assert_finished(company)
    assert len(company.simulator.calls.of(ADD_WAY)) == 1


def test_lost_replies_again_and_again_make_no_second_code(company: Company) -> None:
    company.simulator.faults.add(ADD_WAY, "lost_reply", times=3)

    company.post("/channels", CHANNEL)
    company.settle_later(180, step=20)

    assert_finished(company)


@pytest.mark.parametrize("errcode", [-1, 45009, 45033])
def test_a_passing_refusal_keeps_the_channel(company: Company, errcode: int) -> None:
    company.simulator.faults.add(ADD_WAY, "errcode", errcode=errcode, times=1)

    assert company.post("/channels", CHANNEL)["sync"]["state"] == "pending"
    company.settle_later(180, step=20)

    assert_finished(company)


def test_wecom_down_for_ten_minutes_loses_no_channel(company: Company) -> None:
    company.simulator.faults.add("*", "down", for_s=600)

    company.post("/channels", CHANNEL)
    company.settle_later(900, step=60)

    assert_finished(company)


def test_a_channel_that_was_kept_brings_in_customers_once_it_has_its_code(company: Company) -> None:
    company.simulator.faults.add(ADD_WAY, "down", for_s=30)
    company.post("/channels", CHANNEL)
    company.settle_later(120, step=15)

    scanned = company.simulator.scan(channel(company)["config_id"])
    company.settle()

    assert company.tags_there(scanned["external_userid"]) == {"门店"}


@pytest.mark.both
def test_an_unknown_member_is_refused_and_nothing_is_kept(company: Company) -> None:
    answer = ask(company, "POST", "/channels", CHANNEL | {"staff": ["nobody"]})

    assert assert_error(answer, 422, "invalid_input")["details"]["errcode"] == 40003
    assert company.get("/channels")["items"] == []
    company.settle_later(120, step=15)
    assert codes_at_wecom(company) == []
    assert company.get("/jobs?state=dead")["items"] == []


@pytest.mark.both
def test_a_refused_channel_leaves_no_tag_no_member_and_no_job_behind(company: Company) -> None:
    assert ask(company, "POST", "/channels", CHANNEL | {"staff": ["nobody"]}).status_code == 422

    assert_left_nothing(company)


@pytest.mark.both
def test_a_refused_edit_leaves_no_tag_and_no_member_behind(company: Company) -> None:
    made = company.make_channel()
    known = names_of(company, Staff.userid), names_of(company, Tag.name)

    edit = {"staff": ["nobody"], "source": "直播间"}
    assert ask(company, "PATCH", f"/channels/{made['id']}", edit).status_code == 422

    company.settle_later(120, step=15)
    assert (names_of(company, Staff.userid), names_of(company, Tag.name)) == known


def test_what_somebody_else_uses_meanwhile_stays(company: Company) -> None:
    def scan_elsewhere(_point: str) -> None:
        company.crash_hook = None
        other = company.post("/channels", CHANNEL | {"state": "poster-2"})
        company.simulator.scan(other["config_id"])

    company.crash_hook = scan_elsewhere
    assert ask(company, "POST", "/channels", CHANNEL | {"staff": ["nobody"]}).status_code == 422

    company.settle_later(120, step=15)
    (customer,) = company.get("/customers")["items"]
    assert company.tags_there(customer["external_userid"]) == {"门店"}


def names_of(company: Company, column: Any) -> list[str]:
    with company.runtime.read() as session:
        return sorted(session.scalars(select(column)).all())


def assert_left_nothing(company: Company) -> None:
    """Check that nobody and nothing new is known, here or at WeCom, then or later."""
    assert (names_of(company, Staff.userid), names_of(company, Tag.name), names_of(company, TagGroup.name)) == ([],) * 3
    company.settle_later(120, step=15)
    assert (names_of(company, Staff.userid), names_of(company, Tag.name)) == ([], [])
    assert company.simulator.calls.of("externalcontact/add_corp_tag") == []


@pytest.mark.both
def test_the_state_of_a_refused_channel_is_free_again(company: Company) -> None:
    assert ask(company, "POST", "/channels", CHANNEL | {"staff": ["nobody"]}).status_code == 422

    assert company.post("/channels", CHANNEL)["state"] == "poster-1"
    company.settle_later(120, step=15)
    assert_finished(company)


@pytest.mark.parametrize("errcode", [40003, 84074, 41054, 40098, 41041])
def test_every_definite_refusal_is_told_with_wecoms_number(company: Company, errcode: int) -> None:
    company.simulator.faults.add(ADD_WAY, "errcode", errcode=errcode, times=1)

    body = assert_error(ask(company, "POST", "/channels", CHANNEL), 422, "invalid_input")

    assert body["details"]["errcode"] == errcode
    assert company.get("/channels")["items"] == []


@pytest.mark.both
def test_a_repeated_request_makes_one_channel_and_one_code(company: Company) -> None:
    first = ask(company, "POST", "/channels", CHANNEL, Idempotency_Key="poster")
    second = ask(company, "POST", "/channels", CHANNEL, Idempotency_Key="poster")

    assert (first.status_code, first.data) == (201, second.data)
    assert len(codes_at_wecom(company)) == 1
