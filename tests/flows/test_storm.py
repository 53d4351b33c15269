"""A storm of scans while the application is killed again and again; judged from the outside, by the two ledgers.

`STORM_SCANS` and `STORM_KILLS` set the size; `make storm` plays the large one.
"""

import hashlib
import os
import random
import sqlite3
import threading
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.flows.processes import Application, bearer, settings_of
from wecom_app.clock import SystemClock
from wecom_app.simulator.config import SimulatorConfig
from wecom_app.simulator.server import Simulator

pytestmark = pytest.mark.slow
SCANS = int(os.environ.get("STORM_SCANS", "150"))
KILLS = int(os.environ.get("STORM_KILLS", "3"))
RETRY_S = 5.0
"""WeCom does not publish its pause between tries; this one lets a restarted application be there again."""
PATIENCE_S = 60 + SCANS
"""How long to wait before calling it a hang; never reached by a healthy run."""


class Ledger:
    """What the application acknowledged, as the sender saw it."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self.count = 0

    def post(self, url: str, body: bytes, timeout_s: float) -> int:
        try:
            answer = requests.post(url, data=body, timeout=timeout_s)
        except requests.RequestException:
            return 0
        if answer.status_code == 200:
            with self._changed:
                self.count += 1
                self._changed.notify_all()
        return answer.status_code

    def wait_for(self, count: int) -> None:
        with self._changed:
            assert self._changed.wait_for(lambda: self.count >= count, PATIENCE_S)


def make_code(application: Application) -> str:
    headers = bearer(application.run("api-key", "create", "storm", "--scope", "read", "--scope", "write"))
    group = {"name": "兴趣", "dimension": "behaviour", "tags": [{"name": "护肤"}, {"name": "母婴"}]}
    made = requests.post(f"{application.url}/api/v1/tag-groups", json=group, headers=headers, timeout=10).json()
    channel = {
        "name": "海报",
        "source": "门店",
        "staff": ["zhang"],
        "tags": [tag["key"] for tag in made["tags"]],
        "welcome": {"text": "{customer_name}您好"},
    }
    answer = requests.post(f"{application.url}/api/v1/channels", json=channel, headers=headers, timeout=10).json()
    return str(answer["config_id"])


def wait_until_idle(simulator: Simulator, database: Path) -> None:
    """Wait for the jobs that are due; each look is paced by the application's own answer to a scrape."""
    query = "SELECT count(*) FROM job WHERE state IN ('waiting', 'running', 'retrying') AND run_at <= ?"
    idle = threading.Event()
    for _ in range(PATIENCE_S * 4):
        connection = sqlite3.connect(database)
        waiting = connection.execute(query, (SystemClock().now().timestamp() * 1e6,)).fetchone()[0]
        connection.close()
        if waiting == 0 and simulator.callbacks.waiting() == 0:
            return
        idle.wait(0.25)
    raise AssertionError("the application did not come to rest")


def test_a_storm_with_kills_loses_nothing_that_was_acknowledged(tmp_path: Path) -> None:
    ledger = Ledger()
    application = Application({}, tmp_path)
    config = SimulatorConfig(callback_url=f"{application.url}/wecom/callback", callback_retry_s=RETRY_S)
    simulator = Simulator(config, SystemClock(), post=ledger.post, threads=True)
    simulator.world.add_member("zhang", "张伟")
    with simulator.listen() as server:
        application = Application(settings_of(config, tmp_path, server.url), tmp_path, port=application.port)
        application.start()
        try:
            config_id = make_code(application)
            for kill in range(KILLS):
                for number in range(SCANS // KILLS):
                    simulator.scan(config_id, name=f"客户{kill}-{number}")
                ledger.wait_for((kill * SCANS + random.Random(kill).randrange(SCANS)) // KILLS)
                application.kill()
                application.start()
            wait_until_idle(simulator, tmp_path / "app.db")
            judge(simulator, tmp_path / "app.db")
        finally:
            application.kill()
            simulator.stop()


def judge(simulator: Simulator, database: Path) -> None:
    """Compare what was acknowledged, what is stored, and what stands at WeCom."""
    connection = sqlite3.connect(database)
    stored = {row[0] for row in connection.execute("SELECT digest FROM inbox_event")}
    wanted: dict[str, set[str]] = {}
    query = (
        "SELECT c.external_userid, t.name FROM customer_tag ct JOIN customer c ON c.id = ct.customer_id "
        "JOIN tag t ON t.id = ct.tag_id WHERE ct.relation_id = 0 AND ct.wanted"
    )
    for external_userid, tag in connection.execute(query):
        wanted.setdefault(external_userid, set()).add(tag)
    dead = connection.execute("SELECT kind, last_error FROM job WHERE state = 'dead'").fetchall()
    connection.close()
    delivered: list[Any] = [record for record in simulator.callbacks.records if record.delivered]
    digests = {hashlib.sha256(record.event.plaintext.encode()).hexdigest() for record in delivered}
    assert digests <= stored
    assert dead == []
    standing = {
        relation.external_userid: {tag.name for tag in simulator.world.tags_of(relation)}
        for relation in simulator.world.customers.relations()
    }
    assert all(tags == {"护肤", "母婴"} for tags in wanted.values())
    assert {name: standing[name] for name in wanted} == wanted
    answered = simulator.calls.of("externalcontact/send_welcome_msg")
    sent = [welcome for welcome in simulator.world.welcomes if welcome.sent_at is not None]
    assert sum(call.errcode == 0 for call in answered) == len(sent) <= SCANS
    assert max(Counter(welcome.external_userid for welcome in sent).values()) == 1
