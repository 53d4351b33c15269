"""Delivering callbacks: envelope, signature, tries, and disturbed delivery."""

import re
import threading
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
from wechatpy.work.crypto import WeChatCrypto

from tests.simulator.conftest import CONFIG, Receiver
from wecom_app.clock import ManualClock, SystemClock
from wecom_app.simulator.config import SimulatorConfig
from wecom_app.simulator.server import Simulator


def decrypted(url: str, body: bytes) -> str:
    """Read a callback with the library that applications use."""
    query = {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
    crypto = WeChatCrypto(CONFIG.callback_token, CONFIG.callback_aes_key, CONFIG.corp_id)
    return crypto.decrypt_message(body, query["msg_signature"], query["timestamp"], query["nonce"])


def mark(sim: Simulator, name: str = "金") -> None:
    tag = sim.world.add_tag("等级", name)
    sim.act("zhang", "mark", external_userid="wmli", add=[tag.id])


def test_a_callback_can_be_read_with_the_receivers_library(sim: Simulator, receiver: Receiver):
    mark(sim)
    assert sim.step() is True
    plain = decrypted(*receiver.posts[0])
    assert plain.startswith("<xml><ToUserName><![CDATA[ww5ca1ab1e0ddba11]]></ToUserName><FromUserName><![CDATA[sys]]>")
    assert "<MsgType><![CDATA[event]]></MsgType>" in plain
    assert "<ChangeType><![CDATA[edit_external_contact]]></ChangeType>" in plain


def test_nothing_is_posted_before_a_step(sim: Simulator, receiver: Receiver):
    mark(sim)
    assert receiver.posts == []


def test_without_events_a_step_does_nothing(sim: Simulator):
    assert sim.step() is False


@pytest.mark.parametrize("failure", [500, 503, requests.ReadTimeout(), ConnectionResetError()])
def test_a_failed_try_is_repeated_later_with_fresh_encryption(
    sim: Simulator, receiver: Receiver, clock: ManualClock, failure
):
    receiver.statuses = [failure]
    mark(sim)
    assert sim.run_until_idle() == 1
    clock.advance(1)
    assert sim.run_until_idle() == 1
    (first, second) = receiver.posts
    assert first[0] != second[0]
    assert first[1] != second[1]
    assert decrypted(*first) == decrypted(*second)
    (record,) = sim.callbacks.records
    assert (record.tries, record.delivered) == (2, True)


def test_there_are_three_tries_in_all(sim: Simulator, receiver: Receiver, clock: ManualClock):
    receiver.statuses = [500] * 9
    mark(sim)
    for _ in range(9):
        sim.run_until_idle()
        clock.advance(60)
    assert len(receiver.posts) == 3
    (record,) = sim.callbacks.records
    assert (record.delivered, record.finished, record.last_status) == (False, True, 500)


def test_the_receiver_has_five_seconds(sim: Simulator, receiver: Receiver):
    mark(sim)
    sim.step()
    assert receiver.timeouts == [5.0]


def test_a_crash_of_the_receiver_counts_as_a_failed_try(sim: Simulator, receiver: Receiver, clock: ManualClock):
    receiver.statuses = [RuntimeError("crash")]
    mark(sim)
    with pytest.raises(RuntimeError):
        sim.step()
    clock.advance(1)
    assert sim.step() is True
    assert sim.callbacks.records[0].delivered is True


def test_duplicates_carry_the_same_plaintext(sim: Simulator, receiver: Receiver):
    sim.faults.set(callbacks={"duplicates": 3})
    mark(sim)
    assert sim.run_until_idle() == 3
    assert len({decrypted(*post) for post in receiver.posts}) == 1
    assert len({post[1] for post in receiver.posts}) == 3


def test_lost_events_are_recorded_but_not_sent(sim: Simulator, receiver: Receiver):
    sim.faults.set(callbacks={"loss": 1.0})
    mark(sim)
    assert sim.run_until_idle() == 0
    assert receiver.posts == []
    assert sim.callbacks.records[0].lost is True


def test_held_events_wait_for_release(sim: Simulator, receiver: Receiver):
    sim.faults.set(callbacks={"hold": True})
    mark(sim)
    assert sim.run_until_idle() == 0
    sim.faults.set(callbacks={"hold": False})
    assert sim.run_until_idle() == 1


def test_delayed_events_come_later(sim: Simulator, receiver: Receiver, clock: ManualClock):
    sim.faults.set(callbacks={"delay_s": 30})
    mark(sim)
    assert sim.run_until_idle() == 0
    clock.advance(30)
    assert sim.run_until_idle() == 1


def test_events_come_in_order_unless_shuffled(sim: Simulator, receiver: Receiver):
    def order() -> list[str]:
        receiver.posts.clear()
        for number in range(20):
            sim.act("system", "unknown_event", event=f"event{number}")
        sim.run_until_idle()
        return [re.findall(r"event\d+", decrypted(*post))[0] for post in receiver.posts]

    straight = [f"event{number}" for number in range(20)]
    assert order() == straight
    sim.faults.set(callbacks={"reorder": True})
    shuffled = order()
    assert shuffled != straight
    assert sorted(shuffled) == sorted(straight)


def test_events_of_one_second_share_sender_and_time(sim: Simulator, receiver: Receiver):
    sim.act("admin", "tag_create", group="等级", names=["金", "银"])
    sim.run_until_idle()
    heads = {re.search(r"<FromUserName>.*</CreateTime>", decrypted(*post))[0] for post in receiver.posts}
    assert (len(receiver.posts), len(heads)) == (3, 1)


def test_a_past_event_can_be_delivered_again(sim: Simulator, receiver: Receiver, api):
    mark(sim)
    sim.run_until_idle()
    assert api.control("POST", "callbacks", {"repeat": 1}).status_code == 200
    sim.run_until_idle()
    assert len({decrypted(*post) for post in receiver.posts}) == 1
    assert len(receiver.posts) == 2
    assert api.control("POST", "callbacks", {"repeat": 99}).status_code == 404


def test_text_that_ends_a_cdata_section_stays_whole(sim: Simulator, receiver: Receiver):
    sim.act("zhang", "message", text="a]]>b<c>&")
    sim.run_until_idle()
    assert "<![CDATA[a]]]]><![CDATA[>b<c>&]]>" in decrypted(*receiver.posts[0])


def test_without_a_callback_address_events_are_only_recorded(clock: ManualClock):
    sim = Simulator(SimulatorConfig(), clock, post=Receiver().post)
    sim.act("system", "unknown_event", event="x")
    assert sim.run_until_idle() == 0
    assert sim.callbacks.records[0].lost is True


def test_verification_keeps_an_address_that_echoes(clock: ManualClock):
    crypto = WeChatCrypto(CONFIG.callback_token, CONFIG.callback_aes_key, CONFIG.corp_id)
    limits: list[float] = []

    def get(url: str, timeout_s: float) -> tuple[int, bytes]:
        limits.append(timeout_s)
        query = {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
        names = ("msg_signature", "timestamp", "nonce", "echostr")
        return 200, crypto.check_signature(*(query[name] for name in names)).encode()

    sim = Simulator(SimulatorConfig(), clock, get=get)
    assert sim.verify("http://app.test/wecom/callback")["ok"] is True
    assert sim.callbacks.url == "http://app.test/wecom/callback"
    assert limits == [1.0]


@pytest.mark.parametrize("answer", [(200, b"wrong"), (403, b"")])
def test_verification_refuses_an_address_that_does_not_echo(clock: ManualClock, answer):
    sim = Simulator(SimulatorConfig(), clock, get=lambda *_: answer)
    assert sim.verify("http://app.test/")["errcode"] == 40057
    assert sim.callbacks.url is None


def test_threads_deliver_duplicates_at_the_same_time():
    together = threading.Barrier(4)

    def post(url: str, body: bytes, timeout_s: float) -> int:
        together.wait(timeout=10)
        return 200

    sim = Simulator(CONFIG, SystemClock(), post=post, threads=True)
    try:
        sim.faults.set(callbacks={"duplicates": 3})
        sim.act("system", "unknown_event", event="x")
        together.wait(timeout=10)
    finally:
        sim.stop()
    assert [item.delivered for item in sim.callbacks.records] == [True] * 3
