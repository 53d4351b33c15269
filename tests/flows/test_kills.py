"""What was answered with `success` is in the database file already, whatever happens to the process next."""

import hashlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.conftest import START
from tests.flows.company import CALLBACK
from tests.flows.processes import Application, settings_of
from wecom_app.clock import ManualClock
from wecom_app.simulator.config import SimulatorConfig
from wecom_app.simulator.server import Simulator

pytestmark = pytest.mark.slow
KILLS = 10


@pytest.fixture
def application(sqlite_template: Path, tmp_path: Path) -> Iterator[Application]:
    started = Application(settings_of(SimulatorConfig(), tmp_path), tmp_path)
    yield started
    started.kill()


def callbacks(count: int) -> list[tuple[str, bytes, str]]:
    """Return signed callbacks as WeCom would send them: query, body, and the message inside."""
    posted: list[tuple[str, bytes]] = []

    def keep(url: str, body: bytes, _timeout_s: float) -> int:
        posted.append((url.partition("?")[2], body))
        return 200

    simulator = Simulator(SimulatorConfig(callback_url=CALLBACK), ManualClock(START), post=keep)
    simulator.world.add_member("zhang", "张伟")
    for number in range(count):
        simulator.act("zhang", "add", name=f"客户{number}")
    simulator.run_until_idle()
    messages = [record.event.plaintext for record in simulator.callbacks.records]
    return [(query, body, message) for (query, body), message in zip(posted, messages, strict=True)]


def test_a_kill_right_after_success_loses_nothing(application: Application, tmp_path: Path) -> None:
    acknowledged: list[str] = []
    for query, body, message in callbacks(KILLS):
        application.start()
        answer: Any = requests.post(f"{application.url}/wecom/callback?{query}", data=body, timeout=5)
        application.kill()
        assert answer.text == "success"
        acknowledged.append(hashlib.sha256(message.encode()).hexdigest())

    with sqlite3.connect(tmp_path / "app.db") as database:
        stored = {row[0] for row in database.execute("SELECT digest FROM inbox_event")}
        jobs = database.execute("SELECT count(*) FROM job WHERE kind = 'event.handle'").fetchone()[0]
    database.close()
    assert set(acknowledged) <= stored
    assert jobs == KILLS
