"""Starting where something is in the way: one clear line, an exit code, and no traceback."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.flows.processes import COMMAND, ROOT, settings_of
from wecom_app.simulator.config import SimulatorConfig

PASSWORD = "canary-password"
NOWHERE = f"postgresql://somebody:{PASSWORD}@127.0.0.1:9/shop"


def run(folder: Path, *arguments: str, command: list[str] | None = None, **settings: str) -> tuple[int, str]:
    """Return exit code and what a command says on standard error."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), **settings_of(SimulatorConfig(), folder), **settings}
    done = subprocess.run(
        [*(command or COMMAND), *arguments], cwd=folder, env=environment, capture_output=True, timeout=30, text=True
    )
    return done.returncode, done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("command", ["serve", "simulate"])
def test_a_taken_port_is_named_in_one_line(tmp_path: Path, command: str) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        code, said = run(tmp_path, command, "--port", str(port))

    assert (code, len(said.splitlines())) == (1, 1), said
    assert f"127.0.0.1:{port}" in said
    assert "占用" in said


@pytest.mark.slow
@pytest.mark.parametrize("command", [("serve",), ("worker",), ("db", "upgrade"), ("jobs", "list")])
def test_an_unreachable_database_names_the_setting_and_not_its_value(tmp_path: Path, command: tuple[str, ...]) -> None:
    code, said = run(tmp_path, *command, DATABASE_URL=NOWHERE)

    assert (code, len(said.splitlines())) == (1, 1), said
    assert said.startswith("wecom-app: 连不上数据库")
    assert "DATABASE_URL" in said
    assert PASSWORD not in said


@pytest.mark.slow
def test_a_database_file_that_cannot_be_opened_names_the_setting(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    for place in ("file/app.db", "."):
        code, said = run(tmp_path, "serve", DATABASE_URL=f"sqlite:///{place}")
        assert (code, len(said.splitlines())) == (1, 1), said
        assert "DATABASE_URL" in said


LOGGING = """
import logging, structlog
from wecom_app.cli.common import set_up_logging
set_up_logging("INFO")
structlog.contextvars.bind_contextvars(request_id="r1")
logging.getLogger("adapter").warning("lease_lost %s", "twice", extra={"job_id": 7})
structlog.get_logger("service").info("done", event_id=8)
try:
    1 / 0
except ZeroDivisionError:
    logging.getLogger("adapter").exception("failed", extra={"lane": "push"})
structlog.get_logger("service").debug("not heard")
"""


def test_log_lines_of_adapters_keep_their_ids(tmp_path: Path) -> None:
    _, said = run(tmp_path, command=[sys.executable, "-c", LOGGING])

    lost, done, failed = (json.loads(line) for line in said.splitlines())
    assert (lost["event"], lost["level"], lost["job_id"], lost["request_id"]) == (
        "lease_lost twice",
        "warning",
        7,
        "r1",
    )
    assert (done["event"], done["event_id"], done["request_id"]) == ("done", 8, "r1")
    assert (failed["lane"], failed["level"]) == ("push", "error")
    assert "ZeroDivisionError" in failed["exception"]
    assert all(line["timestamp"].endswith("Z") for line in (lost, done, failed))
