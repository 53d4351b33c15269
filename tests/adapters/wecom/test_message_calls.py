"""Messages to members, over the wire: what is sent, who is said to have missed it, and what is refused for good."""

import pytest

from wecom_app.adapters.wecom.gateway import Gateway
from wecom_app.errors import WeComMisconfigured, WeComRejected
from wecom_app.services.ports import ButtonCard, CardButton
from wecom_app.simulator.server import Simulator

CARD = ButtonCard(
    task_id="card-1",
    title="林*** 还没有意向标签",
    description="来自 门店海报",
    buttons=(CardButton("high", "高意向"), CardButton("wait", "观望")),
    facts=(("客户", "林***"),),
)


@pytest.fixture
def reachable(simulator: Simulator) -> Simulator:
    simulator.callbacks.url = "http://app.test/wecom/callback"
    return simulator


def test_a_text_reaches_its_members(gateway: Gateway, simulator: Simulator) -> None:
    sent = gateway.send_text(["zhang", "wang"], "有 2 位新客户")
    (message,) = simulator.world.mailbox.messages.values()
    assert (message.msgid, message.userids, message.msgtype) == (sent.msgid, ["zhang", "wang"], "text")
    assert message.body["text"] == {"content": "有 2 位新客户"}
    assert sent.unreached == ()


def test_who_did_not_get_a_message_is_named_as_we_spell_him(gateway: Gateway, simulator: Simulator) -> None:
    simulator.world.add_member("LiLei", "李雷", status=2)
    sent = gateway.send_text(["zhang", "LiLei", "Nobody"], "您好")
    assert sent.unreached == ("LiLei", "Nobody")


def test_if_nobody_can_be_reached_it_is_refused_for_good(gateway: Gateway) -> None:
    with pytest.raises(WeComRejected) as caught:
        gateway.send_text(["nobody"], "您好")
    assert (caught.value.errcode, caught.value.retryable) == (81013, False)


def test_a_long_text_is_cut_between_characters(gateway: Gateway, simulator: Simulator) -> None:
    gateway.send_text(["zhang"], "a" + "长" * 1000)
    gateway.send_markdown(["zhang"], "短")
    contents = [message.body[message.msgtype]["content"] for message in simulator.world.mailbox.messages.values()]
    assert contents == ["a" + "长" * 682, "短"]


def test_a_card_is_sent_and_changed_once(gateway: Gateway, reachable: Simulator) -> None:
    sent = gateway.send_card(["zhang"], CARD)
    assert sent.response_code
    gateway.update_card(["zhang"], sent.response_code, "已选：高意向")
    (message,) = reachable.world.mailbox.messages.values()
    assert [update["button"] for update in message.updates] == [{"replace_name": "已选：高意向"}]
    with pytest.raises(WeComRejected) as caught:
        gateway.update_card(["zhang"], sent.response_code, "已选：观望")
    assert caught.value.errcode == 42045


def test_the_same_card_is_not_taken_twice(gateway: Gateway, reachable: Simulator) -> None:
    gateway.send_card(["zhang"], CARD)
    with pytest.raises(WeComRejected) as caught:
        gateway.send_card(["zhang"], CARD)
    assert caught.value.errcode == 42014
    assert len(reachable.world.mailbox.messages) == 1


def test_without_a_callback_address_a_card_needs_a_person(gateway: Gateway) -> None:
    with pytest.raises(WeComMisconfigured) as caught:
        gateway.send_card(["zhang"], CARD)
    assert caught.value.errcode == 43012
