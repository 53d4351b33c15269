"""wechatpy's client on our own transport: its endpoint wrappers stay, its token, retry and error handling go.

wechatpy 2.0.0a26 recurses without end on a dead token, has no time-out for gettoken, stores tokens under a
part of the secret and puts URLs with tokens into its exceptions (wecom-protocol §9.1).
"""

import json
from collections.abc import Mapping
from typing import Any

from wechatpy.work import WeChatClient

from wecom_app.adapters.wecom import apis
from wecom_app.adapters.wecom.apis import Api, api_for
from wecom_app.adapters.wecom.call_log import CallLog, Outcome
from wecom_app.adapters.wecom.errcodes import TOKEN_STALE
from wecom_app.adapters.wecom.limiter import Limiter
from wecom_app.adapters.wecom.token import Issued, TokenKeeper
from wecom_app.adapters.wecom.transport import Deadline
from wecom_app.adapters.wecom.wire import UNREADABLE, Json, Request, Wire
from wecom_app.clock import Clock
from wecom_app.config import WeComSettings
from wecom_app.errors import WeComError, WeComThrottled, WeComUnavailable

CALL_S = 30.0
"""All of a call: waiting for a place, a token, the call and its one repetition."""


class Caller:
    """Makes calls: limiter, token, wire, and one repetition with a new token."""

    def __init__(self, settings: WeComSettings, wire: Wire, limiter: Limiter, log: CallLog) -> None:
        self._credentials = {"corpid": settings.corp_id, "corpsecret": settings.secret}
        self._wire = wire
        self._limiter = limiter
        self._log = log

    def fetch_token(self, deadline: Deadline) -> Issued:
        """Call gettoken once."""
        answer = self._admitted(apis.TOKEN, Request("get", self._credentials), deadline, urgent=True)
        value, seconds = answer.get("access_token"), answer.get("expires_in", 7200)
        if not isinstance(value, str) or not value or not isinstance(seconds, int) or seconds <= 0:
            raise WeComUnavailable(UNREADABLE, api=apis.TOKEN.path)
        return Issued(value, float(seconds))

    def call(self, api: Api, request: Request, tokens: TokenKeeper, deadline: Deadline, *, urgent: bool) -> Json:
        """Call with a token; if WeCom says it is dead, once more with another."""
        try:
            return self._call(api, request, tokens, deadline, urgent)
        finally:
            if not urgent:
                self._log.flush_if_due()

    def _call(self, api: Api, request: Request, tokens: TokenKeeper, deadline: Deadline, urgent: bool) -> Json:
        token = tokens.current(deadline)
        try:
            return self._admitted(api, _with_token(request, token), deadline, urgent=urgent)
        except WeComError as error:
            if error.errcode not in TOKEN_STALE:
                raise
        token = tokens.renew(token, deadline)
        return self._admitted(api, _with_token(request, token), deadline, urgent=urgent)

    def _admitted(self, api: Api, request: Request, deadline: Deadline, *, urgent: bool) -> Json:
        started = self._log.start()
        called = False
        try:
            with self._limiter.admit(api, deadline, urgent=urgent):
                called = True
                return self._wire.exchange(api, request, deadline)
        except WeComThrottled:
            if not called:
                self._log.add(api.path, started, Outcome.THROTTLED, None)
            raise


class WeComClient(WeChatClient):  # type: ignore[misc]  # wechatpy has no types
    """What wechatpy's endpoint wrappers call."""

    def __init__(self, settings: WeComSettings, caller: Caller, tokens: TokenKeeper, clock: Clock) -> None:
        super().__init__(settings.corp_id, settings.secret, auto_retry=False)
        self._caller = caller
        self._tokens = tokens
        self._clock = clock

    @property
    def access_token_key(self) -> str:
        """Not used: wechatpy would put part of the secret into it."""
        return "access_token"

    @property
    def access_token(self) -> str:
        return self._tokens.current(Deadline(self._clock, CALL_S))

    def fetch_access_token(self) -> None:
        """Nothing: the token keeper decides when gettoken is called."""

    def _request(self, method: str, url_or_endpoint: str, **parts: Any) -> Json:
        """Make a call below `/cgi-bin/`; `urgent` and `deadline` are ours, the rest is wechatpy's."""
        api = api_for(url_or_endpoint)
        deadline = parts.get("deadline") or Deadline(self._clock, max(CALL_S, api.connect_s + api.read_s))
        request = Request(method, _query(parts.get("params")), _body(parts.get("data")), parts.get("files"))
        urgent = parts.get("urgent", False) or api.urgent
        return self._caller.call(api, request, self._tokens, deadline, urgent=urgent)


def _with_token(request: Request, token: str) -> Request:
    params: Mapping[str, Any] = {**request.params, "access_token": token}
    return Request(request.method, params, request.body, request.files)


def _query(params: Mapping[str, object] | None) -> dict[str, str]:
    """Return parameters that can be put into a URL, whatever a browser sent us as an id."""
    return {name: str(value).encode(errors="replace").decode() for name, value in (params or {}).items()}


def _body(data: Mapping[str, Any] | None) -> bytes | None:
    """Return JSON in plain UTF-8: some of WeCom's calls refuse \\u escapes (40033)."""
    if data is None:
        return None
    return json.dumps(data, ensure_ascii=False).encode(errors="replace")
