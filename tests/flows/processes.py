"""Real processes for the tests that kill them: the simulator over HTTP in this one, `serve` in its own."""

import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import requests
from urllib3.util.retry import Retry

from wecom_app.simulator.config import SimulatorConfig

COMMAND = [sys.executable, "-c", "from wecom_app.cli import main; main()"]
NOBODY = "http://127.0.0.1:9"
"""An address where nothing listens."""
ROOT = Path(__file__).parents[2]


def free_port() -> int:
    """Return a port that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def settings_of(config: SimulatorConfig, folder: Path, api_base_url: str = NOBODY) -> dict[str, str]:
    """Return the environment of an application on a fresh database; without an address WeCom is down."""
    return {
        "WECOM_CORP_ID": config.corp_id,
        "WECOM_AGENT_ID": str(config.agent_id),
        "WECOM_SECRET": config.secret,
        "WECOM_CALLBACK_TOKEN": config.callback_token,
        "WECOM_CALLBACK_AES_KEY": config.callback_aes_key,
        "WECOM_API_BASE_URL": api_base_url,
        "DATABASE_URL": f"sqlite:///{folder / 'app.db'}",
        "SECRET_KEY": "a-secret-key-for-tests-only",
    }


class Application:
    """`wecom-app serve` on a database file, started and killed at will."""

    def __init__(self, settings: dict[str, str], folder: Path, *, port: int | None = None) -> None:
        self.port = port or free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._folder = folder
        self._environment = {**os.environ, "PYTHONPATH": str(ROOT), **settings}
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, *options: str) -> None:
        """Start it and return once it is ready."""
        log = (self._folder / "serve.log").open("ab")
        command = [*COMMAND, "serve", "--port", str(self.port), *options]
        self._process = subprocess.Popen(command, cwd=self._folder, env=self._environment, stdout=log, stderr=log)
        log.close()
        with patient_session() as session:
            answer = session.get(f"{self.url}/readyz", timeout=10)
            assert answer.status_code == 200, answer.text

    def kill(self) -> None:
        """End it as a power cut would, as far as a process can tell."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def run(self, *arguments: str) -> str:
        """Run another command on the same settings; return what it prints."""
        done = subprocess.run(
            [*COMMAND, *arguments],
            cwd=self._folder,
            env=self._environment,
            stdout=subprocess.PIPE,
            check=True,
        )
        return done.stdout.decode().strip()


def patient_session() -> requests.Session:
    """Return a session that tries to connect until a starting process listens, 20 s at most."""
    session = requests.Session()
    retry = Retry(total=60, connect=60, backoff_factor=0.1, backoff_max=0.4, allowed_methods=None)
    session.mount("http://", requests.adapters.HTTPAdapter(max_retries=retry))
    return session


def bearer(key: str) -> dict[str, Any]:
    """Return the header that carries an API key."""
    return {"Authorization": f"Bearer {key}"}
