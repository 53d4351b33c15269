"""The welcome message: worded with the name where it is known in time, sent once, never late."""

from typing import Any

import pytest
from sqlalchemy import select

from tests.flows.company import Company
from wecom_app.models import Welcome

pytestmark = pytest.mark.both


def sent(company: Company) -> list[str]:
    return [welcome["text"] for welcome in company.wecom_state()["welcomes"] if welcome["sent_at"]]


def records(company: Company) -> list[Any]:
    with company.runtime.read() as session:
        return list(session.execute(select(Welcome).order_by(Welcome.id)).scalars())


def test_the_name_is_asked_for_before_the_event_is_handled(company: Company) -> None:
    channel = company.make_channel(welcome={"text": "{customer_name}，欢迎光临"})

    company.simulator.scan(channel["config_id"], name="林晓芸")
    company.settle()

    assert sent(company) == ["林晓芸，欢迎光临"]


def test_with_get_hanging_the_wording_without_the_name_arrives_in_time(company: Company) -> None:
    channel = company.make_channel(welcome={"text": "{customer_name}，欢迎光临"})
    company.simulator.faults.add("externalcontact/get", "timeout", latency_s=30)

    company.simulator.scan(channel["config_id"], name="林晓芸")
    company.settle()

    assert sent(company) == ["欢迎光临"]
    (record,) = records(company)
    assert record.finished_at < record.deadline_at


def test_a_fallback_text_of_ones_own_is_used_when_the_name_is_unknown(company: Company) -> None:
    channel = company.make_channel(welcome={"text": "{customer_name}，您好", "fallback_text": "欢迎来到{channel_name}"})
    company.simulator.faults.add("externalcontact/get", "errcode", errcode=-1)

    company.simulator.scan(channel["config_id"])
    company.settle()

    assert sent(company) == ["欢迎来到门店海报"]


def test_a_welcome_that_comes_too_late_is_recorded_and_not_sent(company: Company) -> None:
    channel = company.make_channel()
    company.hold_callbacks()
    company.simulator.scan(channel["config_id"])
    company.simulator.run_until_idle()
    company.clock.advance(19)
    company.simulator.calls.clear()

    company.release_callbacks()

    (record,) = records(company)
    assert record.status == "expired"
    assert not company.simulator.calls.of("externalcontact/send_welcome_msg")


@pytest.mark.parametrize("offset_s", [-86_400, 86_400])
def test_a_clock_that_is_a_day_off_does_not_cost_the_welcome(company: Company, offset_s: int) -> None:
    company.simulator.clock.offset_s = offset_s
    channel = company.make_channel()

    company.simulator.scan(channel["config_id"])
    company.settle()

    assert sent(company) == ["您好"]


def test_a_lost_reply_is_tried_again_and_the_customer_is_welcomed_once(company: Company) -> None:
    channel = company.make_channel()
    company.simulator.faults.add("externalcontact/send_welcome_msg", "lost_reply", times=1)

    company.simulator.scan(channel["config_id"])
    company.settle_later(10, step=1)

    assert sent(company) == ["您好"]
    assert [record.status for record in records(company)] == ["sent"]


def test_a_busy_wecom_is_asked_again_within_the_deadline(company: Company) -> None:
    channel = company.make_channel()
    company.simulator.faults.add("externalcontact/send_welcome_msg", "errcode", errcode=-1, times=2)

    company.simulator.scan(channel["config_id"])
    company.settle_later(10, step=1)

    assert sent(company) == ["您好"]


def test_a_wecom_that_stays_down_ends_in_a_recorded_expiry(company: Company) -> None:
    channel = company.make_channel()
    company.simulator.faults.add("externalcontact/send_welcome_msg", "down")

    company.simulator.scan(channel["config_id"])
    company.settle_later(30, step=1)

    assert [record.status for record in records(company)] == ["expired"]
    assert sent(company) == []


def test_a_welcome_that_another_app_sent_is_recorded_as_taken(company: Company) -> None:
    channel = company.make_channel()
    company.simulator.faults.add("externalcontact/send_welcome_msg", "errcode", errcode=41051)

    company.simulator.scan(channel["config_id"])
    company.settle()

    assert [record.status for record in records(company)] == ["taken"]


def test_link_attachments_arrive_with_the_text(company: Company) -> None:
    link = {"title": "会员手册", "url": "https://example.com/handbook", "desc": "三分钟看完"}
    channel = company.make_channel(welcome={"text": "您好", "attachments": [{"msgtype": "link", "link": link}]})

    company.simulator.scan(channel["config_id"])
    company.settle()

    (welcome,) = [item for item in company.wecom_state()["welcomes"] if item["sent_at"]]
    assert welcome["attachments"] == [{"msgtype": "link", "link": link}]


def test_a_half_added_customer_is_welcomed_once_with_the_code_of_either_event(company: Company) -> None:
    channel = company.make_channel()

    company.simulator.scan(channel["config_id"], half=True)
    company.settle()

    assert sent(company) == ["您好"]


def test_a_code_that_dies_after_a_definite_refusal_is_not_taken_for_sent(company: Company) -> None:
    channel = company.make_channel()
    company.simulator.faults.put(
        {
            "rules": [
                {"api": "externalcontact/send_welcome_msg", "kind": "errcode", "errcode": -1, "times": 1},
                {"api": "externalcontact/send_welcome_msg", "kind": "errcode", "errcode": 41050},
            ]
        }
    )

    company.simulator.scan(channel["config_id"])
    company.settle_later(10, step=1)

    assert [record.status for record in records(company)] == ["expired"]
