"""Clients that stop in the middle of a request do not keep others waiting."""

import socket
from pathlib import Path

import pytest
import requests

from tests.flows.processes import Application
from wecom_app.simulator.config import SimulatorConfig

pytestmark = pytest.mark.slow
STALLED = 32
HANG_S = 10
"""An answer that takes this long is one that waits for a stalled client."""


def test_stalled_clients_do_not_hold_up_an_ordinary_request(tmp_path: Path) -> None:
    config = SimulatorConfig()
    settings = {
        "WECOM_CORP_ID": config.corp_id,
        "WECOM_AGENT_ID": str(config.agent_id),
        "WECOM_SECRET": config.secret,
        "WECOM_CALLBACK_TOKEN": config.callback_token,
        "WECOM_CALLBACK_AES_KEY": config.callback_aes_key,
        "WECOM_API_BASE_URL": "http://127.0.0.1:9",
        "DATABASE_URL": f"sqlite:///{tmp_path / 'app.db'}",
        "SECRET_KEY": "a-secret-key-for-tests-only",
    }
    application = Application(settings, tmp_path)
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
