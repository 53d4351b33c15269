"""Welcome messages: the code's life, its single use, and what may be sent."""

import pytest

from wecom_app.clock import ManualClock
from wecom_app.simulator.server import Simulator

SEND = "externalcontact/send_welcome_msg"
TEXT = {"text": {"content": "你好"}}


@pytest.fixture
def welcome_code(sim: Simulator, code: str) -> str:
    return sim.scan(code)["welcome_code"]


def link(**change):
    return {"msgtype": "link", "link": {"title": "活动", "url": "https://shop.test/"} | change}


def test_a_welcome_reaches_the_customer(api, sim: Simulator, welcome_code):
    body = {"welcome_code": welcome_code, **TEXT, "attachments": [link()]}
    assert api.post(SEND, body)["errcode"] == 0
    (welcome,) = api.control("GET", "state").json()["welcomes"]
    assert (welcome["text"], welcome["attachments"]) == ("你好", [link()])
    assert welcome["sent_at"] is not None


def test_a_code_is_good_for_one_message(api, welcome_code):
    body = {"welcome_code": welcome_code, **TEXT}
    assert [api.post(SEND, body)["errcode"] for _ in range(2)] == [0, 41050]


def test_a_second_app_comes_too_late(api, other_api, welcome_code):
    body = {"welcome_code": welcome_code, **TEXT}
    assert other_api.post(SEND, body)["errcode"] == 0
    assert api.post(SEND, body)["errcode"] == 41051


@pytest.mark.parametrize(("seconds", "errcode"), [(19, 0), (20, 41050)])
def test_a_code_lives_20_seconds(api, clock: ManualClock, welcome_code, seconds, errcode):
    clock.advance(seconds)
    assert api.post(SEND, {"welcome_code": welcome_code, **TEXT})["errcode"] == errcode


def test_a_welcome_after_the_chat_began_answers_41051(api, sim: Simulator, welcome_code):
    pair = api.control("GET", "state").json()["welcomes"][0]
    sim.act(pair["userid"], "chat", external_userid=pair["external_userid"])
    assert api.post(SEND, {"welcome_code": welcome_code, **TEXT})["errcode"] == 41051


@pytest.mark.parametrize(
    ("body", "errcode"),
    [
        ({**TEXT}, 41049),
        ({"welcome_code": "unknown", **TEXT}, 41050),
        ({"text": {"content": ""}}, 40063),
        ({"text": {"content": "长" * 1334}}, 45002),
        ({"attachments": [link()] * 10}, 40058),
        ({"attachments": [{"msgtype": "poem", "poem": {}}]}, 40008),
        ({"attachments": [link(url="")]}, 41010),
        ({"attachments": [link(title="长" * 43)]}, 45003),
        ({"attachments": [link(desc="长" * 171)]}, 45004),
        ({"attachments": [{"msgtype": "image", "image": {"media_id": "unknown"}}]}, 40007),
        ({"attachments": [{"msgtype": "image"}]}, 40063),
    ],
)
def test_a_refused_welcome_leaves_the_code_usable(api, welcome_code, body, errcode):
    full = body if "welcome_code" in body or body == TEXT else {"welcome_code": welcome_code, **body}
    assert api.post(SEND, full)["errcode"] == errcode
    assert api.post(SEND, {"welcome_code": welcome_code, **TEXT})["errcode"] == 0


def test_4000_bytes_and_nine_attachments_are_taken(api, welcome_code):
    body = {"welcome_code": welcome_code, "text": {"content": "x" * 4000}, "attachments": [link()] * 9}
    assert api.post(SEND, body)["errcode"] == 0


def test_a_picture_needs_a_file_younger_than_three_days(api, sim: Simulator, clock: ManualClock, code):
    media_id = api.upload()["media_id"]
    picture = {"attachments": [{"msgtype": "image", "image": {"media_id": media_id}}]}
    first = sim.scan(code)["welcome_code"]
    assert api.post(SEND, {"welcome_code": first, **picture})["errcode"] == 0
    clock.advance(3 * 86_400)
    api.token = api.gettoken()["access_token"]
    second = sim.scan(code)["welcome_code"]
    assert api.post(SEND, {"welcome_code": second, **picture})["errcode"] == 40007


def test_a_mini_program_needs_its_picture(api, welcome_code):
    program = {"title": "商城", "appid": "wx1", "page": "index", "pic_media_id": "unknown"}
    body = {"welcome_code": welcome_code, "attachments": [{"msgtype": "miniprogram", "miniprogram": program}]}
    assert api.post(SEND, body)["errcode"] == 40007
    program["pic_media_id"] = api.upload()["media_id"]
    assert api.post(SEND, body)["errcode"] == 0


def test_the_errcode_of_a_second_use_can_be_switched(api, sim: Simulator, welcome_code):
    sim.faults.set(used_welcome_errcode=41051)
    body = {"welcome_code": welcome_code, **TEXT}
    assert [api.post(SEND, body)["errcode"] for _ in range(2)] == [0, 41051]
