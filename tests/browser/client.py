"""The WeCom client around a page: it judges the page's signature as WeCom does and answers what the JS-SDK asks.

Nothing of ours is asked how a signature is made: the client knows the simulator's tickets and computes its own.
"""

import hashlib
from dataclasses import dataclass, field
from typing import Any

from wecom_app.simulator.config import SimulatorConfig
from wecom_app.simulator.server import Simulator

PC = (
    "Mozilla/5.0 (Windows NT 10.0; WOW64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/107.0.0.0 Safari/537.36 "
    "wxwork/4.1.36 MicroMessenger/7.0.1 Language/zh ColorScheme/Light"
)
IOS = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 14_5_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
    "Mobile/15E148 wxwork/3.1.9 MicroMessenger/7.0.1 Language/zh ColorScheme/Light"
)
OLD = PC.replace("wxwork/4.1.36", "wxwork/3.0.10")
PLAIN_BROWSER = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0 Safari/537.36"
)

Answer = dict[str, Any]
CUSTOMER_ENTRIES = ("contact_profile", "single_chat_tools", "single_kf_tools")
SENDING_ENTRIES = ("single_chat_tools", "single_kf_tools", "chat_attachment", "group_chat_tools")


@dataclass
class WeComClient:
    """One client window: where the page was opened, on which customer, and what was sent from it."""

    simulator: Simulator
    userid: str = "zhang"
    external_userid: str = ""
    entry: str = "single_chat_tools"
    user_agent: str = PC
    agent_id: int = SimulatorConfig.agent_id
    """The app that the client believes the page to be of."""
    late: bool = False
    """The bridge appears only when the test says so."""
    silent: set[str] = field(default_factory=set)
    """Calls that are never answered."""
    refusals: dict[str, str] = field(default_factory=dict)
    """What is answered to a call instead of its result, such as `no permission`."""
    calls: list[tuple[str, Answer]] = field(default_factory=list)
    sent: list[Answer] = field(default_factory=list)
    opened: list[Answer] = field(default_factory=list)
    _allowed: list[str] = field(default_factory=list)

    @property
    def present(self) -> bool:
        return "wxwork/" in self.user_agent

    def names(self) -> list[str]:
        """Return which calls came, in order."""
        return [name for name, _ in self.calls]

    def answer(self, message: Answer) -> Answer | None:
        """Answer one call of the bridge; None leaves it unanswered for ever."""
        name, params = message["name"], message["params"]
        self.calls.append((name, params))
        if name in self.silent:
            return None
        if name in self.refusals:
            return {"err_msg": f"{name}:fail_{self.refusals[name]}"}
        if name in ("agentConfig", "preVerifyJSAPI"):
            return self._register(name, params, message["href"])
        if name not in self._allowed:
            return {"err_msg": f"{name}:fail_no permission"}
        return self._act(name, params)

    def _register(self, name: str, params: Answer, href: str) -> Answer:
        kind = "agent" if name == "agentConfig" else "corp"
        fields = ("timestamp", "nonceStr", "signature")
        if kind == "corp":
            fields = ("verifyTimestamp", "verifyNonceStr", "verifySignature")
        timestamp, nonce, signature = (params.get(part) for part in fields)
        problem = self._problem(kind, params)
        if problem is None and signature != self._signature(kind, str(nonce), str(timestamp), href):
            problem = "invalid signature"
        if problem is not None:
            return {"err_msg": f"{name}:fail_{problem}"}
        self._allowed = params.get("jsApiList") or params.get("verifyJsApiList") or []
        return {"err_msg": "agentConfig:ok" if kind == "agent" else "config:ok"}

    def _problem(self, kind: str, params: Answer) -> str | None:
        config = self.simulator.config
        corp_id = params.get("corpid") or params.get("appId")
        if corp_id != config.corp_id:
            return "invalid corpId"
        if kind == "agent" and params.get("agentid") != str(self.agent_id):
            return "invalid agentid"
        return None

    def _signature(self, kind: str, nonce: str, timestamp: str, href: str) -> str:
        ticket = self.simulator.world.tokens.ticket_value(kind, self.simulator.config.apps[0])
        text = f"jsapi_ticket={ticket}&noncestr={nonce}&timestamp={timestamp}&url={href.split('#')[0]}"
        return hashlib.sha1(text.encode()).hexdigest()

    def _act(self, name: str, params: Answer) -> Answer:
        if name == "getContext":
            return {"err_msg": "getContext:ok", "entry": self.entry}
        if name == "getCurExternalContact":
            if self.entry not in CUSTOMER_ENTRIES:
                return {"err_msg": f"{name}:fail_without context of external contact"}
            return {"err_msg": f"{name}:ok", "userId": self.external_userid}
        if name == "sendChatMessage":
            if self.entry not in SENDING_ENTRIES:
                return {"err_msg": f"{name}:fail_no permission"}
            self.sent.append({key: value for key, value in params.items() if not key.startswith(("verify", "appId"))})
            return {"err_msg": f"{name}:ok"}
        if name in ("openUserProfile", "openEnterpriseChat"):
            self.opened.append({"name": name, **params})
        return {"err_msg": f"{name}:ok"}
