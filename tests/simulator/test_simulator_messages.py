"""App messages, cards, robots and files."""

import pytest

from wecom_app.clock import ManualClock
from wecom_app.errors import Conflict, NotFound
from wecom_app.simulator.config import SimulatorConfig
from wecom_app.simulator.server import Simulator

SEND = "message/send"
UPDATE = "message/update_template_card"
TEXT = {"touser": "zhang", "msgtype": "text", "agentid": 1000002, "text": {"content": "你好"}}
CARD = {
    "touser": "zhang|wang",
    "msgtype": "template_card",
    "agentid": 1000002,
    "template_card": {
        "card_type": "button_interaction",
        "task_id": "t1",
        "main_title": {"title": "新客户"},
        "button_list": [{"text": "高意向", "key": "ok"}, {"text": "观望", "key": "wait"}],
    },
}


def card(**change):
    return CARD | {"template_card": CARD["template_card"] | change}


def test_a_message_is_recorded_for_its_receivers(api, sim: Simulator):
    answer = api.post(SEND, TEXT | {"touser": "ZHANG|nobody|Chen"})
    assert (answer["errcode"], answer["invaliduser"]) == (0, "nobody|chen")
    (message,) = sim.world.mailbox.messages.values()
    assert (message.msgid, message.userids) == (answer["msgid"], ["zhang"])


def test_everybody_and_departments_can_be_addressed(api, sim: Simulator):
    api.post(SEND, TEXT | {"touser": "@all"})
    api.post(SEND, TEXT | {"touser": "", "toparty": "1"})
    assert [message.userids for message in sim.world.mailbox.messages.values()] == [["zhang", "wang"]] * 2


@pytest.mark.parametrize(
    ("change", "errcode"),
    [
        ({"agentid": None}, 41011),
        ({"agentid": 1000009}, 301002),
        ({"touser": ""}, 82001),
        ({"touser": "nobody"}, 81013),
        ({"touser": "|".join(["zhang"] * 1001)}, 82002),
        ({"toparty": "|".join(["1"] * 101)}, 82003),
        ({"msgtype": "poem"}, 40008),
        ({"text": {"content": ""}}, 44004),
        ({"msgtype": "textcard", "textcard": {"title": "t", "url": "u"}}, 41033),
        ({"msgtype": "news", "news": {"articles": []}}, 45008),
        ({"msgtype": "image", "image": {"media_id": "unknown"}}, 40007),
    ],
)
def test_a_bad_message_is_refused(api, sim: Simulator, change, errcode):
    assert api.post(SEND, TEXT | change)["errcode"] == errcode
    assert not sim.world.mailbox.messages


def test_beyond_30_a_minute_a_member_gets_nothing_and_nobody_is_told(api, sim: Simulator):
    assert {api.post(SEND, TEXT)["errcode"] for _ in range(31)} == {0}
    last = list(sim.world.mailbox.messages.values())[-1]
    assert (last.userids, last.dropped_for) == ([], ["zhang"])


def test_an_interactive_card_needs_a_callback_address(make_api):
    assert make_api(SimulatorConfig()).post(SEND, CARD)["errcode"] == 43012


def test_a_card_can_be_changed_once_with_its_code(api, sim: Simulator):
    sent = api.post(SEND, CARD)
    body = {"agentid": 1000002, "response_code": sent["response_code"], "button": {"replace_name": "已处理"}}
    assert [api.post(UPDATE, body)["errcode"] for _ in range(2)] == [0, 42045]
    assert sim.world.mailbox.messages[sent["msgid"]].updates == [body]


def test_a_pressed_button_brings_an_event_with_a_code(api, sim: Simulator, clock: ManualClock):
    api.post(SEND, CARD)
    code = sim.act("wang", "click_card", key="ok", selected={"q": ["a", "b"]})["response_code"]
    plain = sim.callbacks.records[-1].event.plaintext
    for part in ("template_card_event", "<TaskId><![CDATA[t1]]>", "<EventKey><![CDATA[ok]]>", code):
        assert part in plain
    assert "<OptionIds><OptionId><![CDATA[a]]></OptionId><OptionId><![CDATA[b]]></OptionId></OptionIds>" in plain
    clock.advance(72 * 3600)
    api.token = api.gettoken()["access_token"]
    body = {"agentid": 1000002, "response_code": code, "button": {"replace_name": "已处理"}}
    assert api.post(UPDATE, body)["errcode"] == 42045


def test_what_a_member_presses_must_be_on_the_card_and_alive(api, sim: Simulator):
    sent = api.post(SEND, CARD)
    with pytest.raises(NotFound):
        sim.act("wang", "click_card", key="not-there")
    body = {"agentid": 1000002, "response_code": sent["response_code"], "button": {"replace_name": "已处理"}}
    api.post(UPDATE, body)
    with pytest.raises(Conflict):
        sim.act("wang", "click_card", key="ok")


@pytest.mark.parametrize(
    ("change", "errcode"),
    [
        ({"card_type": "poem"}, 40058),
        ({"task_id": None}, 40058),
        ({"task_id": "空 格"}, 42014),
        ({"task_id": "t" * 129}, 42014),
        ({"main_title": {}}, 41016),
        ({"button_list": []}, 40058),
        ({"button_list": [{"text": "好", "key": "k"}] * 7}, 40058),
        ({"button_list": [{"text": "", "key": "k"}]}, 40058),
        ({"button_list": [{"text": "好", "key": "k" * 1025}]}, 40058),
        ({"button_list": [{"text": "好", "type": 1}]}, 41010),
        ({"horizontal_content_list": [{"keyname": "k", "value": "v"}] * 7}, 40058),
        ({"button_selection": {"option_list": [{"id": "1"}]}}, 40058),
    ],
)
def test_a_bad_card_is_refused(api, sim: Simulator, change, errcode):
    assert api.post(SEND, card(**change))["errcode"] == errcode
    assert not sim.world.mailbox.messages


def test_a_task_id_is_good_for_one_card(api):
    assert [api.post(SEND, CARD)["errcode"] for _ in range(2)] == [0, 42014]
    assert api.post(SEND, card(task_id="t2"))["errcode"] == 0


def test_a_text_is_cut_at_2048_bytes(api, sim: Simulator):
    api.post(SEND, TEXT | {"text": {"content": "长" * 1000}})
    (message,) = sim.world.mailbox.messages.values()
    assert message.body["text"]["content"] == "长" * 682


def test_a_message_can_be_recalled_within_a_day(api, sim: Simulator, clock: ManualClock):
    first, second = (api.post(SEND, TEXT)["msgid"] for _ in range(2))
    assert api.post("message/recall", {"msgid": first})["errcode"] == 0
    assert sim.world.mailbox.messages[first].userids == []
    clock.advance(86_401)
    api.token = api.gettoken()["access_token"]
    assert api.post("message/recall", {"msgid": second})["errcode"] == 40058


def test_a_robot_needs_its_key_but_no_token(api, sim: Simulator):
    body = {"msgtype": "text", "text": {"content": "告警"}}
    assert api.raw("POST", "webhook/send", query={"key": "wrong"}, json=body).json()["errcode"] == 93000
    sent = api.raw("POST", "webhook/send", query={"key": "simulator-robot"}, json=body).json()
    assert sent["errcode"] == 0
    assert [message.body for message in sim.world.mailbox.robot_messages] == [body]


def test_a_robots_upload_looks_at_the_file_before_the_key(api):
    query = {"key": "wrong", "type": "file"}
    assert api.raw("POST", "webhook/upload_media", query=query).json()["errcode"] == 44001
    files = {"media": ("a.txt", b"report")}
    assert api.raw("POST", "webhook/upload_media", query=query, files=files).json()["errcode"] == 93000


def test_a_file_comes_back_as_it_was_for_three_days(api, other_api, clock: ManualClock):
    media_id = api.upload(b"picture bytes")["media_id"]
    query = {"access_token": other_api.token, "media_id": media_id}
    answer = other_api.raw("GET", "media/get", query=query)
    assert (answer.content, answer.headers["Content-Type"]) == (b"picture bytes", "image/png")
    clock.advance(3 * 86_400)
    api.token = api.gettoken()["access_token"]
    assert api.get("media/get", media_id=media_id)["errcode"] == 40007


@pytest.mark.parametrize(
    ("content", "kind", "errcode"),
    [(b"12345", "image", 44001), (b"x" * 10, "poem", 40004), (b"x" * (2 * 1024 * 1024 + 1), "voice", 45001)],
)
def test_a_bad_file_is_refused(api, content, kind, errcode):
    assert api.upload(content, kind)["errcode"] == errcode


def test_an_upload_without_file_is_refused(api):
    assert api.post("media/upload", type="image")["errcode"] == 44001
