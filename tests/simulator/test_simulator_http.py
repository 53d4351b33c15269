"""The simulator over real sockets: connections that stay open, and ones that are dropped."""

import http.client
import json
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest

from wecom_app.clock import ManualClock
from wecom_app.errors import ConfigurationError
from wecom_app.simulator import web
from wecom_app.simulator.config import SimulatorConfig
from wecom_app.simulator.server import RunningServer, Simulator, serve

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


def test_answers_carry_the_corps_date_once(connection, sim: Simulator):
    sim.clock.offset_s = 86_400
    answer, _ = call(connection, "GET", TOKEN_PATH.format(sim.config))
    assert answer.headers.get_all("Date") == ["Tue, 24 Nov 2026 02:00:00 GMT"]


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


def test_a_taken_port_is_named(server: RunningServer, clock: ManualClock):
    port = urlsplit(server.url).port
    with pytest.raises(ConfigurationError, match=str(port)):
        serve(SimulatorConfig(), "127.0.0.1", port, clock)


def test_the_pages_folders_are_found_in_a_checkout_and_in_a_wheel(tmp_path, monkeypatch):
    assert (web.folder("templates") / "simulator" / "index.html").is_file()
    package = tmp_path / "wecom_app"
    (package / "_static").mkdir(parents=True)
    monkeypatch.setattr(web, "PACKAGE", package)
    assert web.folder("static") == package / "_static"
    assert web.folder("templates") == tmp_path / "templates"
