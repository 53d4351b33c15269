"""The simulator's own interface, `/_simulator/…`: everything that WeCom's API has no word for.

Used by tests in other processes, the playground and the load run; never by the application itself.
"""

import hashlib
from collections.abc import Callable

from flask import Blueprint, Response, jsonify, request

from wecom_app.errors import InvalidInput, NotFound
from wecom_app.simulator import sample, state
from wecom_app.simulator.acts.table import perform
from wecom_app.simulator.context import Context
from wecom_app.simulator.errcodes import Json
from wecom_app.simulator.scans import scan

Answer = Callable[[Context, Json], Json]
PAGE = 1000
MEMBER_FIELDS = frozenset(
    {
        "userid",
        "name",
        "department",
        "status",
        "position",
        "customer_contact",
        "verified",
        "licensed",
        "customer_limit",
    }
)


def make_control(context: Context) -> Blueprint:
    """Return the routes below `/_simulator/`."""
    blueprint = Blueprint("control", __name__, url_prefix="/_simulator")
    for rule, method, answer in ROUTES:
        blueprint.add_url_rule(rule, f"{method} {rule}", _bound(context, answer), methods=[method])
    return blueprint


def _bound(context: Context, answer: Answer) -> Callable[[], Response]:
    def view() -> Response:
        return jsonify(answer(context, _body()))

    return view


def _body() -> Json:
    if not request.get_data():
        return {}
    body = request.get_json(force=True, silent=True)
    if not isinstance(body, dict):
        raise InvalidInput("请求体应是 JSON 对象")
    return body


def _act(context: Context, body: Json) -> Json:
    items = body.get("acts")
    if isinstance(items, list):
        return {"results": [perform(context, item) for item in items]}
    return perform(context, body)


def get_faults(context: Context, _: Json) -> Json:
    """Return the disturbances in force."""
    return context.faults.as_dict()


def _put_faults(context: Context, body: Json) -> Json:
    context.faults.put(body)
    context.callbacks.wake()
    return get_faults(context, body)


def _patch_faults(context: Context, body: Json) -> Json:
    context.faults.set(**body)
    context.callbacks.wake()
    return get_faults(context, body)


def _delete_faults(context: Context, _: Json) -> Json:
    return _put_faults(context, {})


def _state(context: Context, _: Json) -> Json:
    named = request.args.get("parts")
    return state.describe(context, named.split(",") if named else None)


def _calls(context: Context, _: Json) -> Json:
    since = request.args.get("since", 0, type=int)
    items, following = context.calls.since(since, request.args.get("limit", PAGE, type=int))
    return {"items": [item.as_dict() for item in items], "next": following}


def _about(context: Context, _: Json) -> Json:
    limit = request.args.get("limit", 100, type=int)
    return state.describe_about(context, request.args.get("external_userid", ""), limit)


def _clock(context: Context, body: Json) -> Json:
    """Move the corp's time forward by `advance_s`, or set its distance from ours as `offset_s`."""
    for name in ("advance_s", "offset_s"):
        if name in body and not isinstance(body[name], int | float):
            raise InvalidInput(f"{name} 应是秒数")
    if "offset_s" in body:
        context.clock.offset_s = float(body["offset_s"])
    context.clock.offset_s += float(body.get("advance_s", 0.0))
    context.callbacks.wake()
    return {"now": context.clock.now().isoformat(), "offset_s": context.clock.offset_s}


def _members(context: Context, body: Json) -> Json:
    """Add members without events: one, a list in `members`, or the sample company."""
    if body.get("sample"):
        sample.fill(context.world)
    items = body.get("members", [] if body.get("sample") else [body])
    for item in items:
        if not isinstance(item, dict) or not item.get("userid") or not MEMBER_FIELDS.issuperset(item):
            raise InvalidInput("成员需要 userid 与 name", details={"known": sorted(MEMBER_FIELDS)})
        context.world.add_member(**({"name": item["userid"]} | item))
    return {"members": [member.userid for member in context.world.members]}


def _reset(context: Context, _: Json) -> Json:
    context.world.reset()
    context.callbacks.reset()
    context.calls.clear()
    context.limits.reset()
    context.faults.clear()
    return {}


def _verify(context: Context, body: Json) -> Json:
    return context.callbacks.verify(body.get("callback_url"))


def _callbacks(context: Context, body: Json) -> Json:
    """Deliver a past event once more: `repeat` is its `seq` in the state."""
    seq = body.get("repeat")
    if not isinstance(seq, int) or not context.callbacks.repeat(seq):
        raise NotFound("没有这个回调")
    return {"waiting": context.callbacks.waiting()}


def _waiting(context: Context, _: Json) -> Json:
    return {"waiting": context.callbacks.waiting(), "url": context.callbacks.url}


def _signature(context: Context, body: Json) -> Json:
    """Check a signature of the JS-SDK as the WeCom client does (Tencent's page 90506)."""
    kind = "corp" if body.get("kind") == "corp" else "agent"
    agent_id = body.get("agent_id", context.config.agent_id)
    app = next((item for item in context.config.apps if str(item.agent_id) == str(agent_id)), None)
    ticket = context.world.tokens.ticket_value(kind, app) if app else None
    if ticket is None:
        return {"ok": False, "reason": "还没有取过票据"}
    text = (
        f"jsapi_ticket={ticket}&noncestr={body.get('noncestr')}"
        f"&timestamp={body.get('timestamp')}&url={str(body.get('url')).split('#', 1)[0]}"
    )
    expected = hashlib.sha1(text.encode()).hexdigest()  # noqa: S324  WeCom's protocol demands SHA-1
    return {"ok": expected == body.get("signature")}


ROUTES: tuple[tuple[str, str, Answer], ...] = (
    ("/scan", "POST", scan),
    ("/act", "POST", _act),
    ("/faults", "GET", get_faults),
    ("/faults", "PUT", _put_faults),
    ("/faults", "PATCH", _patch_faults),
    ("/faults", "DELETE", _delete_faults),
    ("/state", "GET", _state),
    ("/calls", "GET", _calls),
    ("/about", "GET", _about),
    ("/clock", "POST", _clock),
    ("/clock", "GET", _clock),
    ("/members", "POST", _members),
    ("/reset", "POST", _reset),
    ("/verify", "POST", _verify),
    ("/callbacks", "POST", _callbacks),
    ("/callbacks", "GET", _waiting),
    ("/signature", "POST", _signature),
)
