"""The simulator over real sockets: connections that stay open, and ones that are dropped."""

import http.client
import json
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest

from wecom_app.clock import ManualClock
from wecom_app.simulator.config import SimulatorConfig
from wecom_app.simulator.server import RunningServer, Simulator

TOKEN_PATH = "/cgi-bin/gettoken?corpid={0.corp_id}&corpsecret={0.secret}"


@pytest.fixture
def sim(clock: ManualClock) -> Simulator:
    return Simulator(SimulatorConfig(), clock)


@pytest.fixture
def server(sim: Simulator) -> Iterator[RunningServer]:
    with sim.listen() as running:
        yield running


@pytest.fixture
def connection(server: RunningServer) -> Iterator[http.client.HTTPConnection]:
    address = urlsplit(server.url)
    opened = http.client.HTTPConnection(address.hostname, address.port, timeout=10)
    yield opened
    opened.close()


def call(connection: http.client.HTTPConnection, method: str, path: str, body: bytes | None = None):
    connection.request(method, path, body=body)
    answer = connection.getresponse()
    return answer, answer.read()


def test_one_connection_carries_many_calls(connection, sim: Simulator):
    sockets = set()
    for _ in range(3):
        answer, body = call(connection, "GET", TOKEN_PATH.format(sim.config))
        assert answer.status == 200
        sockets.add(connection.sock)
    token = json.loads(body)["access_token"]
    path = f"/cgi-bin/externalcontact/add_corp_tag?access_token={token}"
    _, body = call(connection, "POST", path, '{"group_name":"等级","tag":[{"name":"金"}]}'.encode())
    assert json.loads(body)["tag_group"]["group_name"] == "等级"
    assert len(sockets) == 1


@pytest.mark.parametrize("kind", ["down", "lost_reply", "timeout"])
def test_a_broken_call_ends_the_connection_without_an_answer(connection, sim: Simulator, kind):
    sim.faults.add("gettoken", kind, times=1)
    with pytest.raises((http.client.RemoteDisconnected, ConnectionResetError)):
        call(connection, "GET", TOKEN_PATH.format(sim.config))
    connection.close()
    answer, _ = call(connection, "GET", TOKEN_PATH.format(sim.config))
    assert answer.status == 200


def test_a_huge_body_is_refused(connection):
    connection.putrequest("POST", "/cgi-bin/externalcontact/mark_tag")
    connection.putheader("Content-Length", str(10**12))
    connection.endheaders()
    assert connection.getresponse().status == 413


def test_the_page_is_served_over_http(connection):
    answer, body = call(connection, "GET", "/")
    assert answer.status == 200
    assert "模拟企业微信" in body.decode()
