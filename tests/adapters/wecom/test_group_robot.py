"""The group robot over the wire: its own limit across processes, a key that stays inside, clear errors."""

import logging

import pytest
import requests

from tests.wsgi_transport import WsgiAdapter
from wecom_app.adapters.wecom.budget import Budget
from wecom_app.adapters.wecom.group_robot import WebhookRobot
from wecom_app.adapters.wecom.limits import Limits
from wecom_app.clock import ManualClock
from wecom_app.config import RobotSettings
from wecom_app.db import Database
from wecom_app.errors import WeComError, WeComMisconfigured, WeComThrottled, WeComUnavailable
from wecom_app.services.metrics import Metrics
from wecom_app.simulator.server import Simulator

KEY = "simulator-robot"
ORIGIN = "http://127.0.0.1:8001"


def robot(simulator: Simulator, database: Database, clock: ManualClock, key: str = KEY) -> WebhookRobot:
    session = requests.Session()
    session.mount(ORIGIN, WsgiAdapter(simulator.wsgi))
    return WebhookRobot(RobotSettings(ORIGIN, key), database, clock, Metrics(), session=session)


def told(simulator: Simulator) -> list[str]:
    return [message.body["markdown"]["content"] for message in simulator.world.mailbox.robot_messages]


def test_a_message_arrives_cut_to_what_the_group_takes(
    simulator: Simulator, database: Database, clock: ManualClock
) -> None:
    robot(simulator, database, clock).send_markdown("长" * 2000)
    assert told(simulator) == ["长" * 1365]


@pytest.mark.both
def test_two_processes_together_send_20_a_minute_and_wecom_never_has_to_refuse(
    simulator: Simulator, database: Database, clock: ManualClock
) -> None:
    processes = [robot(simulator, database, clock) for _ in range(2)]
    for number in range(20):
        processes[number % 2].send_markdown(f"{number}")
    for process in processes:
        with pytest.raises(WeComThrottled) as caught:
            process.send_markdown("too many")
        assert caught.value.retry_after_s
    assert len(simulator.calls.of("webhook/send")) == len(told(simulator)) == 20

    clock.advance(75)
    processes[0].send_markdown("later")
    assert told(simulator)[-1] == "later"


def test_the_robots_limit_is_no_budget_of_the_app(simulator: Simulator, database: Database, clock: ManualClock) -> None:
    robot(simulator, database, clock).send_markdown("您好")
    assert Budget(Limits(), database, clock).read() == []


@pytest.mark.parametrize("errcode", [93000, 93004, 93008])
def test_a_robot_that_is_gone_needs_a_person(
    simulator: Simulator, database: Database, clock: ManualClock, errcode: int
) -> None:
    simulator.faults.add("webhook/send", "errcode", errcode=errcode)
    with pytest.raises(WeComMisconfigured, match="GROUP_ROBOT_URL"):
        robot(simulator, database, clock).send_markdown("您好")


def test_the_key_stays_inside(
    simulator: Simulator, database: Database, clock: ManualClock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    key = "canary-key-of-the-robot"
    dead = WebhookRobot(RobotSettings("http://127.0.0.1:9", key), database, clock, Metrics())
    wrong = robot(simulator, database, clock, key)
    texts = [repr(RobotSettings(ORIGIN, key)), dead.name]
    for one in (dead, wrong):
        with pytest.raises(WeComError) as caught:
            one.send_markdown("您好")
        texts += [str(caught.value), repr(caught.value.details), repr(caught.value.__cause__)]
    with pytest.raises(WeComUnavailable) as unsent:
        dead.send_markdown("您好")
    assert unsent.value.settle_s == 0
    assert key not in "\n".join([*texts, caplog.text])
