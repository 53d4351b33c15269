"""externalcontact: live codes (联系我, Tencent's page 92228)."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from wecom_app.simulator.api.endpoint import Call, Endpoint, page
from wecom_app.simulator.contact_ways import ContactWay
from wecom_app.simulator.errcodes import ApiError, Json
from wecom_app.simulator.members import ACTIVE, Member

SINGLE, MULTIPLE = 1, 2
MINI_PROGRAM, QR_CODE = 1, 2
STYLES = (1, 2, 3)
TEXT_LIMIT = 30
"""Characters in `remark` and `state`."""
DAY_S = 86_400
LISTED_SINCE = int(datetime(2021, 7, 10, tzinfo=UTC).timestamp())
"""list_contact_way shows only codes made after this day."""


def add_contact_way(call: Call) -> Json:
    """Make a code."""
    kind, scene = _choice(call, "type", (SINGLE, MULTIPLE), 41037), _choice(call, "scene", (1, 2), 41038)
    world, config = call.world, call.context.config
    if len(world.contact_ways) >= config.contact_way_limit:
        raise ApiError(41045)
    way = ContactWay(config_id="", type=kind, scene=scene, created=world.unix_now(), made_by=str(call.app.agent_id))
    _fill(call, way)
    _check_people(call, way)
    way.config_id = world.ids.hexadecimal()
    if scene == QR_CODE:
        way.qr_code = f"{config.base_url}/wwhead/{way.config_id}/0"
    world.contact_ways.add(way)
    answer = {"config_id": way.config_id}
    return answer | {"qr_code": way.qr_code} if way.qr_code else answer


def _choice(call: Call, name: str, allowed: tuple[int, ...], missing: int) -> int:
    """Return a number out of a few; the code for a wrong one is two above that for a missing one."""
    value = call.body.get(name)
    if value is None:
        raise ApiError(missing)
    if isinstance(value, bool) or value not in allowed:
        raise ApiError(missing + 2)
    return int(value)


def _fill(call: Call, way: ContactWay) -> None:
    """Take over the fields of the body; lists replace what was there."""
    body = call.body
    if way.scene == MINI_PROGRAM and body.get("style", 1) not in STYLES:
        raise ApiError(41042)
    for name in ("remark", "state"):
        value = call.optional_text(name, TEXT_LIMIT)
        if value is not None:
            setattr(way, name, value)
    for name in ("skip_verify", "is_temp", "is_exclusive"):
        if name in body:
            setattr(way, name, _flag(body[name]))
    way.style = body.get("style", way.style)
    if "user" in body:
        way.user = call.texts("user")
    if "party" in body:
        way.party = _parties(call, body["party"])
    way.expires_in = call.integer("expires_in", way.expires_in or 7 * DAY_S, 1, 14 * DAY_S)
    way.chat_expires_in = call.integer("chat_expires_in", way.chat_expires_in or DAY_S, 1, 14 * DAY_S)
    way.unionid = call.optional_text("unionid") or way.unionid
    way.conclusions = body.get("conclusions", way.conclusions)


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ApiError(40058)
    return value


def _parties(call: Call, value: Any) -> list[int]:
    if not isinstance(value, list) or any(isinstance(item, bool) for item in value):
        raise ApiError(40058)
    if not set(value) <= set(call.world.members.departments):
        raise ApiError(60123)
    return list(value)


def _check_people(call: Call, way: ContactWay) -> None:
    if way.type == SINGLE and (len(way.user) != 1 or way.party):
        raise ApiError(40058 if way.user or way.party else 40063)
    if not way.user and not way.party:
        raise ApiError(40063)
    way.user = list(dict.fromkeys(_usable(call, userid).userid for userid in way.user))
    people = {*way.user, *(member.userid for member in call.world.members.inside(way.party))}
    if len(people) > call.context.config.contact_way_members:
        raise ApiError(41041)


def _usable(call: Call, userid: str) -> Member:
    """Return a member who can stand behind a code, or refuse the code."""
    member = call.world.members.find(userid) if userid else None
    if member is None:
        raise ApiError(60111 if not userid else 40003)
    if not call.context.sees(call.app, member.userid) or not member.customer_contact:
        raise ApiError(84074)
    if member.status != ACTIVE:
        raise ApiError(41054)
    if not member.verified:
        raise ApiError(40098)
    return member


def _known(call: Call) -> ContactWay:
    way = call.world.contact_ways.find(call.text("config_id", missing=41043))
    if way is None:
        raise ApiError(41044)
    return way


def get_contact_way(call: Call) -> Json:
    """Answer a code with all its fields."""
    return {"contact_way": describe_contact_way(_known(call))}


def describe_contact_way(way: ContactWay) -> Json:
    """Return a code as get_contact_way shows it."""
    described: Json = {
        "config_id": way.config_id,
        "type": way.type,
        "scene": way.scene,
        "style": way.style,
        "remark": way.remark,
        "skip_verify": way.skip_verify,
        "state": way.state,
        "qr_code": way.qr_code,
        "user": way.user,
        "party": way.party,
        "is_temp": way.is_temp,
        "is_exclusive": way.is_exclusive,
    }
    if way.is_temp:
        described |= {
            "expires_in": way.expires_in,
            "chat_expires_in": way.chat_expires_in,
            "unionid": way.unionid,
            "conclusions": way.conclusions or {},
        }
    return described


def list_contact_way(call: Call) -> Json:
    """Answer the ids of the codes made within a time, temporary ones left out."""
    now = call.world.unix_now()
    start = max(call.integer("start_time", now - 90 * DAY_S, 0, 2**40), LISTED_SINCE)
    end = call.integer("end_time", now, 0, 2**40)
    limit = call.integer("limit", 100, 1, 1000)
    found = [
        {"config_id": way.config_id}
        for way in call.world.contact_ways
        if start <= way.created <= end and not way.is_temp
    ]
    items, cursor = page(found, call.body.get("cursor"), limit, "contact_way")
    return {"contact_way": items} | ({"next_cursor": cursor} if cursor else {})


def update_contact_way(call: Call) -> Json:
    """Change a code; its type and scene stay, and so does the picture that has been printed."""
    way = _known(call)
    if way.is_expired(call.world.unix_now()):
        raise ApiError(41044)
    changed = replace(way)
    _fill(call, changed)
    if (changed.user, changed.party) != (way.user, way.party):
        _check_people(call, changed)
    call.world.contact_ways.add(changed)
    return {}


def del_contact_way(call: Call) -> Json:
    """Delete a code."""
    call.world.contact_ways.remove(_known(call).config_id)
    return {}


def close_temp_chat(call: Call) -> Json:
    """End a temporary chat; only the relation is checked."""
    call.relation()
    return {}


ENDPOINTS = {
    "externalcontact/add_contact_way": Endpoint(add_contact_way, is_customer_contact=True),
    "externalcontact/get_contact_way": Endpoint(get_contact_way, is_customer_contact=True),
    "externalcontact/list_contact_way": Endpoint(
        list_contact_way, {"contact_way": []}, is_customer_contact=True, answer_list="contact_way"
    ),
    "externalcontact/update_contact_way": Endpoint(update_contact_way, is_customer_contact=True),
    "externalcontact/del_contact_way": Endpoint(del_contact_way, is_customer_contact=True),
    "externalcontact/close_temp_chat": Endpoint(close_temp_chat, is_customer_contact=True),
}
