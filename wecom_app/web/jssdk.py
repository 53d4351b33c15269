"""What a page of ours needs for WeCom's JS-SDK: ids and a signature, embedded in it or asked for afterwards."""

from dataclasses import dataclass
from typing import Any

import structlog
from flask import Blueprint, Response, jsonify, request

from wecom_app.errors import AppError, InvalidInput
from wecom_app.services import sdk
from wecom_app.services.ports import TicketKind
from wecom_app.services.sdk import SdkSignature
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
    url = sdk.page_url(runtime().settings, request.url_root, _path())
    fields = {"corpId": wecom.corp_id, "agentId": wecom.agent_id, "url": url, "csrf": csrf_token()}
    try:
        signed = sdk.sign_page(runtime(), TicketKind.AGENT, url)
    except AppError as error:
        log.warning("sdk.not_signed", code=error.code)
        return Setup(fields, error.message)
    return Setup({**fields, **_fields(signed)})


def _path() -> str:
    """Return path and query as the browser wrote them; the signature covers every character."""
    query = request.query_string.decode("latin-1")
    return f"{request.path}?{query}" if query else request.path


def _fields(signed: SdkSignature) -> dict[str, Any]:
    return {
        "timestamp": signed.timestamp,
        "nonceStr": signed.nonce,
        "signature": signed.signature,
        "corpId": signed.corp_id,
        "agentId": signed.agent_id,
    }
