"""auth/getuserinfo and its predecessor: who has logged in (Tencent's pages 91023 and 98176)."""

from wecom_app.simulator.api.endpoint import Call, Endpoint
from wecom_app.simulator.errcodes import ApiError, Json
from wecom_app.simulator.tokens import LoginCode


def _login(call: Call) -> LoginCode:
    code = call.query.get("code")
    if not code:
        raise ApiError(41008)
    login = call.world.tokens.redeem(code, call.world.now())
    if login.agent_id is not None and login.agent_id != call.app.agent_id:
        raise ApiError(40029)
    return login


def get_user_info(call: Call) -> Json:
    """Answer a member by `userid`, anybody else by `openid`."""
    login = _login(call)
    if login.userid is not None:
        return {"userid": login.userid}
    known = {"external_userid": login.external_userid} if login.external_userid else {}
    return {"openid": f"o{login.external_userid or 'unknown'}", **known}


def get_user_info_old(call: Call) -> Json:
    """The older path spells the same with capitals."""
    login = _login(call)
    if login.userid is not None:
        return {"UserId": login.userid, "DeviceId": ""}
    return {"OpenId": f"o{login.external_userid or 'unknown'}", "DeviceId": ""}


ENDPOINTS = {
    # Tencent's page 90454: auth/getuserinfo with a valid code does not count towards the limits.
    "auth/getuserinfo": Endpoint(get_user_info, is_limited=False),
    "user/getuserinfo": Endpoint(get_user_info_old, is_limited=False),
}
