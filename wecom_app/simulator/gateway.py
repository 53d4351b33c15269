"""The way of one API call: faults, token, limits, handler, answer, log. A WSGI application of its own,
so that a lost connection can pass through it as an exception to whatever serves it.
"""

import json
from collections.abc import Iterable, Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from typing import Any

from werkzeug.wrappers import Request, Response

from wecom_app.simulator.api.endpoint import Call, Endpoint
from wecom_app.simulator.context import Context
from wecom_app.simulator.errcodes import ApiError, Caller, Json, failure, success
from wecom_app.simulator.faults import TRANSPORT_KINDS, LostReply, Plan, TimedOut
from wecom_app.simulator.limits import HOUR_S, MINUTE_S
from wecom_app.simulator.members import key_of

PREFIX = "/cgi-bin/"
READ_TIMEOUT_KEY = "simulator.read_timeout_s"
"""WSGI environ key: how long an in-process caller waits for the answer."""
HANGING_S = 30.0
"""How long a `timeout` fault keeps a caller that waits without limit."""
BAD_GATEWAY = "<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body>nginx</body>\r\n</html>\r\n"
NOT_JSON = "<!DOCTYPE html><html><body>系统维护中</body></html>"
PARTIAL_KINDS = frozenset({"partial", "partial_lost"})
LOST_KINDS = frozenset({"lost_reply", "partial_lost"})
SECRET_PARAMETERS = frozenset({"access_token", "corpsecret", "key", "code"})


@dataclass
class Outcome:
    """What the call log needs to know at the end."""

    errcode: int | None = None


class Gateway:
    """Answers everything below `/cgi-bin/`."""

    def __init__(self, context: Context, endpoints: Mapping[str, Endpoint]) -> None:
        self._context = context
        self._endpoints = endpoints

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        request = Request(environ)
        api = request.path[len(PREFIX) :]
        endpoint = self._endpoints.get(api)
        if endpoint is None:
            # A path that WeCom does not know is answered with an empty 404, not with JSON.
            return Response(status=404)(environ, start_response)
        try:
            call = _read(self._context, request, api)
            response = self._answer(call, endpoint, environ.get(READ_TIMEOUT_KEY))
        finally:
            request.close()
        # A client measures from this header how far its own time is from WeCom's.
        response.date = self._context.clock.now()
        return response(environ, start_response)

    def _answer(self, call: Call, endpoint: Endpoint, read_timeout_s: float | None) -> Response:
        clock = self._context.clock
        started, at = clock.monotonic(), clock.now().isoformat()
        plan = self._context.faults.plan(call.api)
        request = _logged(call)
        outcome = Outcome()
        try:
            return self._run(call, endpoint, plan, read_timeout_s, outcome)
        finally:
            self._context.calls.append(
                at=at,
                api=call.api,
                request=request,
                errcode=outcome.errcode,
                duration_s=round(clock.monotonic() - started, 6),
                fault=plan.kind or ("latency" if plan.latency_s else None),
                agent_id=call.caller.agent_id if call.caller else None,
            )

    def _run(
        self, call: Call, endpoint: Endpoint, plan: Plan, read_timeout_s: float | None, outcome: Outcome
    ) -> Response:
        result: Json | Response
        with ExitStack() as held:
            try:
                self._hold(call, held)
                self._wait(plan, read_timeout_s)
                if plan.kind in TRANSPORT_KINDS:
                    return self._broken(call, endpoint, plan, read_timeout_s)
                result = self._handle(call, endpoint, plan)
            except ApiError as error:
                result = self._refusal(call, endpoint, error)
        if plan.kind in LOST_KINDS:
            raise LostReply
        if _is_late(plan, read_timeout_s):
            raise TimedOut
        if isinstance(result, Response):
            outcome.errcode = 0
            return result
        outcome.errcode = result["errcode"]
        return _json(result)

    def _hold(self, call: Call, held: ExitStack) -> None:
        """Take this call's place among those under way, for as long as it is."""
        limits, rates = self._context.limits, self._context.faults.settings.rates
        held.enter_context(limits.running(call.api, rates.concurrency))
        held.enter_context(limits.pair(_pair(call) if rates.pair_lock else None))

    def _wait(self, plan: Plan, read_timeout_s: float | None) -> None:
        """Let the latency pass, at most as long as the caller waits."""
        if plan.latency_s:
            self._sleep(plan.latency_s if read_timeout_s is None else min(plan.latency_s, read_timeout_s))

    def _sleep(self, seconds: float) -> None:
        clock = self._context.clock
        clock.sleep_until(clock.monotonic() + seconds)

    def _broken(self, call: Call, endpoint: Endpoint, plan: Plan, read_timeout_s: float | None) -> Response:
        """Answer as something between the caller and WeCom does."""
        if plan.kind == "http_502":
            return Response(BAD_GATEWAY, status=502, content_type="text/html")
        if plan.kind == "html":
            return Response(NOT_JSON, content_type="text/html; charset=utf-8")
        if plan.kind != "timeout":
            raise LostReply
        self._sleep(HANGING_S if read_timeout_s is None else read_timeout_s)
        if plan.applied:
            with suppress(ApiError):
                self._admit(call, endpoint)
                self._apply(call, endpoint)
        raise TimedOut

    def _handle(self, call: Call, endpoint: Endpoint, plan: Plan) -> Json | Response:
        self._admit(call, endpoint)
        if plan.kind == "errcode":
            if plan.applied:
                self._apply(call, endpoint)
            raise ApiError(plan.errcode)
        if plan.kind == "silent_ok":
            return success(dict(endpoint.defaults))
        if plan.kind in PARTIAL_KINDS:
            for name in endpoint.request_lists:
                call.body = _halved(call.body, name)
        result = self._apply(call, endpoint)
        if isinstance(result, Response):
            return result
        return success(_disturbed(result, call, endpoint, plan), wrong_json=call.wrong_json)

    def _admit(self, call: Call, endpoint: Endpoint) -> None:
        """Check the token first, then the address, the right to this API, and the limits."""
        context = self._context
        if endpoint.needs_token:
            token = call.query.get("access_token")
            if not token:
                raise ApiError(41001)
            with context.world.lock:
                call.caller = context.world.tokens.app_of(token, context.world.now())
            trusted = context.faults.settings.trusted_ips
            if trusted is not None and call.remote not in trusted:
                raise ApiError(60020)
        if endpoint.is_customer_contact and not context.may_contact(call.app):
            raise ApiError(48002)
        if endpoint.is_limited:
            rates = context.faults.settings.rates
            context.limits.count(call.api, rates.per_minute, MINUTE_S)
            context.limits.count(call.api, rates.per_hour, HOUR_S)

    def _apply(self, call: Call, endpoint: Endpoint) -> Json | Response:
        with self._context.world.lock:
            return endpoint.handler(call)

    def _refusal(self, call: Call, endpoint: Endpoint, error: ApiError) -> Json:
        world = self._context.world
        caller = Caller(call.remote, world.unix_now(), len(self._context.calls))
        return failure(error, dict(endpoint.defaults), caller, wrong_json=call.wrong_json)


def _read(context: Context, request: Request, api: str) -> Call:
    """Read a call. The client sends no Content-Type with its JSON, so none is asked for."""
    query = request.args.to_dict()
    call = Call(context, api, query, {}, request.remote_addr or "127.0.0.1")
    if request.mimetype == "multipart/form-data":
        call.files = request.files.to_dict()
        return call
    raw = request.get_data()
    if not raw:
        return call
    try:
        body = json.loads(raw)
    except ValueError:
        body = None
    if isinstance(body, dict):
        call.body = body
    else:
        call.wrong_json = True
    return call


def _logged(call: Call) -> Json:
    shown: Json = {name: value for name, value in call.query.items() if name not in SECRET_PARAMETERS}
    if call.files:
        shown |= {"file": next(iter(call.files.values())).filename}
    return shown | call.body


def _pair(call: Call) -> tuple[str, str] | None:
    """Return the member and customer that a mark_tag is about."""
    if call.api != "externalcontact/mark_tag":
        return None
    return key_of(str(call.body.get("userid"))), str(call.body.get("external_userid"))


def _is_late(plan: Plan, read_timeout_s: float | None) -> bool:
    return read_timeout_s is not None and plan.latency_s > read_timeout_s


def _disturbed(result: Json, call: Call, endpoint: Endpoint, plan: Plan) -> Json:
    """Return an answer with its list cut or doubled, or with a cursor that leads nowhere."""
    name = endpoint.answer_list
    if plan.kind == "circle" and call.body.get("cursor"):
        return result | {"next_cursor": call.body["cursor"]}
    if name is not None and plan.kind in PARTIAL_KINDS:
        return _halved(result, name)
    if name is not None and plan.kind == "doubled":
        return result | {name: [*result[name], *result[name]]}
    return result


def _halved(values: Json, name: str) -> Json:
    """Return the object with the second half of a list cut off."""
    items = values.get(name)
    if not isinstance(items, list):
        return values
    return values | {name: items[: (len(items) + 1) // 2 if len(items) > 1 else 0]}


def _json(result: Json) -> Response:
    # Tencent repeats the two values in headers.
    headers = {"error-code": str(result["errcode"]), "error-msg": result["errmsg"]}
    return Response(
        json.dumps(result, ensure_ascii=False),
        content_type="application/json; charset=UTF-8",
        headers=headers,
    )
