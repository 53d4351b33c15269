"""gettoken, the tickets of the JS-SDK and the address lists; limits in Tencent's pages 91039 and 90506."""

from wecom_app.simulator.api.endpoint import Call, Endpoint
from wecom_app.simulator.config import AppConfig
from wecom_app.simulator.errcodes import ApiError, Json
from wecom_app.simulator.limits import HOUR_S
from wecom_app.simulator.tokens import Token

WRONG_SECRETS = "gettoken:refused"


def get_token(call: Call) -> Json:
    """Answer an access token; refused attempts count towards an hour's lock (45009)."""
    if call.context.limits.is_blocked(WRONG_SECRETS, HOUR_S):
        raise ApiError(45009)
    try:
        app = _app_of_secret(call)
    except ApiError:
        call.context.limits.is_within(WRONG_SECRETS, call.context.config.wrong_secrets_per_hour, HOUR_S)
        raise
    trusted = call.context.faults.settings.trusted_ips
    if trusted is not None and call.remote not in trusted:
        raise ApiError(60020)
    call.caller = app
    faults = call.context.faults.settings.token
    token = call.world.tokens.access_token(app, call.world.now(), life_s=faults.expires_in, rotate=faults.rotate)
    return {"access_token": token.value, "expires_in": _seconds_left(call, token)}


def _app_of_secret(call: Call) -> AppConfig:
    corp_id, secret = call.query.get("corpid"), call.query.get("corpsecret")
    if not secret or not corp_id:
        raise ApiError(41004)
    if corp_id != call.context.config.corp_id:
        raise ApiError(40013)
    app = next((item for item in call.context.config.apps if item.secret == secret), None)
    if app is None:
        raise ApiError(40001)
    return app


def _seconds_left(call: Call, token: Token) -> int:
    return round((token.expires_at - call.world.now()).total_seconds())


def _ticket(call: Call, kind: str) -> Json:
    config, limits = call.context.config, call.context.limits
    limits.count("ticket:corp", config.tickets_per_hour_corp, HOUR_S)
    limits.count(f"ticket:{call.app.agent_id}", config.tickets_per_hour_app, HOUR_S)
    ticket = call.world.tokens.ticket(kind, call.app, call.world.now())
    return {"ticket": ticket.value, "expires_in": _seconds_left(call, ticket)}


def get_jsapi_ticket(call: Call) -> Json:
    """Answer the corp's ticket, for `wx.config`."""
    return _ticket(call, "corp")


def get_ticket(call: Call) -> Json:
    """Answer the app's ticket, for `wx.agentConfig`; any other type is 91040."""
    if call.query.get("type") != "agent_config":
        raise ApiError(91040)
    return _ticket(call, "agent")


def get_callback_ip(_: Call) -> Json:
    """Answer the addresses that callbacks come from; Tencent writes ranges with a star."""
    return {"ip_list": ["127.0.0.1", "101.226.103.*"]}


def get_api_domain_ip(_: Call) -> Json:
    """Answer the addresses of the API."""
    return {"ip_list": ["127.0.0.1", "182.254.11.176"]}


ENDPOINTS = {
    "gettoken": Endpoint(get_token, needs_token=False),
    "get_jsapi_ticket": Endpoint(get_jsapi_ticket),
    "ticket/get": Endpoint(get_ticket),
    "getcallbackip": Endpoint(get_callback_ip, {"ip_list": []}),
    "get_api_domain_ip": Endpoint(get_api_domain_ip, {"ip_list": []}),
}
