"""The demo's child processes: commands of ours with settings of their own, watched, and ended with the demo."""

import os
import secrets
import signal
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from wecom_app.config import SECRET_NAMES, Settings
from wecom_app.demo.failures import DemoFailed
from wecom_app.demo.places import DATABASE, FOLDER
from wecom_app.simulator.config import SimulatorConfig

COMMAND = (
    "from wecom_app.demo.children import end_with_parent; end_with_parent(); from wecom_app.cli import main; main()"
)
STOP_S = 15.0
"""Jobs under way get 10 s to finish; only then is a child killed."""
LOG_LINES = 12
LONGEST_LINE = 300


def end_with_parent() -> None:
    """End this process as SIGTERM does once the demo is gone, even if the demo was killed.

    The demo holds the other end of our standard input; its end is the end of the pipe.
    """

    def watch() -> None:
        # The raw descriptor: a thread inside sys.stdin's buffer would break the interpreter's exit.
        while os.read(0, 1):
            pass
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, name="end-with-parent", daemon=True).start()


def settings_for_children(simulator_url: str) -> dict[str, str]:
    """Return the environment of the children: the demo's settings and none of the company's own."""
    config = SimulatorConfig()
    own = {name.upper() for name in Settings.model_fields}
    foreign = own | {f"{name}_FILE" for name in SECRET_NAMES}
    kept = {name: value for name, value in os.environ.items() if name.upper() not in foreign}
    # The children's folder is another one, from which a package in the present one would not be found.
    package = str(Path(__file__).resolve().parents[2])
    paths = [package, *filter(None, [os.environ.get("PYTHONPATH")])]
    return {
        **kept,
        "PYTHONPATH": os.pathsep.join(paths),
        "PYTHONUNBUFFERED": "1",
        "DEMO_MODE": "1",
        "SECRET_KEY": secrets.token_urlsafe(32),
        "DATABASE_URL": f"sqlite:///{DATABASE}",
        "WECOM_API_BASE_URL": simulator_url,
        "WECOM_OAUTH_BASE_URL": simulator_url,
        "WECOM_CORP_ID": config.corp_id,
        "WECOM_AGENT_ID": str(config.agent_id),
        "WECOM_SECRET": config.secret,
        "WECOM_CALLBACK_TOKEN": config.callback_token,
        "WECOM_CALLBACK_AES_KEY": config.callback_aes_key,
    }


@dataclass(frozen=True)
class Child:
    """A running command; `label` names it for people."""

    label: str
    process: subprocess.Popen[bytes]
    log: Path

    def last_words(self) -> str:
        """Return the end of the log."""
        with self.log.open(encoding="utf-8", errors="replace") as lines:
            found = deque(lines, LOG_LINES)
        return "\n".join(f"    {line.rstrip()[:LONGEST_LINE]}" for line in found) or "    （日志为空）"


class Children:
    """All child processes; their working folder is the demo's, so that no `.env` of the user's is read."""

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        self._folder = folder
        self._environment = environment
        self._children: list[Child] = []

    def start(self, label: str, *arguments: str) -> None:
        """Start a command of ours; its output goes to a log named like the command."""
        path = self._folder / f"{arguments[0]}.log"
        with path.open("wb") as log:
            process = self._open(arguments, log, subprocess.STDOUT)
            self._children.append(Child(label, process, path))

    def ask(self, *arguments: str) -> str:
        """Run a short command to its end and return what it printed."""
        path = self._folder / f"{arguments[0]}.log"
        with path.open("wb") as log, self._open(arguments, subprocess.PIPE, log) as process:
            assert process.stdout
            # Not communicate(): it closes standard input at once, which tells the child to end.
            printed = process.stdout.read()
            code = process.wait()
        if code != 0:
            raise DemoFailed(_ended(Child(f"命令 {arguments[0]} ", process, path)))
        return printed.decode().strip()

    def ended(self) -> str | None:
        """Say which child has ended by itself, and what it said last; None if all are alive."""
        dead = [child for child in self._children if child.process.poll() is not None]
        return _ended(dead[0]) if dead else None

    def check(self) -> None:
        """Raise DemoFailed if a child has ended by itself."""
        ended = self.ended()
        if ended is not None:
            raise DemoFailed(ended)

    def stop(self) -> list[str]:
        """End the children, the one started last first; return the labels of those that had to be killed."""
        return [child.label for child in reversed(self._children) if not _stopped(child.process)]

    def _open(
        self, arguments: tuple[str, ...], out: int | IO[bytes], error: int | IO[bytes]
    ) -> subprocess.Popen[bytes]:
        """Start it in a process group of its own: Ctrl-C is the demo's to answer, in its own order."""
        return subprocess.Popen(  # noqa: S603  our own interpreter and code; no argument is a stranger's
            [sys.executable, "-c", COMMAND, *arguments],
            cwd=self._folder,
            env=dict(self._environment),
            stdin=subprocess.PIPE,
            stdout=out,
            stderr=error,
            process_group=0,
        )


def _stopped(process: subprocess.Popen[bytes]) -> bool:
    with suppress(ProcessLookupError):
        process.terminate()
    try:
        process.wait(STOP_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        return False
    return True


def _ended(child: Child) -> str:
    return (
        f"{child.label}意外结束（退出码 {child.process.returncode}），"
        f"{FOLDER / child.log.name} 的最后几行：\n{child.last_words()}"
    )
