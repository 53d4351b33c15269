"""How long does a member wait for the first page of his customers: 2,000 among 100,000?

    python -m benchmarks.my_customers [customers]

Asks the application as a browser does, one after another, on SQLite. Goal: 95th percentile of the list's first page
below 50 ms. The other parts of the page are given as multiples of it, from the same run; so is a profile.
"""

import sys
import tempfile
import time
from pathlib import Path
from urllib.parse import quote

from flask.testing import FlaskClient

from benchmarks import crowd
from benchmarks.profile import NOWHERE, fragment, p95, sign_in
from benchmarks.stage import settings_for
from wecom_app.bootstrap import build_runtime
from wecom_app.config import load_settings

GOAL_MS = 50.0
ASKED_OF_OTHERS = 100
PARTS = {
    "searched by a number in the name": f"/sidebar/mine/list?q={quote('客户 99')}",
    "searched by initials": "/sidebar/mine/list?q=kh9",
    "with one of three tags": "/sidebar/mine/list?tag=g1.t1&tag=g2.t5&tag=g3.t9",
    "without these tags": "/sidebar/mine/list?tag=g1.t1&tag=g2.t5&tag=g3.t9&mode=none",
    "the longest without a note first": "/sidebar/mine/list?sort=quiet",
    "whom to care for today": "/sidebar/mine/today",
    "the filters": "/sidebar/mine/filters",
}


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    with tempfile.TemporaryDirectory() as name:
        runtime = build_runtime(load_settings(settings_for(NOWHERE, NOWHERE, Path(name))), threads=False)
        crowd.fill(runtime.database, count, runtime.clock.now())
        client, _ = sign_in(runtime)
        good = measure(client, count)
        runtime.stop()
    sys.exit(0 if good else 1)


def measure(client: FlaskClient, count: int) -> bool:
    """Print the figures of one run; return whether they reach the goal."""
    cpu = time.process_time()
    first = p95(lambda: page(client, "/sidebar/mine/list"))
    cpu = time.process_time() - cpu
    whom = crowd.customers_of(1, count)
    profile = p95(lambda: fragment(client, whom), ASKED_OF_OTHERS)
    total = client.get("/sidebar/mine/list").get_data(as_text=True).split('data-total="')[1].split('"')[0]
    print(
        f"first page of {total} customers among {count}: p95 {first:.1f} ms (goal {GOAL_MS:.0f}), "
        f"{first / profile:.1f} times a profile; it costs {cpu / 420 * 1000:.1f} ms of one core"
    )
    for words, path in PARTS.items():
        print(f"{words}: {p95(lambda path=path: page(client, path), ASKED_OF_OTHERS) / first:.1f} times the first page")
    return first < GOAL_MS


def page(client: FlaskClient, path: str) -> None:
    answer = client.get(path)
    assert answer.status_code == 200, answer.status


if __name__ == "__main__":
    main()
