"""A simulated corp with a small cast, and a caller of its API that goes through WSGI."""

from collections.abc import Iterator
from typing import Any

import pytest
import requests

from tests.wsgi_transport import WsgiAdapter
from wecom_app.clock import ManualClock
from wecom_app.simulator.config import AppConfig, SimulatorConfig
from wecom_app.simulator.server import Simulator

OTHER_APP = AppConfig(secret="secret-of-another-app", agent_id=1000009)
NOT_ALLOWED_APP = AppConfig(secret="secret-of-an-app-without-contacts", agent_id=1000010, customer_contact=False)
NARROW_APP = AppConfig(
    secret="secret-of-an-app-that-sees-zhang", agent_id=1000011, visible_members=frozenset({"zhang"})
)
CONFIG = SimulatorConfig(
    callback_url="http://app.test/wecom/callback", other_apps=(OTHER_APP, NOT_ALLOWED_APP, NARROW_APP)
)

Json = dict[str, Any]


class Receiver:
    """Stands for the application's callback address: keeps what it gets, answers what it is told."""

    def __init__(self) -> None:
        self.posts: list[tuple[str, bytes]] = []
        self.timeouts: list[float] = []
        self.statuses: list[int | Exception] = []

    def post(self, url: str, body: bytes, timeout_s: float) -> int:
        self.posts.append((url, body))
        self.timeouts.append(timeout_s)
        status = self.statuses.pop(0) if self.statuses else 200
        if isinstance(status, Exception):
            raise status
        return status


class Api:
    """Calls the API as one app does."""

    def __init__(self, sim: Simulator, secret: str) -> None:
        self.sim = sim
        self.secret = secret
        self.base = sim.config.base_url
        self.session = requests.Session()
        self.session.mount(self.base, WsgiAdapter(sim.wsgi))
        self.token = self.gettoken()["access_token"]

    def gettoken(self) -> Json:
        query = {"corpid": self.sim.config.corp_id, "corpsecret": self.secret}
        return self.raw("GET", "gettoken", query=query).json()

    def raw(
        self, method: str, api: str, *, query: Json | None = None, timeout: float | None = None, **parts: Any
    ) -> requests.Response:
        url = f"{self.base}/cgi-bin/{api}"
        return self.session.request(method, url, params=query, timeout=timeout, **parts)

    def get(self, api: str, **query: Any) -> Json:
        return self.raw("GET", api, query={"access_token": self.token, **query}).json()

    def post(self, api: str, body: Json | None = None, *, timeout: float | None = None, **query: Any) -> Json:
        query = {"access_token": self.token, **query}
        return self.raw("POST", api, query=query, json=body or {}, timeout=timeout).json()

    def control(self, method: str, path: str, body: Any = None) -> requests.Response:
        return self.session.request(method, f"{self.base}/_simulator/{path}", json=body)

    def upload(self, content: bytes = b"picture", kind: str = "image") -> Json:
        files = {"media": ("海报.png", content, "image/png")}
        query = {"access_token": self.token, "type": kind}
        return self.raw("POST", "media/upload", query=query, files=files).json()

    def tag_ids(self, group: str, *names: str) -> list[str]:
        """Make tags and return their ids."""
        body = {"group_name": group, "tag": [{"name": name} for name in names]}
        made = self.post("externalcontact/add_corp_tag", body)
        return [tag["id"] for tag in made["tag_group"]["tag"]]


@pytest.fixture
def receiver() -> Receiver:
    return Receiver()


@pytest.fixture
def sim(clock: ManualClock, receiver: Receiver) -> Simulator:
    """Staff zhang with the customer li, the colleague wang, and chen, whom the corp does not know yet."""
    simulator = Simulator(CONFIG, clock, post=receiver.post)
    for userid, name in (("zhang", "张伟"), ("wang", "王芳")):
        simulator.world.add_member(userid, name)
    simulator.world.add_customer("李雷", "wmli")
    simulator.world.add_relation("zhang", "wmli")
    return simulator


@pytest.fixture
def api(sim: Simulator) -> Iterator[Api]:
    caller = Api(sim, CONFIG.secret)
    sim.calls.clear()
    yield caller
    caller.session.close()


@pytest.fixture
def other_api(sim: Simulator) -> Iterator[Api]:
    caller = Api(sim, OTHER_APP.secret)
    yield caller
    caller.session.close()


@pytest.fixture
def narrow_api(sim: Simulator) -> Iterator[Api]:
    caller = Api(sim, NARROW_APP.secret)
    yield caller
    caller.session.close()


@pytest.fixture
def not_allowed_api(sim: Simulator) -> Iterator[Api]:
    caller = Api(sim, NOT_ALLOWED_APP.secret)
    yield caller
    caller.session.close()


@pytest.fixture
def code(api: Api) -> str:
    """A live code of zhang with the state `spring`."""
    body = {"type": 1, "scene": 2, "user": ["zhang"], "state": "spring"}
    return api.post("externalcontact/add_contact_way", body)["config_id"]


@pytest.fixture
def make_api(clock: ManualClock) -> Any:
    """Make a simulator of another configuration, with the same two members, and call it."""

    def make(config: SimulatorConfig) -> Api:
        simulator = Simulator(config, clock)
        for userid, name in (("zhang", "张伟"), ("wang", "王芳")):
            simulator.world.add_member(userid, name)
        return Api(simulator, config.secret)

    return make
