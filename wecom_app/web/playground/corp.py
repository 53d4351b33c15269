"""The simulated WeCom as the playground reaches it: its control side, over HTTP."""

from dataclasses import dataclass, field
from typing import Any

import requests
from flask import current_app

from wecom_app.errors import AppError, InvalidInput, Unavailable

Json = dict[str, Any]
EXTENSION = "wecom_app.playground"
WAIT_S = 5.0
AWAY = "连不上模拟企业微信：它可能已停止，请回到运行 make demo 的终端看一看"


@dataclass
class Corp:
    """The control side of the simulator at `origin`; raises Unavailable where it does not answer."""

    origin: str
    session: requests.Session = field(default_factory=requests.Session)

    def __post_init__(self) -> None:
        # A proxy of the environment has no way to this machine.
        self.session.trust_env = False

    def get(self, path: str, **parameters: str) -> Json:
        """Return what stands at `/_simulator/` + path."""
        return self._ask("GET", path, parameters=parameters)

    def send(self, method: str, path: str, body: Json) -> Json:
        """Do something; a refusal is raised with the simulator's own words."""
        return self._ask(method, path, body=body)

    def _ask(self, method: str, path: str, *, body: Json | None = None, parameters: Any = None) -> Json:
        try:
            answer = self.session.request(
                method, f"{self.origin}/_simulator/{path}", json=body, params=parameters, timeout=WAIT_S
            )
            told: Json = answer.json()
        except (requests.RequestException, ValueError) as error:
            raise Unavailable(AWAY) from error
        if answer.ok:
            return told
        raise InvalidInput(told.get("message")) if answer.status_code < 500 else AppError(AWAY)


def corp() -> Corp:
    """Return the simulator of the present application."""
    found: Corp = current_app.extensions[EXTENSION]
    return found
