"""The stage that the benchmarks play on: simulator and application as processes on loopback, and figures as ratios."""

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import requests

from wecom_app.simulator.config import SimulatorConfig

COMMAND = [sys.executable, "-c", "from wecom_app.cli import main; main()"]
POLL_S = 0.1
"""How often `wait` asks; asking costs the simulator time that it shares with the application."""
ROOT = Path(__file__).resolve().parent.parent


@dataclass
class Stage:
    """Both sides, running; `app` and `simulator` are their addresses."""

    app: str
    simulator: str
    headers: dict[str, str]
    app_pid: int
    simulator_pid: int
    settings: dict[str, str]
    worker_pid: int | None = None
    """The process that runs the jobs, where the application does not."""
    _session: requests.Session = field(default_factory=requests.Session)
    """Keeps its connections: a handshake per request would cost both sides more than the request."""

    def get(self, path: str) -> Any:
        return self._session.get(f"{self.app}/api/v1{path}", headers=self.headers, timeout=30).json()

    def post(self, path: str, body: Any) -> Any:
        answer = self._session.post(f"{self.app}/api/v1{path}", json=body, headers=self.headers, timeout=30)
        answer.raise_for_status()
        return answer.json()

    def control(self, method: str, path: str, body: Any = None) -> Any:
        answer = self._session.request(method, f"{self.simulator}/_simulator{path}", json=body, timeout=60)
        answer.raise_for_status()
        return answer.json()

    def wait(self, done: Callable[[], bool], limit_s: float) -> float:
        """Return the seconds until `done`; raise TimeoutError after `limit_s`."""
        began = time.monotonic()
        while not done():
            if time.monotonic() - began > limit_s:
                raise TimeoutError
            time.sleep(POLL_S)
        return time.monotonic() - began

    def cpu_s(self) -> dict[str, float]:
        """Return the processor time that each side has used, and this program."""
        used = os.times()
        worker = {} if self.worker_pid is None else {"worker": _cpu_s(self.worker_pid)}
        return {
            "application": _cpu_s(self.app_pid),
            **worker,
            "simulator": _cpu_s(self.simulator_pid),
            "benchmark": used.user + used.system,
        }

    def rss_mb(self) -> float:
        """Return the application's resident memory."""
        for line in Path(f"/proc/{self.app_pid}/status").read_text().splitlines():
            if line.startswith("VmRSS"):
                return int(line.split()[1]) / 1024
        raise RuntimeError("no VmRSS")


@contextmanager
def stage(*, worker: bool = False, **environment: str) -> Iterator[Stage]:
    """Start both sides on free ports and a fresh SQLite database; stop them at the end.

    With `worker` a process of its own runs the jobs.
    """
    app_port, simulator_port = free_port(), free_port()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        settings = settings_for(app_port, simulator_port, folder) | environment
        env = {**os.environ, "PYTHONPATH": str(ROOT), **settings}
        callback = f"http://127.0.0.1:{app_port}/wecom/callback"
        commands = [
            ["simulate", "--port", str(simulator_port), "--callback-url", callback],
            ["serve", "--port", str(app_port), *(["--no-worker"] if worker else [])],
        ]
        processes = [_start(command, env, folder) for command in commands]
        try:
            wait_ready(f"http://127.0.0.1:{app_port}/healthz")
            if worker:
                processes.append(_start(["worker"], env, folder))
            wait_ready(f"http://127.0.0.1:{app_port}/readyz")
            wait_ready(f"http://127.0.0.1:{simulator_port}/_simulator/clock")
            key = _api_key(env, folder)
            yield Stage(
                app=f"http://127.0.0.1:{app_port}",
                simulator=f"http://127.0.0.1:{simulator_port}",
                headers={"Authorization": f"Bearer {key}"},
                app_pid=processes[1].pid,
                simulator_pid=processes[0].pid,
                settings=settings,
                worker_pid=processes[2].pid if worker else None,
            )
        finally:
            for process in processes:
                process.send_signal(signal.SIGTERM)
            for process in processes:
                process.wait(timeout=30)


def quantile(values: list[float], share: float) -> float:
    """Return the value below which `share` of the values lie."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def _cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def settings_for(app_port: int, simulator_port: int, folder: Path) -> dict[str, str]:
    config = SimulatorConfig()
    return {
        "WECOM_CORP_ID": config.corp_id,
        "WECOM_AGENT_ID": str(config.agent_id),
        "WECOM_SECRET": config.secret,
        "WECOM_CALLBACK_TOKEN": config.callback_token,
        "WECOM_CALLBACK_AES_KEY": config.callback_aes_key,
        "WECOM_API_BASE_URL": f"http://127.0.0.1:{simulator_port}",
        "DATABASE_URL": f"sqlite:///{folder / 'bench.db'}",
        "SECRET_KEY": "a-secret-key-for-benchmarks",
        "PUBLIC_BASE_URL": f"http://127.0.0.1:{app_port}",
    }


def _start(arguments: list[str], env: dict[str, str], folder: Path) -> subprocess.Popen[bytes]:
    with (folder / f"{arguments[0]}.log").open("ab") as log:
        return subprocess.Popen([*COMMAND, *arguments], cwd=folder, env=env, stdout=log, stderr=log)


def wait_ready(url: str) -> None:
    for _ in range(300):
        try:
            if requests.get(url, timeout=5).ok:
                return
        except requests.ConnectionError:
            time.sleep(0.1)
    raise TimeoutError(url)


def _api_key(env: dict[str, str], folder: Path) -> str:
    arguments = ["api-key", "create", "benchmark", "--scope", "read", "--scope", "write"]
    done = subprocess.run([*COMMAND, *arguments], cwd=folder, env=env, stdout=subprocess.PIPE, check=True)
    return done.stdout.decode().strip()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
