"""A small company on WeCom: zhang and wang sell, chen does not; used by the flow, fault and web tests."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import requests
from flask import Flask
from flask.testing import FlaskClient

from tests.wsgi_transport import WsgiAdapter
from wecom_app.bootstrap import build_runtime
from wecom_app.clock import ManualClock
from wecom_app.config import Settings, load_settings
from wecom_app.services import accounts
from wecom_app.services.runtime import Runtime
from wecom_app.simulator.config import SimulatorConfig
from wecom_app.simulator.server import Simulator
from wecom_app.web import create_web

STAFF = {"zhang": "张伟", "wang": "王芳", "chen": "陈静"}
CALLBACK = "http://app.test/wecom/callback"


class Company:
    """Both sides of the wire; callbacks and jobs move only when told to."""

    def __init__(self, simulator: Simulator, settings: Settings, clock: ManualClock) -> None:
        self.simulator, self.settings, self.clock = simulator, settings, clock
        self.crash_hook: Callable[[str], None] | None = None
        self.runtime: Runtime
        self.web: Flask
        self.client: FlaskClient
        self.headers: dict[str, str] = {}
        self._held: list[tuple[str, bytes]] | None = None
        self.start()

    def start(self) -> None:
        """Open the application on the same database, as after a restart."""
        self.runtime = build_runtime(
            self.settings,
            clock=self.clock,
            session=self._session(),
            threads=False,
            crash_hook=self._crash,
        )
        self.web = create_web(self.runtime)
        self.client = self.web.test_client()
        if not self.headers:
            with self.runtime.write() as session:
                key = accounts.create_key(session, "tests", ["read", "write"], self.clock.now())
            self.headers = {"Authorization": f"Bearer {key}"}

    def restart(self) -> None:
        self.runtime.stop()
        self.start()

    def close(self) -> None:
        self.runtime.stop()
        self.simulator.stop()

    def _crash(self, name: str) -> None:
        if self.crash_hook is not None:
            self.crash_hook(name)

    def _session(self) -> requests.Session:
        session = requests.Session()
        session.mount(self.settings.wecom_api_base_url, WsgiAdapter(self.simulator.wsgi))
        return session

    def post_callback(self, url: str, body: bytes, _timeout_s: float) -> int:
        """Carry one callback from the simulator to the application."""
        if self._held is not None:
            self._held.append((url, body))
            return 200
        return self.client.post(url.removeprefix("http://app.test"), data=body).status_code

    def hold_callbacks(self) -> None:
        """Keep callbacks back that the simulator sends from now on."""
        self._held = []

    def release_callbacks(self, order: Sequence[int] | None = None) -> None:
        """Deliver what was held, in the given order, settling after each."""
        held, self._held = self._held or [], None
        for index in order if order is not None else range(len(held)):
            url, body = held[index]
            assert self.post_callback(url, body, 5.0) == 200
            self.settle()

    def settle(self) -> None:
        """Deliver callbacks and run jobs until nothing moves."""
        while self.simulator.run_until_idle() or self.runtime.run_until_idle():
            pass

    def settle_later(self, seconds: float = 120, *, step: float = 5) -> None:
        """Settle now and again as time goes by, so that back-offs run out."""
        self.settle()
        for _ in range(int(seconds / step)):
            self.clock.advance(step)
            self.settle()

    def get(self, path: str) -> Any:
        answer = self.client.get(f"/api/v1{path}", headers=self.headers)
        assert answer.status_code == 200, answer.get_data(as_text=True)
        return answer.get_json()

    def post(self, path: str, body: Any, expect: int = 201) -> Any:
        answer = self.client.post(f"/api/v1{path}", json=body, headers=self.headers)
        assert answer.status_code == expect, answer.get_data(as_text=True)
        return answer.get_json()

    def make_tags(self, *names: str, group: str = "兴趣", **more: Any) -> list[str]:
        """Make a group with tags; return the tags' keys."""
        body = {
            "name": group,
            "dimension": "behaviour",
            "tags": [{"name": name} for name in names],
            **more,
        }
        made = self.post("/tag-groups", body)
        self.settle()
        by_name = {tag["name"]: tag["key"] for tag in made["tags"]}
        return [by_name[name] for name in names]

    def make_channel(self, **more: Any) -> Any:
        body = {
            "name": "门店海报",
            "source": "门店",
            "staff": ["zhang"],
            "welcome": {"text": "您好"},
            **more,
        }
        made = self.post("/channels", body)
        self.settle()
        return made

    def tags_here(self, external_userid: str) -> set[str]:
        """Return the names of the tags that the application says the customer has."""
        return {tag["name"] for tag in self.get(f"/customers/{external_userid}")["tags"]}

    def tags_there(self, external_userid: str, userid: str = "zhang") -> set[str]:
        """Return the names of the enterprise tags that WeCom has on the relation."""
        state = self.wecom_state()
        for relation in state["relations"]:
            if (relation["external_userid"], relation["userid"]) == (external_userid, userid):
                return {tag["name"] for tag in relation["tags"] if tag["type"] == 1}
        return set()

    def wecom_state(self) -> Any:
        response = self._session().get(f"{self.settings.wecom_api_base_url}/_simulator/state", timeout=5)
        return response.json()


def open_company(
    database_url: str, clock: ManualClock, *, environment: Mapping[str, str] | None = None, **config: Any
) -> Company:
    """Return a company with three members, on the given database; `environment` holds further settings."""
    settings = SimulatorConfig(callback_url=CALLBACK, **config)
    holder: list[Company] = []
    simulator = Simulator(settings, clock, post=lambda url, body, timeout: holder[0].post_callback(url, body, timeout))
    for userid, name in STAFF.items():
        simulator.world.add_member(userid, name)
    company = Company(simulator, settings_for(settings, database_url, **(environment or {})), clock)
    holder.append(company)
    return company


def settings_for(config: SimulatorConfig, database_url: str, **more: str) -> Settings:
    """Return the application's settings for a simulated corp."""
    return load_settings(
        {
            "WECOM_CORP_ID": config.corp_id,
            "WECOM_AGENT_ID": str(config.agent_id),
            "WECOM_SECRET": config.secret,
            "WECOM_CALLBACK_TOKEN": config.callback_token,
            "WECOM_CALLBACK_AES_KEY": config.callback_aes_key,
            "WECOM_API_BASE_URL": config.base_url,
            "WECOM_OAUTH_BASE_URL": config.base_url,
            "DATABASE_URL": database_url,
            "SECRET_KEY": "a-secret-key-for-tests-only",
            **more,
        }
    )
