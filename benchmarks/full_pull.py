"""How long does a full pull take beside what WeCom's answers alone must take, upsert included, and in how much memory?

    python -m benchmarks.full_pull                            # 100 members of 200 customers
    python -m benchmarks.full_pull --members 1000 --each 500  # the goal's size: about two minutes twice

Goal: at most 1.3 times (pages × latency ÷ 8 in flight), below 350 MB. The far side is a bare server of pages in a
process of its own: the simulator would spend more time on making half a million customers than the pull on reading
them. Two pulls are made: of customers whom nobody knows yet, and of the same again, who are all known.
"""

import argparse
import json
import multiprocessing
import os
import sys
import tempfile
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import urlsplit

from sqlalchemy import update

from wecom_app.bootstrap import build_runtime, prepare_database
from wecom_app.clock import SystemClock
from wecom_app.config import load_settings
from wecom_app.db import Database
from wecom_app.models import Deployment
from wecom_app.services import runs
from wecom_app.services.runtime import Runtime
from wecom_app.simulator.config import SimulatorConfig

LATENCY_S, IN_FLIGHT, PAGE = 0.1, 8, 100
MOST_TIMES, MOST_MB = 1.3, 350.0
CREATED = 1_600_000_000
TAG_IDS = [f"et{number}" for number in range(20)]


class Far(BaseHTTPRequestHandler):
    """WeCom, as far as a full pull sees it."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    members: ClassVar[int] = 0
    each: ClassVar[int] = 0
    tagged: ClassVar[float] = 0.0

    def log_message(self, *_arguments: Any) -> None:
        pass

    def do_GET(self) -> None:
        self._answer({})

    def do_POST(self) -> None:
        self._answer(json.loads(self.rfile.read(int(self.headers.get("Content-Length", 0))) or b"{}"))

    def _answer(self, body: dict[str, Any]) -> None:
        path = urlsplit(self.path).path.removeprefix("/cgi-bin/")
        if path == "externalcontact/batch/get_by_user":
            time.sleep(LATENCY_S)
        text = json.dumps({"errcode": 0, "errmsg": "ok", **self._found(path, body)}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def _found(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        answer = getattr(self, f"_{path.split('/')[-1]}", None)
        return answer(body) if answer is not None else {"department": [], "userlist": []}

    def _gettoken(self, _body: Any) -> dict[str, Any]:
        return {"access_token": "token", "expires_in": 7200}

    def _get_follow_user_list(self, _body: Any) -> dict[str, Any]:
        return {"follow_user": [f"member{number}" for number in range(self.members)]}

    def _get_corp_tag_list(self, _body: Any) -> dict[str, Any]:
        tags = [{"id": tag_id, "name": tag_id, "order": 0, "create_time": CREATED} for tag_id in TAG_IDS]
        group = {"group_id": "g1", "group_name": "标签", "order": 0, "create_time": CREATED, "tag": tags}
        return {"tag_group": [group]}

    def _get_by_user(self, body: Any) -> dict[str, Any]:
        start = int(body.get("cursor") or 0)
        total = len(body["userid_list"]) * self.each
        places = range(start, min(start + PAGE, total))
        following = str(places.stop) if places.stop < total else ""
        found = [self._contact(body["userid_list"][place // self.each], place % self.each) for place in places]
        return {"external_contact_list": found, "next_cursor": following}

    def _contact(self, userid: str, number: int) -> dict[str, Any]:
        is_tagged = number < self.tagged * self.each
        return {
            "external_contact": {
                "external_userid": f"wm_{userid}_{number:06}",
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
                "tag_id": [TAG_IDS[number % len(TAG_IDS)]] if is_tagged else [],
                "add_way": 1,
            },
        }


def serve(address: Any, members: int, each: int, tagged: float) -> None:
    """Answer until the process is ended."""
    Far.members, Far.each, Far.tagged = members, each, tagged
    server = ThreadingHTTPServer(("127.0.0.1", 0), Far)
    server.daemon_threads = True
    address.put(server.server_address[1])
    server.serve_forever()


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


def pull(runtime: Runtime) -> tuple[float, int]:
    """Make a full pull; return the seconds that its pages took, and their number."""
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
    return took, view.counts["pages"]


def cpu_s() -> float:
    """Return the processor time that this process has used."""
    used = os.times()
    return used.user + used.system


def peak_mb() -> float:
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--members", type=int, default=100)
    parser.add_argument("--each", type=int, default=200)
    parser.add_argument("--tagged", type=float, default=0.0, help="share of customers who have a tag at WeCom already")
    given = parser.parse_args()
    address: Any = multiprocessing.Queue()
    arguments = (address, given.members, given.each, given.tagged)
    far = multiprocessing.Process(target=serve, args=arguments, daemon=True)
    far.start()
    ratios = []
    with tempfile.TemporaryDirectory() as folder:
        runtime = open_runtime(folder, address.get(timeout=10))
        with runtime.write() as session:
            session.execute(update(Deployment).values(created_at=runtime.clock.now()))
        runtime.start()
        for name in ("new", "known"):
            used = cpu_s()
            took, pages = pull(runtime)
            least = pages * LATENCY_S / IN_FLIGHT
            ratios.append(took / least)
            each_ms = (cpu_s() - used) / pages * 1000
            print(
                f"full pull, customers {name}: {pages} pages in {took:.1f} s, {took / least:.2f} times {least:.1f} s; "
                f"{each_ms:.0f} ms of processor a page"
            )
        runtime.stop()
    far.terminate()
    memory = peak_mb()
    print(f"at most {memory:.0f} MB (goal {MOST_MB:.0f}); goal {MOST_TIMES} times")
    sys.exit(0 if max(ratios) <= MOST_TIMES and memory <= MOST_MB else 1)


if __name__ == "__main__":
    main()
