"""How many calls do 10,000 changed tags cost, how fast do they reach WeCom, and what does a rep notice meanwhile?

    python -m benchmarks.push                # 500 relations × 4 tags among 20,000 customers
    FULL=1 python -m benchmarks.push         # 2,500 relations × 4 tags among 100,000 customers
    python -m benchmarks.push --together     # web pages and jobs in one process, as `serve` alone runs them

By default `serve --no-worker` and one `worker` share the two cores, as the guide advises for more than a hand of
reps. Goals: one mark_tag per relation; nothing refused, and no more calls a minute than our limiter allows; the
sidebar's 95th percentile during the push, and during a full pull of everybody, at most three times what it is alone
and below 150 ms.
"""

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from random import choice

import requests
from sqlalchemy import func, select, text

from benchmarks import crowd, far
from benchmarks.far_crowd import FarCrowd, friendships_of
from benchmarks.full_pull import IN_FLIGHT, LATENCY_S, PAGES
from benchmarks.stage import COMMAND, ROOT, free_port, quantile, settings_for, wait_ready
from wecom_app.adapters.wecom.limits import Limits
from wecom_app.bootstrap import open_store, prepare_database
from wecom_app.clock import SystemClock
from wecom_app.config import load_settings
from wecom_app.db import Database
from wecom_app.domain.tagging import Source
from wecom_app.domain.vocabulary import SourceKind
from wecom_app.models import TagOperation
from wecom_app.services import cells, runs, sessions, tagging
from wecom_app.services.history import Act
from wecom_app.services.runtime import Store
from wecom_app.services.tagging import TagChange

MARK, GET = "externalcontact/mark_tag", "externalcontact/get"
MARK_S, GET_S = 0.05, 0.02
MOST_TIMES, MOST_MS = 3.0, 150.0
ASKED_EVERY_S, ALONE = 0.05, 200
"""The sidebar is asked twenty times a second: as a hundred busy reps would."""
BATCH = 50
EACH = 4
SMALL, FULL = (500, 20_000), (2_500, 100_000)


@dataclass(frozen=True)
class Scene:
    """What plays: the database, the web pages as a signed-in browser sees them, and WeCom's side."""

    store: Store
    browser: requests.Session
    address: str
    far_port: int
    customers: int

    def fragment_ms(self, whom: list[str]) -> float:
        began = time.perf_counter()
        answer = self.browser.get(f"{self.address}/sidebar/customers/{choice(whom)}", timeout=30)
        assert answer.status_code == 200, answer.status_code
        return (time.perf_counter() - began) * 1000

    def watch(self, is_over: Callable[[int], bool]) -> float:
        """Ask for profiles at a steady pace until it is over; return the 95th percentile in milliseconds."""
        whom, took = crowd.customers_of(1, self.customers), list[float]()
        following = time.monotonic()
        while not is_over(len(took)):
            took.append(self.fragment_ms(whom))
            following = max(following + ASKED_EVERY_S, time.monotonic())
            time.sleep(max(0.0, following - time.monotonic()))
        return quantile(took, 0.95)

    def open_operations(self) -> int:
        with self.store.read() as session:
            return session.scalar(select(func.count()).select_from(TagOperation).where(cells.IS_OPEN)) or 0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--together", action="store_true", help="run jobs in the process of the web pages")
    given = parser.parse_args()
    relations, customers = FULL if os.environ.get("FULL") else SMALL
    with scene(customers, together=given.together) as played:
        played.watch(lambda asked: asked >= ALONE // 4)
        alone = played.watch(lambda asked: asked >= ALONE)
        print(f"sidebar's profile p95 alone {alone:.1f} ms ({customers} customers, load {os.getloadavg()[0]:.1f})")
        good = [push(played, relations, alone), pull(played, alone)]
    sys.exit(0 if all(good) else 1)


def push(played: Scene, relations: int, alone: float) -> bool:
    """Change four tags of so many relations, and print how they reached WeCom; return whether that was as it should."""
    began = time.monotonic()
    whom = [number for number in range(1, played.customers + 1) if len(friendships_of(number)) == 1][:relations]
    for first in range(0, len(whom), BATCH):
        change(played.store, whom[first : first + BATCH])
    p95 = played.watch(lambda _asked: not played.open_operations())
    took = time.monotonic() - began
    counted = far.calls(played.far_port)
    marks, most = counted[MARK], Limits().ceiling("minute", urgent=False)
    print(
        f"push of {relations * EACH} changed cells: {marks['calls']} mark_tag for {relations} relations"
        f" in {took:.1f} s, {marks['calls'] / took:.0f} a second; at most {marks['most_at_once']} at once and"
        f" {marks['most_a_minute']} a minute (ours: {Limits().marks} and {most}),"
        f" {sum(of['refused'] for of in counted.values())} calls refused"
    )
    is_held_back = all(of["most_a_minute"] <= most and not of["refused"] for of in counted.values())
    is_held_back = is_held_back and marks["most_at_once"] <= Limits().marks
    return marks["calls"] == relations and is_held_back and is_smooth("the push", p95, alone)


def change(store: Store, whom: list[int]) -> None:
    """Put two tags on each of these customers, and take off two of those that he has."""
    changes = [
        TagChange(number, (number + step) % crowd.TAGS + 1, add, Source(SourceKind.MANUAL, actor="staff1"))
        for number in whom
        for step, add in ((1, True), (2, True), (5, False), (10, False))
    ]
    with store.write() as session:
        act = Act("staff", actor_ref="staff1", reason="批量修改")
        tagging.apply(session, changes, act, queue=store.queue, now=store.clock.now())


def pull(played: Scene, alone: float) -> bool:
    """Pull everybody, who all are known and at rest; return whether the sidebar stayed quick."""
    store, began = played.store, time.monotonic()
    with store.write() as session:
        run_id = runs.start_pull(session, store.queue, "benchmark", store.clock.now()).id

    def is_over(_asked: int) -> bool:
        with store.read() as session:
            return runs.get_run(session, run_id, store.clock.now()).state not in ("queued", "running")

    p95 = played.watch(is_over)
    took = time.monotonic() - began
    with store.read() as session:
        found = runs.get_run(session, run_id, store.clock.now())
    pages, least = found.counts["pages"], found.counts["pages"] * LATENCY_S / IN_FLIGHT
    print(
        f"full pull of {found.counts['contacts']} friendships with {crowd.HELD} tags each: {found.state},"
        f" {pages} pages in {took:.1f} s, {took / least:.2f} times {least:.1f} s; drift {dict(found.drift)}"
    )
    return found.state == "done" and found.drift["found"] == 0 and is_smooth("the pull", p95, alone)


def is_smooth(during: str, p95: float, alone: float) -> bool:
    print(
        f"sidebar's profile p95 during {during} {p95:.1f} ms, {p95 / alone:.1f} times (goals {MOST_TIMES:.0f} times"
        f" and {MOST_MS:.0f} ms; load {os.getloadavg()[0]:.1f})"
    )
    return p95 <= MOST_TIMES * alone and p95 < MOST_MS


@contextmanager
def scene(customers: int, *, together: bool) -> Iterator[Scene]:
    """Start both sides on a database of so many customers, at rest with WeCom."""
    now, app_port = SystemClock().now().replace(microsecond=0), free_port()
    world = {"customers": customers, "now": int(now.timestamp())}
    world["latencies"] = {PAGES: LATENCY_S, MARK: MARK_S, GET: GET_S}
    with far.running(FarCrowd, **world) as far_port, tempfile.TemporaryDirectory() as name:
        environment = settings_for(app_port, far_port, Path(name))
        settings = load_settings(environment)
        database = Database(settings.database_url)
        prepare_database(database, SystemClock())
        crowd.fill(database, customers, now)
        with database.write() as session:
            # The crowd's rows were numbered up to 2 without drawing.
            session.execute(text("UPDATE counter SET value = 100"))
        database.close()
        commands = [["serve", "--port", str(app_port), *([] if together else ["--no-worker"])]]
        commands += [] if together else [["worker"]]
        with processes(commands, environment, Path(name)):
            wait_ready(f"http://127.0.0.1:{app_port}/readyz")
            store = open_store(settings)
            yield Scene(store, sign_in(store), f"http://127.0.0.1:{app_port}", far_port, customers)
            store.database.close()


@contextmanager
def processes(commands: list[list[str]], environment: dict[str, str], folder: Path) -> Iterator[None]:
    env = {**os.environ, "PYTHONPATH": str(ROOT), **environment}
    with (folder / "log").open("ab") as log:
        started = [subprocess.Popen([*COMMAND, *one], cwd=folder, env=env, stdout=log, stderr=log) for one in commands]
        try:
            yield
        finally:
            for process in started:
                process.send_signal(signal.SIGTERM)
            for process in started:
                process.wait(timeout=30)


def sign_in(store: Store) -> requests.Session:
    """Return the browser of staff1."""
    with store.write() as session:
        token = sessions.start(session, store.clock.now(), staff_id=1)
    browser = requests.Session()
    browser.headers["Cookie"] = f"session={token}"
    return browser


if __name__ == "__main__":
    main()
