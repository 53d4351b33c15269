"""How long does a full pull take beside what WeCom's answers alone must take, upsert included, and in how much memory?

    python -m benchmarks.full_pull           # 128 members of 250 customers
    FULL=1 python -m benchmarks.full_pull    # the goal's size, 1,000 of 500: about a minute and a half, twice
    python -m benchmarks.full_pull --tagged 1 --tags 3 --shared 0.2 --changed 0.05

Goal: at most 1.3 times (pages × latency ÷ 8 in flight), below 350 MB. Two pulls are made: of customers whom nobody
knows yet, and of the same again, who are all known; with `--changed` a third, after members gave some of them one tag
more. The second writes no history, whatever the customers bear.
"""

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import requests
from sqlalchemy import update

from benchmarks import far
from benchmarks.far import Far
from wecom_app.bootstrap import build_runtime, prepare_database
from wecom_app.cli.garbage import collect_seldom
from wecom_app.clock import SystemClock
from wecom_app.config import load_settings
from wecom_app.db import Database
from wecom_app.models import Deployment
from wecom_app.services import runs
from wecom_app.services.runtime import Runtime
from wecom_app.simulator.config import SimulatorConfig

LATENCY_S, IN_FLIGHT = 0.1, 8
MOST_TIMES, MOST_MB = 1.3, 350.0
SMALL, FULL = (128, 250), (1000, 500)
"""Members, and customers of each."""
PAGES = "externalcontact/batch/get_by_user"
CREATED = 1_600_000_000
TAG_IDS = [f"et{number}" for number in range(20)]


class Members(Far):
    """WeCom, as far as a full pull sees it."""

    latencies: ClassVar[dict[str, float]] = {PAGES: LATENCY_S}
    members: ClassVar[int] = 0
    each: ClassVar[int] = 0
    tagged: ClassVar[float] = 0.0
    tags: ClassVar[int] = 1
    shared: ClassVar[float] = 0.0
    changed: ClassVar[float] = 0.0
    is_edited: ClassVar[bool] = False

    def edit(self, _body: Any) -> dict[str, Any]:
        """Have members give a tag more to those who are to change; no API of WeCom's."""
        type(self).is_edited = True
        return {}

    def get_follow_user_list(self, _body: Any) -> dict[str, Any]:
        return {"follow_user": [f"member{number}" for number in range(self.members)]}

    def get_corp_tag_list(self, _body: Any) -> dict[str, Any]:
        tags = [{"id": tag_id, "name": tag_id, "order": 0, "create_time": CREATED} for tag_id in TAG_IDS]
        group = {"group_id": "g1", "group_name": "标签", "order": 0, "create_time": CREATED, "tag": tags}
        return {"tag_group": [group]}

    def get_by_user(self, body: Any) -> dict[str, Any]:
        places, following = far.page_of(len(body["userid_list"]) * self.each, body.get("cursor"))
        found = [self._contact(body["userid_list"][place // self.each], place % self.each) for place in places]
        return {"external_contact_list": found, "next_cursor": following}

    def get(self, body: Any) -> dict[str, Any]:
        """Answer for one customer: a pull asks after whoever moved while a page of his was on its way."""
        _, userid, number = body["external_userid"].split("_")
        place = int(userid.removeprefix("member"))
        knowing = [f"member{one}" for one in (place, place + 1) if one < self.members]
        found = [self._contact(one, int(number)) for one in knowing]
        found = [one for one in found if one["external_contact"]["external_userid"] == body["external_userid"]]
        followers = [one["follow_info"] for one in found]
        for one in followers:
            one["tags"] = [{"tag_id": tag_id, "type": 1} for tag_id in one.pop("tag_id")]
        return {"external_contact": found[0]["external_contact"], "follow_user": followers}

    def _contact(self, userid: str, number: int) -> dict[str, Any]:
        return {
            "external_contact": {
                "external_userid": f"wm_{self._first_to_know(userid, number)}_{number:06}",
                "name": f"客户{number}",
                "type": 1,
                "avatar": "https://wx.qlogo.cn/mmhead/0123456789abcdef0123456789abcdef/0",
                "gender": 1,
            },
            "follow_info": {
                "userid": userid,
                "remark": f"备注{number}",
                "description": "",
                "createtime": CREATED + number,
                "tag_id": self._tag_ids(number),
                "add_way": 1,
            },
        }

    def _first_to_know(self, userid: str, number: int) -> str:
        """Return the member whose customer it was first: of two neighbours, the second shares some of the first's."""
        place = int(userid.removeprefix("member"))
        return f"member{place - place % 2}" if number < self.shared * self.each else userid

    def _tag_ids(self, number: int) -> list[str]:
        count = self.tags if number < self.tagged * self.each else 0
        count += self.is_edited and number < self.changed * self.each
        return [TAG_IDS[(number + step) % len(TAG_IDS)] for step in range(count)]


def open_runtime(folder: str, port: int) -> Runtime:
    config = SimulatorConfig()
    settings = load_settings(
        {
            "WECOM_CORP_ID": config.corp_id,
            "WECOM_AGENT_ID": str(config.agent_id),
            "WECOM_SECRET": config.secret,
            "WECOM_CALLBACK_TOKEN": config.callback_token,
            "WECOM_CALLBACK_AES_KEY": config.callback_aes_key,
            "WECOM_API_BASE_URL": f"http://127.0.0.1:{port}",
            "DATABASE_URL": f"sqlite:///{Path(folder) / 'pull.db'}",
            "SECRET_KEY": "only-for-a-measurement-of-pulls",
        }
    )
    database = Database(settings.database_url)
    prepare_database(database, SystemClock())
    database.close()
    return build_runtime(settings)


def pull(runtime: Runtime) -> tuple[float, Mapping[str, int]]:
    """Make a full pull; return the seconds that its pages took, and what it counted."""
    began = time.monotonic()
    with runtime.write() as session:
        run_id = runs.start_pull(session, runtime.queue, "benchmark", runtime.clock.now()).id
    while True:
        with runtime.read() as session:
            view = runs.get_run(session, run_id, runtime.clock.now())
        if view.state not in ("queued", "running") or view.phase not in ("start", "pages"):
            break
        time.sleep(0.1)
    took = time.monotonic() - began
    while view.state == "running":
        time.sleep(0.1)
        with runtime.read() as session:
            view = runs.get_run(session, run_id, runtime.clock.now())
    if view.state != "done":
        raise SystemExit(f"the pull ended {view.state}: {view.reason} {view.guard}")
    return took, view.counts


def cpu_s() -> float:
    """Return the processor time that this process has used."""
    used = os.times()
    return used.user + used.system


def peak_mb() -> float:
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM"))


def main() -> None:
    members, each = FULL if os.environ.get("FULL") else SMALL
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--members", type=int, default=members)
    parser.add_argument("--each", type=int, default=each)
    parser.add_argument("--tagged", type=float, default=0.0, help="share of customers who have a tag at WeCom already")
    parser.add_argument("--tags", type=int, default=1, help="tags of each of them")
    parser.add_argument("--shared", type=float, default=0.0, help="share of customers whom two members know")
    parser.add_argument("--changed", type=float, default=0.0, help="share who get a tag more before a third pull")
    given = parser.parse_args()
    world = vars(given)
    with far.running(Members, **world) as port, tempfile.TemporaryDirectory() as folder:
        runtime = open_runtime(folder, port)
        with runtime.write() as session:
            session.execute(update(Deployment).values(created_at=runtime.clock.now()))
        runtime.start()
        collect_seldom()
        ratios = [measure(runtime, name) for name in ("new", "known")]
        if given.changed:
            requests.post(f"http://127.0.0.1:{port}/edit", json={}, timeout=10).raise_for_status()
            ratios.append(measure(runtime, "changed"))
        runtime.stop()
        refused = far.calls(port)[PAGES]["refused"]
    memory = peak_mb()
    print(f"at most {memory:.0f} MB (goal {MOST_MB:.0f}); goal {MOST_TIMES} times; {refused} calls refused")
    sys.exit(0 if max(ratios) <= MOST_TIMES and memory <= MOST_MB and not refused else 1)


def measure(runtime: Runtime, name: str) -> float:
    """Print the figures of one pull; return how many times the least time it took."""
    used = cpu_s()
    took, counts = pull(runtime)
    pages = counts["pages"]
    least = pages * LATENCY_S / IN_FLIGHT
    each_ms = (cpu_s() - used) / pages * 1000
    print(
        f"full pull, customers {name}: {pages} pages in {took:.1f} s, {took / least:.2f} times {least:.1f} s; "
        f"{each_ms:.1f} ms of processor a page (load {os.getloadavg()[0]:.1f}); "
        f"{counts.get('adopted', 0)} tags taken over, {counts.get('asked', 0)} customers asked after alone"
    )
    return took / least


if __name__ == "__main__":
    main()
