"""What every act of the story works with, and the two waits: for some customers, and for everything."""

from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from wecom_app.clock import Clock
from wecom_app.demo.cast import ChannelPlan, Played, Scan
from wecom_app.demo.sides import Application, Corp
from wecom_app.demo.telling import Teller
from wecom_app.demo.waiting import Waiter

Json = dict[str, Any]
BURST = 8
"""Customers who scan at the same moment."""
ARRIVAL_S = 20.0
SETTLE_S = 60.0
LOOKED_AT = ("waiting", "running", "retrying", "running")
"""In this order no job slips from one list to another unseen: only `retrying` can turn back into `running`."""


@dataclass(frozen=True)
class Stage:
    app: Application
    corp: Corp
    tell: Teller
    waiter: Waiter
    clock: Clock
    played: Played
    codes: dict[str, str] = field(default_factory=dict)
    """config_id by channel name."""

    def scan(self, plan: ChannelPlan, name: str, external_userid: str | None = None) -> Scan:
        """Let one customer scan a live code."""
        answer = self.corp.scan(self.codes[plan.name], name, external_userid)
        made = Scan(answer["external_userid"], answer["name"], answer["userid"], plan, answer["welcome_code"])
        self.played.scans.append(made)
        return made

    def scan_at_once(self, plan: ChannelPlan, names: Sequence[str]) -> list[Scan]:
        """Let several customers scan the same code, up to eight at a time."""
        with ThreadPoolExecutor(BURST) as phones:
            return list(phones.map(lambda name: self.scan(plan, name), names))

    def wait_for(self, scans: Iterable[Scan]) -> None:
        """Wait until these customers have their tags on both sides and their welcome messages."""
        expected = list(scans)
        self.waiter.until_done(lambda: self._missing(expected), ARRIVAL_S)

    def wait_for_callbacks(self) -> None:
        """Wait until WeCom has nothing more to push."""
        self.waiter.until_done(self._undelivered, ARRIVAL_S)

    def wait_for_everything(self, *, with_retries: bool = True) -> float:
        """Wait until no callback and no job is left; return the seconds that took.

        Without retries, a job that waits for its next try does not count as left.
        """
        states = LOOKED_AT if with_retries else tuple(state for state in LOOKED_AT if state != "retrying")
        return self.waiter.until_done(lambda: self._undelivered() or self._work_left(states), SETTLE_S)

    def _missing(self, scans: Sequence[Scan]) -> str | None:
        customers = {item["external_userid"]: item for item in self.app.customers()}
        welcomes = {item["welcome_code"]: item for item in self.corp.state("welcomes")["welcomes"]}
        missing = [
            scan.name
            for scan in scans
            if not has_arrived(customers.get(scan.external_userid), scan) or not welcomes[scan.welcome_code]["sent_at"]
        ]
        return f"在等 {'、'.join(missing[:3])} 等 {len(missing)} 位的标签与欢迎语" if missing else None

    def _undelivered(self) -> str | None:
        callbacks = self.corp.state("callbacks")["callbacks"]
        waiting = [item for item in callbacks if not item["finished"]]
        return f"还有 {len(waiting)} 个回调在路上" if waiting else None

    def _work_left(self, states: Iterable[str]) -> str | None:
        newest = self.app.newest_job()
        for state in states:
            jobs = [job for job in self.app.jobs(state) if self._is_wanted(job)]
            if jobs:
                return f"还有 {len(jobs)} 个任务：{jobs[0]['kind']}（{JOB_WORDS[state]}）"
        return None if self.app.newest_job() == newest else "刚有新任务"

    def _is_wanted(self, job: Json) -> bool:
        """Leave out what was planned for later: the second look at a channel, a minute after its making."""
        planned = job["state"] == "waiting" and datetime.fromisoformat(job["run_at"]) > self.clock.now()
        return not planned


JOB_WORDS = {"waiting": "排队", "running": "执行中", "retrying": "等待重试"}


def has_arrived(customer: Json | None, scan: Scan) -> bool:
    """Return whether our side knows the customer, with tags that stand on this relation at WeCom too."""
    if customer is None or not customer["tags"] or customer["name"] != scan.name:
        return False
    known = any(relation["userid"] == scan.userid for relation in customer["relations"])
    return known and all(
        tag["sync"]["state"] == "synced" and scan.userid in tag["relations"] for tag in customer["tags"]
    )
