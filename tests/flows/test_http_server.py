"""The server in front of the application: clients that stop midway hold nobody up, and a proxy's words get through."""

import socket
from pathlib import Path

import pytest
import requests

from tests.flows.processes import Application, settings_of
from wecom_app.simulator.config import SimulatorConfig

pytestmark = pytest.mark.slow
STALLED = 32
HANG_S = 10
"""An answer that takes this long is one that waits for a stalled client."""


def test_stalled_clients_do_not_hold_up_an_ordinary_request(tmp_path: Path) -> None:
    application = Application(settings_of(SimulatorConfig(), tmp_path), tmp_path)
    application.start()
    stalled = [socket.create_connection(("127.0.0.1", application.port)) for _ in range(STALLED)]
    try:
        for connection in stalled:
            connection.sendall(b"POST /wecom/callback HTTP/1.1\r\nHost: x\r\nContent-Length: 5000\r\n\r\n<xml>")
        for _ in range(5):
            assert requests.get(f"{application.url}/readyz", timeout=HANG_S).status_code == 200
    finally:
        for connection in stalled:
            connection.close()
        application.kill()


def test_what_a_proxy_forwards_is_not_taken_for_this_machines_own(tmp_path: Path) -> None:
    application = Application(settings_of(SimulatorConfig(), tmp_path), tmp_path)
    application.start()
    try:
        address = f"{application.url}/metrics"
        assert requests.get(address, timeout=HANG_S).status_code == 200
        assert requests.get(address, headers={"X-Forwarded-For": "203.0.113.7"}, timeout=HANG_S).status_code == 404
    finally:
        application.kill()
