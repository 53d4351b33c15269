"""How long does a rep wait for a profile among 100,000 customers, alone and while another process writes?

    python -m benchmarks.profile [customers]

Asks the application for the sidebar's fragment as a browser does, one after another, on SQLite. Goals: 95th
percentile below 30 ms alone; beside a writer that commits batches of 100 rows without a pause at most three times
that, and below 150 ms. Then edits tags with WeCom out of reach: answered within 300 ms.
"""

import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from flask.testing import FlaskClient
from sqlalchemy import text

from benchmarks import crowd
from benchmarks.stage import ROOT, quantile, settings_for
from wecom_app.bootstrap import build_runtime
from wecom_app.clock import SystemClock
from wecom_app.config import load_settings
from wecom_app.db import Database
from wecom_app.services import sessions
from wecom_app.services.runtime import Runtime
from wecom_app.web import create_web
from wecom_app.web.session import csrf_token

ASKED, WARM_UP, EDITED = 400, 20, 100
MOST_ALONE_MS, MOST_BESIDE_MS, MOST_TIMES, MOST_EDIT_MS = 30.0, 150.0, 3.0, 300.0
BATCH = 100
NOWHERE = 9
"""A port that nothing listens on: WeCom is out of reach."""


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    with tempfile.TemporaryDirectory() as name:
        runtime = build_runtime(load_settings(settings_for(NOWHERE, NOWHERE, Path(name))), threads=False)
        began = time.monotonic()
        crowd.fill(runtime.database, count, runtime.clock.now())
        print(f"{count} customers made in {time.monotonic() - began:.1f} s")
        good = measure(runtime, count, runtime.settings.database_url)
        runtime.stop()
    sys.exit(0 if good else 1)


def measure(runtime: Runtime, count: int, database_url: str) -> bool:
    """Print the figures of one run; return whether they reach the goals."""
    client, proof = sign_in(runtime)
    whom = crowd.customers_of(1, count)
    cpu = time.process_time()
    alone = p95(lambda: fragment(client, whom))
    cpu = (time.process_time() - cpu) / (ASKED + WARM_UP) * 1000
    with a_writer(database_url):
        beside = p95(lambda: fragment(client, whom))
    print(
        f"profile fragment p95 {alone:.1f} ms alone (goal {MOST_ALONE_MS:.0f}), {beside:.1f} ms beside a writer "
        f"({beside / alone:.1f} times, goal {MOST_TIMES:.0f}, and {MOST_BESIDE_MS:.0f} ms); "
        f"it costs {cpu:.1f} ms of one core"
    )
    fresh = iter(random.sample(whom, EDITED + WARM_UP))
    edit = p95(lambda: change(client, proof, next(fresh)), EDITED)
    print(f"edit of tags with WeCom out of reach p95 {edit:.1f} ms (goal {MOST_EDIT_MS:.0f})")
    in_time = alone < MOST_ALONE_MS and beside < min(MOST_BESIDE_MS, MOST_TIMES * alone)
    return in_time and edit < MOST_EDIT_MS


def sign_in(runtime: Runtime) -> tuple[FlaskClient, str]:
    """Return the browser of staff1, and the proof that its pages carry."""
    with runtime.write() as session:
        token = sessions.start(session, runtime.clock.now(), staff_id=1)
    web = create_web(runtime)
    client = web.test_client()
    client.set_cookie("session", token)
    with web.test_request_context("/", headers={"Cookie": f"session={token}"}):
        return client, csrf_token()


def p95(act: Callable[[], None], times: int = ASKED) -> float:
    """Return the 95th percentile, in milliseconds, after a few that do not count."""
    for _ in range(WARM_UP):
        act()
    took = []
    for _ in range(times):
        began = time.perf_counter()
        act()
        took.append((time.perf_counter() - began) * 1000)
    return quantile(took, 0.95)


def fragment(client: FlaskClient, whom: list[str]) -> None:
    answer = client.get(f"/sidebar/customers/{random.choice(whom)}")
    assert answer.status_code == 200, answer.status
    assert "标签".encode() in answer.data


def change(client: FlaskClient, proof: str, customer: str) -> None:
    """Put a tag on a customer who has not been edited yet."""
    answer = client.post(
        f"/sidebar/customers/{customer}/tags",
        json={"add": ["g1.t1"], "remove": [], "version": crowd.HELD},
        headers={"Origin": f"http://127.0.0.1:{NOWHERE}", "X-CSRF-Token": proof, "Accept": "application/json"},
    )
    assert answer.status_code == 200, answer.get_data(as_text=True)


@contextmanager
def a_writer(database_url: str) -> Iterator[None]:
    """Let another process commit batches without a pause."""
    command = [sys.executable, "-c", f"from benchmarks.profile import write; write({database_url!r})"]
    writer = subprocess.Popen(command, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)})
    try:
        time.sleep(1.5)
        yield
        assert writer.poll() is None, "the writer has ended"
    finally:
        writer.terminate()
        writer.wait()


def write(database_url: str) -> None:
    """Commit 100 rows, again and again, until the process is ended."""
    database, clock = Database(database_url), SystemClock()
    rows = [{"customer": number, "tag": number % crowd.TAGS + 1} for number in range(1, BATCH + 1)]
    while True:
        at = int(clock.now().timestamp() * 1_000_000)
        with database.write() as session:
            session.execute(
                text(
                    "INSERT INTO tag_event (change_set_id, customer_id, tag_id, relation_id, op, at)"
                    f" VALUES (1, :customer, :tag, 0, 'add', {at})"
                ),
                rows,
            )


if __name__ == "__main__":
    main()
