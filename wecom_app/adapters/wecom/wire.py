"""One exchange with WeCom over HTTP: whatever is not a plain success becomes one of our errors, none of which
holds a URL, a token or a secret.
"""

import json
import re
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

import requests
from requests.structures import CaseInsensitiveDict
from urllib3.exceptions import ConnectTimeoutError, HTTPError, NewConnectionError, SSLError

from wecom_app.adapters.wecom.apis import Api
from wecom_app.adapters.wecom.call_log import CallLog, Outcome
from wecom_app.adapters.wecom.errcodes import error_for
from wecom_app.adapters.wecom.transport import CALLS, Deadline, scrub
from wecom_app.errors import WeComError, WeComMisconfigured, WeComRejected, WeComUnavailable

Json = dict[str, Any]
MAX_ANSWER_BYTES = 32 * 1024 * 1024
"""A member's list of 30,000 customers is about 1 MB."""
CHUNK_BYTES = 64 * 1024
CONNECT_TRIES = 2
SHORTEST_S = 0.001
"""requests refuses a time-out of 0."""
JSON_HEADERS = {"Content-Type": "application/json"}
UNREADABLE = "企业微信的回答无法读懂，系统会自动重试"
READ_ERRMSG = 4096
"""Cut well behind what is kept, so that no piece of a token escapes the scrubbing at the cut."""
NUMBER = re.compile(r"-?[0-9]{1,9}")
SECRET_PARAMETERS = ("access_token", "corpsecret", "key")


@dataclass(frozen=True)
class Request:
    """What is sent; files are held as bytes, so that a second try sends them again in full."""

    method: str
    params: Mapping[str, Any] = field(repr=False)
    body: bytes | None = field(default=None, repr=False)
    files: Mapping[str, tuple[str, bytes]] | None = field(default=None, repr=False)


@dataclass(frozen=True)
class _Reply:
    """What came back; `failure` says in words why there is no status."""

    status: int = 0
    content: bytes = b""
    failure: str = ""
    unsent: bool = False
    """WeCom cannot have seen the request."""
    broken: bool = False
    """The connection ended early (a kept-alive one may die at any time); a time-out is not that."""


class Wire:
    """Sends to one origin."""

    def __init__(self, session: requests.Session, origin: str, log: CallLog) -> None:
        self._verify = True if session.verify is None else session.verify
        self._proxies = session.proxies
        self._base_url = f"{origin}{CALLS}"
        self._headers = {name: str(value) for name, value in session.headers.items()}
        self._adapter = session.get_adapter(self._base_url)
        self._log = log

    def exchange(self, api: Api, request: Request, deadline: Deadline) -> Json:
        """Return a believable success; raise the WeComError that says what else came."""
        started = self._log.start()
        try:
            answer = _answer(api, self._send(api, request, deadline), request)
        except WeComError as error:
            outcome = Outcome.UNKNOWN if error.errcode is None else Outcome.REFUSED
            self._log.add(api.path, started, outcome, error.errcode)
            raise
        self._log.add(api.path, started, Outcome.OK, 0)
        return answer

    def _send(self, api: Api, request: Request, deadline: Deadline) -> _Reply:
        """Send, again if the first try never left, or broke and the call may be repeated."""
        reply = _Reply(failure="时间不足", unsent=True)
        for _ in range(CONNECT_TRIES):
            if deadline.has_passed():
                break
            reply = self._try(api, request, deadline)
            if not (reply.unsent or (reply.broken and api.repeatable)):
                break
        return reply

    def _try(self, api: Api, request: Request, deadline: Deadline) -> _Reply:
        left = max(deadline.remaining(), SHORTEST_S)
        try:
            # Past the session: for cookies, redirects and proxies of each address it does a third of a call's work.
            response = self._adapter.send(
                self._prepare(api, request),
                timeout=(min(api.connect_s, left), min(api.read_s, left)),
                stream=True,
                verify=self._verify,
                proxies=self._proxies,
            )
            with closing(response):
                return _read(response, deadline)
        except (requests.RequestException, HTTPError, OSError) as error:
            return _failed(error)

    def _prepare(self, api: Api, request: Request) -> requests.PreparedRequest:
        """Return what is to be sent. Of the session only its headers count: it has no cookies, hooks or parameters."""
        method, url = request.method.upper(), self._base_url + api.path
        headers = {**self._headers, **(JSON_HEADERS if request.body is not None else {})}
        if request.files is not None:
            return requests.Request(method, url, headers, params=request.params, files=request.files).prepare()
        prepared = requests.PreparedRequest()
        prepared.method = method
        prepared.url = f"{url}?{urlencode(request.params)}" if request.params else url
        prepared.body = request.body
        if request.body is not None or method != "GET":
            headers["Content-Length"] = str(len(request.body or b""))
        prepared.headers = CaseInsensitiveDict(headers)
        return prepared


def _read(response: requests.Response, deadline: Deadline) -> _Reply:
    """Read the body in pieces: a time-out counts from byte to byte, so a trickle would never end."""
    content = bytearray()
    for piece in response.raw.stream(CHUNK_BYTES, decode_content=True):
        content += piece
        if len(content) > MAX_ANSWER_BYTES:
            return _Reply(failure="回答过大")
        if deadline.has_passed():
            return _Reply(failure="回答超时")
    return _Reply(status=response.status_code, content=bytes(content))


def _failed(error: Exception) -> _Reply:
    if isinstance(error, requests.ConnectTimeout):
        return _Reply(failure="连接超时", unsent=True)
    if isinstance(error, requests.Timeout):
        return _Reply(failure="等待回答超时")
    if isinstance(error, requests.exceptions.SSLError | SSLError):
        return _Reply(failure="TLS 证书或握手失败")
    return _Reply(failure="连接失败", unsent=_is_unconnected(error), broken=True)


def _is_unconnected(error: Exception) -> bool:
    """Tell whether no connection came about; requests wraps urllib3's MaxRetryError, which has the reason."""
    inner = error.args[0] if error.args else None
    return isinstance(getattr(inner, "reason", None), NewConnectionError | ConnectTimeoutError)


def _answer(api: Api, reply: _Reply, request: Request) -> Json:
    if reply.failure:
        error = WeComUnavailable(f"暂时连不上企业微信（{reply.failure}），系统会自动重试", api=api.path)
        if reply.unsent:
            error.settle_s = 0.0
        elif not reply.broken:
            error.settle_s = api.read_s
        raise error
    _check_status(api, reply)
    answer = _decoded(reply.content)
    if answer is None:
        raise WeComUnavailable(UNREADABLE, api=api.path)
    errcode = _errcode(answer, api)
    if errcode != 0:
        raise error_for(api.path, errcode, _clean(answer.get("errmsg"), request))
    return answer


def _check_status(api: Api, reply: _Reply) -> None:
    if 300 <= reply.status < 400:
        # WeCom answers plain http with 301; following it would send the token a second time in the clear.
        raise WeComMisconfigured("接口地址被重定向：请检查 WECOM_API_BASE_URL（应以 https 开头）", api=api.path)
    if reply.status == 404 and not reply.content:
        raise WeComRejected("企业微信没有这个接口：请检查 WECOM_API_BASE_URL", api=api.path)
    if reply.status != 200:
        message = f"企业微信返回 HTTP {reply.status}，系统会自动重试"
        raise WeComUnavailable(message, api=api.path, details={"status": reply.status})


def _decoded(content: bytes) -> Json | None:
    """Return a JSON object; bytes that are not UTF-8 are replaced (WeCom cuts some nicknames amiss)."""
    try:
        answer = json.loads(content.decode(errors="replace"), strict=False)
    except (ValueError, RecursionError):
        return None
    return answer if isinstance(answer, dict) else None


def _errcode(answer: Json, api: Api) -> int:
    """Return the errcode; some successes have none, then the field that they are about must be there."""
    errcode = answer.get("errcode", 0 if api.expects in answer else None)
    if isinstance(errcode, str) and NUMBER.fullmatch(errcode):
        errcode = int(errcode)
    if not isinstance(errcode, int) or isinstance(errcode, bool):
        raise WeComUnavailable(UNREADABLE, api=api.path)
    return errcode


def _clean(errmsg: object, request: Request) -> str:
    text = scrub(errmsg[:READ_ERRMSG]) if isinstance(errmsg, str) else ""
    for name in SECRET_PARAMETERS:
        value = request.params.get(name)
        if value:
            text = text.replace(str(value), "***")
    return text
