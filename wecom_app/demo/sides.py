"""The demo's two partners over HTTP: the application's public API, and the simulator's control side."""

import re
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import quote

import requests

from wecom_app.demo.failures import DemoFailed

Json = dict[str, Any]
TIMEOUT_S = 10.0
PAGE = 200
CALLS_PAGE = 1000
WELCOME_COUNT = re.compile(r'^wecom_app_welcomes_total\{result="(\w+)"\} ([0-9.]+)$', re.MULTILINE)


class Partner:
    """Speaks JSON with one server; whatever is no success ends the demo with the reason."""

    def __init__(self, label: str, origin: str, headers: Mapping[str, str] | None = None) -> None:
        self.label, self.origin = label, origin
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.headers.update(headers or {})

    def answers(self, path: str) -> bool:
        """Return whether the server is up and says that it is well."""
        try:
            return self._session.get(self.origin + path, timeout=TIMEOUT_S).ok
        except requests.RequestException:
            return False

    def get(self, path: str, **parameters: object) -> Any:
        return self._ask("GET", path, parameters=parameters).json()

    def text(self, path: str) -> str:
        return self._ask("GET", path).text

    def send(self, method: str, path: str, body: Json) -> Any:
        return self._ask(method, path, body=body).json()

    def _ask(
        self, method: str, path: str, *, body: Json | None = None, parameters: Mapping[str, object] | None = None
    ) -> requests.Response:
        shown = {name: str(value) for name, value in (parameters or {}).items()}
        try:
            answer = self._session.request(
                method, self.origin + path, params=shown, json=body, timeout=TIMEOUT_S, allow_redirects=False
            )
        except requests.RequestException as error:
            raise DemoFailed(f"{self.label}没有应答 {method} {path}：{type(error).__name__}") from error
        if not answer.ok:
            raise DemoFailed(f"{self.label}拒绝了 {method} {path}：HTTP {answer.status_code} {answer.text[:300]}")
        return answer


class Application(Partner):
    """Our side, as a program of the company's would use it."""

    def __init__(self, origin: str, key: str) -> None:
        super().__init__("应用", origin, {"Authorization": f"Bearer {key}"})
        self.key = key

    def create_group(self, body: Json) -> Json:
        made: Json = self.send("POST", "/api/v1/tag-groups", body)
        return made

    def create_channel(self, body: Json) -> Json:
        made: Json = self.send("POST", "/api/v1/channels", body)
        return made

    def create_field(self, body: Json) -> Json:
        made: Json = self.send("POST", "/api/v1/profile-fields", body)
        return made

    def create_content(self, body: Json) -> Json:
        made: Json = self.send("POST", "/api/v1/content", body)
        return made

    def customers(self) -> list[Json]:
        return self._all("/customers")

    def customer(self, external_userid: str) -> Json:
        found: Json = self.get(f"/api/v1/customers/{quote(external_userid)}")
        return found

    def history(self, external_userid: str) -> list[Json]:
        return self._all(f"/customers/{quote(external_userid)}/history")

    def tags(self) -> list[Json]:
        return self._all("/tags")

    def groups(self) -> list[Json]:
        return self._all("/tag-groups")

    def events(self) -> list[Json]:
        return self._all("/inbox")

    def jobs(self, state: str) -> list[Json]:
        return self._all("/jobs", state=state)

    def newest_job(self) -> int:
        """Return the id of the job that was enqueued last, 0 where there is none."""
        items = self.get("/api/v1/jobs", limit=1)["items"]
        return items[0]["id"] if items else 0

    def welcomes(self) -> dict[str, int]:
        """Return how many welcome messages came to which end, by the application's own count."""
        return {result: int(float(count)) for result, count in WELCOME_COUNT.findall(self.text("/metrics"))}

    def _all(self, path: str, **parameters: object) -> list[Json]:
        items: list[Json] = []
        cursor: Mapping[str, object] = {}
        while True:
            page = self.get(f"/api/v1{path}", limit=PAGE, **parameters, **cursor)
            items += page["items"]
            if page["next_cursor"] is None:
                return items
            cursor = {"cursor": page["next_cursor"]}


class Corp(Partner):
    """WeCom's side: what customers and members do, what goes wrong, and what WeCom has written down."""

    def __init__(self, origin: str) -> None:
        super().__init__("模拟企业微信", origin)

    def add_members(self, members: Iterable[Json]) -> None:
        self.send("POST", "/_simulator/members", {"members": list(members)})

    def verify(self) -> Json:
        """Check the callback address as the admin console does when it is saved."""
        verified: Json = self.send("POST", "/_simulator/verify", {})
        return verified

    def scan(self, config_id: str, name: str, external_userid: str | None = None) -> Json:
        body: Json = {"config_id": config_id, "name": name}
        if external_userid is not None:
            body["external_userid"] = external_userid
        scanned: Json = self.send("POST", "/_simulator/scan", body)
        return scanned

    def act(self, actor: str, kind: str, **parts: Any) -> None:
        self.send("POST", "/_simulator/act", {"as": actor, "kind": kind, **parts})

    def disturb(self, **settings: Any) -> None:
        """Change the disturbances that are named and leave the others."""
        self.send("PATCH", "/_simulator/faults", settings)

    def disturbances(self) -> Json:
        found: Json = self.get("/_simulator/faults")
        return found

    def shift_clock(self, offset_s: float) -> None:
        """Set the corp's clock so far from this machine's."""
        self.send("POST", "/_simulator/clock", {"offset_s": offset_s})

    def state(self, *parts: str) -> Json:
        found: Json = self.get("/_simulator/state", **({"parts": ",".join(parts)} if parts else {}))
        return found

    def calls(self) -> list[Json]:
        """Return every API call so far, as WeCom saw it."""
        found: list[Json] = []
        since = 0
        while True:
            page = self.get("/_simulator/calls", since=since, limit=CALLS_PAGE)
            found += page["items"]
            if len(page["items"]) < CALLS_PAGE:
                return found
            since = page["next"]
