"""What a page of ours needs for WeCom's JS-SDK: ids and a signature, embedded in it or asked for afterwards."""

from dataclasses import dataclass
from typing import Any

import structlog
from flask import Blueprint, Response, jsonify, request

from wecom_app.errors import AppError, InvalidInput
from wecom_app.services import sdk
from wecom_app.services.ports import TicketKind
from wecom_app.services.sdk import SdkSignature
from wecom_app.web.origins import own_origin
from wecom_app.web.session import csrf_token, signed_in
from wecom_app.web.state import runtime

blueprint = Blueprint("jssdk", __name__)
log = structlog.get_logger(__name__)


@blueprint.get("/api/jssdk/signature")
@signed_in()
def signature() -> Response:
    """Sign an address of ours for a member who is signed in; anybody else's is refused."""
    kind, url = request.args.get("kind", ""), request.args.get("url", "")
    if kind not in list(TicketKind):
        raise InvalidInput("kind 只能是 agent 或 corp")
    return jsonify(_fields(sdk.sign_page(runtime(), TicketKind(kind), url)))


@dataclass(frozen=True)
class Setup:
    """What stands in the page for its script; `problem` says why there is no signature."""

    fields: dict[str, Any]
    problem: str | None = None


def setup() -> Setup:
    """Return the present page's setup, signed if a ticket can be had: without one the script asks again."""
    wecom = runtime().settings.require_wecom()
    url = page_url()
    fields = {"corpId": wecom.corp_id, "agentId": wecom.agent_id, "url": url, "csrf": csrf_token()}
    try:
        signed = sdk.sign_page(runtime(), TicketKind.AGENT, url)
    except AppError as error:
        log.warning("sdk.not_signed", code=error.code)
        return Setup(fields, error.message)
    return Setup({**fields, **_fields(signed)})


def page_url() -> str:
    """Return the present page's address as the browser has it: the signature covers every character.

    Behind a proxy only PUBLIC_BASE_URL knows scheme and host.
    """
    query = request.query_string.decode("latin-1")
    base = own_origin() or request.host_url.rstrip("/")
    return f"{base}{request.path}?{query}" if query else f"{base}{request.path}"


def _fields(signed: SdkSignature) -> dict[str, Any]:
    return {
        "timestamp": signed.timestamp,
        "nonceStr": signed.nonce,
        "signature": signed.signature,
        "corpId": signed.corp_id,
        "agentId": signed.agent_id,
    }
