"""What a person does in the playground in somebody's place; everything happens at the simulator, over HTTP."""

from collections.abc import Callable, Mapping
from typing import Annotated, Literal

from flask import Blueprint, Response, jsonify
from pydantic import Field

from wecom_app.errors import NoSession
from wecom_app.services import channels
from wecom_app.web.api.schemas import Given
from wecom_app.web.incoming import body
from wecom_app.web.playground import switches
from wecom_app.web.playground.corp import Json, corp
from wecom_app.web.session import current_session
from wecom_app.web.state import runtime

Id = Annotated[str, Field(min_length=1, max_length=128)]


class Scanning(Given):
    config_id: Id
    external_userid: Id | None = None
    name: Annotated[str, Field(max_length=20)] | None = None


class CustomerAct(Given):
    """Something between a customer and the member who is signed in."""

    kind: Literal["reply", "delete", "mark", "unmark"]
    external_userid: Id
    tag_id: Id | None = None


class Turning(Given):
    name: Id
    on: bool


def register(blueprint: Blueprint) -> None:
    """Add the acts."""
    blueprint.add_url_rule("/scan", "scan", scan, methods=["POST"])
    blueprint.add_url_rule("/act", "act", act, methods=["POST"])
    blueprint.add_url_rule("/faults", "turn", turn, methods=["POST"])
    blueprint.add_url_rule("/faults", "recover", recover, methods=["DELETE"])


def scan() -> Response:
    """Let a customer scan a live code; of its members the one who is signed in answers, if he is among them."""
    asked, userid = body(Scanning), member()
    with runtime().read() as session:
        of_code = [item for item in channels.list_channels(session) if item.config_id == asked.config_id]
    request = asked.model_dump(exclude_none=True)
    if any(userid in item.staff for item in of_code):
        request["userid"] = userid
    return jsonify(corp().send("POST", "scan", request))


def act() -> Response:
    """Let the customer, or the member in WeCom's own client, do something."""
    asked, userid = body(CustomerAct), member()
    if userid is None:
        raise NoSession("请先选一位导购")
    return jsonify(corp().send("POST", "act", ACTS[asked.kind](asked, userid)))


def turn() -> Response:
    """Turn one fault on or off."""
    asked = body(Turning)
    switches.turn(corp(), asked.name, on=asked.on)
    return jsonify({})


def recover() -> Response:
    """End all faults."""
    corp().send("DELETE", "faults", {})
    return jsonify({})


def member() -> str | None:
    """Return the userid of the member who is signed in; None where nobody is."""
    present = current_session()
    return present.viewer.userid if present else None


def _by_customer(kind: str) -> Callable[[CustomerAct, str], Json]:
    return lambda asked, userid: {"as": asked.external_userid, "kind": kind, "userid": userid}


def _marking(part: str) -> Callable[[CustomerAct, str], Json]:
    return lambda asked, userid: {
        "as": userid,
        "kind": "mark",
        "external_userid": asked.external_userid,
        part: [asked.tag_id],
    }


ACTS: Mapping[str, Callable[[CustomerAct, str], Json]] = {
    "reply": _by_customer("chat"),
    "delete": _by_customer("delete_staff"),
    "mark": _marking("add"),
    "unmark": _marking("remove"),
}
"""The act at the simulator behind each of ours."""
