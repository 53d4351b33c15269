"""`/wecom/callback`: the address WeCom verifies once and then posts its events to.

Every refusal is the same empty 403, so that an attacker learns nothing; what is genuine but could not be
stored is 503, so that WeCom sends it again. `success` is answered only after the commit.
"""

import structlog
from flask import Blueprint, Response, current_app, request
from flask.sansio.blueprints import BlueprintSetupState
from werkzeug.exceptions import RequestEntityTooLarge

from wecom_app.errors import CallbackRejected, Unavailable
from wecom_app.services import inbox
from wecom_app.services.ports import CallbackQuery
from wecom_app.web.flood import Flood, Verdict
from wecom_app.web.state import RUNTIME, runtime

MAX_BODY = 64 * 1024
PATH = "/wecom/callback"
FLOOD = "wecom_app.flood"

blueprint = Blueprint("callback", __name__)
log = structlog.get_logger(__name__)


@blueprint.record
def _install(state: BlueprintSetupState) -> None:
    state.app.extensions[FLOOD] = Flood(state.app.extensions[RUNTIME].clock)


@blueprint.get(PATH, provide_automatic_options=False)
def verify() -> Response:
    """Prove to WeCom that the address is ours: answer the decrypted echostr and nothing else."""
    try:
        text = runtime().cipher.open_echo(_query(), _one("echostr"))
    except CallbackRejected as error:
        return _refuse(error.reason)
    _count("verified")
    return Response(text, mimetype="text/plain")


@blueprint.post(PATH, provide_automatic_options=False)
def receive() -> Response:
    """Store one callback, then say so."""
    with runtime().metrics.callback_seconds.time():
        request.max_content_length = MAX_BODY
        try:
            message = runtime().cipher.open_message(_query(), request.get_data())
        except CallbackRejected as error:
            return _refuse(error.reason)
        except RequestEntityTooLarge:
            return _refuse("too_large")
        try:
            runtime().intake.store(inbox.read(message, runtime().clock.now()))
        except Unavailable:
            _count("not_stored")
            return Response("", 503, {"Retry-After": "1"}, mimetype="text/plain")
        _count("stored")
        return Response("success", mimetype="text/plain")


def _query() -> CallbackQuery:
    return CallbackQuery(_one("msg_signature"), _one("timestamp"), _one("nonce"))


def _one(name: str) -> str:
    """Return a query parameter that was given exactly once."""
    values = request.args.getlist(name)
    if len(values) != 1:
        raise CallbackRejected("parameters")
    return values[0]


def _refuse(reason: str) -> Response:
    _count("refused")
    verdict = _flood().take(request.remote_addr)
    if verdict is Verdict.NOTE:
        log.info("callback.refused", reason=reason)
    elif verdict is Verdict.WARN:
        log.warning("callback.flood", address=request.remote_addr)
    return Response("", 403, mimetype="text/plain")


def _flood() -> Flood:
    found: Flood = current_app.extensions[FLOOD]
    return found


def _count(result: str) -> None:
    runtime().metrics.callback_requests.labels(result).inc()
