"""WeCom's log-in pages: inside the client (`/connect/oauth2/authorize`) and by QR code on a computer.

Nobody can be logged in to a simulated client, so the page asks who is holding the phone, unless the browser has a
cookie that says so: `/_simulator/hold?userid=zhang` sets it, and from then on log-in is silent as in the real client.
"""

import re
from datetime import timedelta
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from flask import Blueprint, redirect, render_template, request
from werkzeug.wrappers import Response

from wecom_app.simulator.context import Context
from wecom_app.simulator.members import ACTIVE
from wecom_app.simulator.tokens import LoginCode

HOLDER = "simulated_member"
STATE = re.compile(r"[a-zA-Z0-9]{0,128}")
SSO = "/wwlogin/sso/login"
LOGIN_TYPES = frozenset({"CorpApp", "ServiceApp"})
PROBLEMS = {
    40058: "state 只能是 128 个以内的字母和数字，login_type 只能是 CorpApp 或 ServiceApp",
    40013: "企业 ID（appid）不对",
    50001: "redirect_uri 的域名与应用的可信域名不一致",
    40056: "没有这个应用（agentid）",
    10003: "缺少 redirect_uri，或不是网址",
}


def make_login_pages(context: Context) -> Blueprint:
    """Return the routes of both log-in paths."""
    blueprint = Blueprint("login", __name__)

    def show() -> Response | tuple[str, int] | str:
        problem = _problem(context)
        if problem is not None:
            return render_template("simulator/problem.html", errcode=problem, text=PROBLEMS[problem]), 400
        userid = request.args.get("userid") or _holder(context)
        if userid or request.args.get("external_userid"):
            return redirect(_finished(context, userid))
        with context.world.lock:
            members = [item for item in context.world.members if item.status == ACTIVE]
        return render_template("simulator/login.html", members=members, link=_link, corp_name=context.config.corp_name)

    def hold() -> Response:
        """Put the phone into a member's hands, or with no userid down; leads to `next` on this host."""
        answer = redirect("/" + request.args.get("next", "").lstrip("/\\"))
        answer.set_cookie(HOLDER, request.args.get("userid", ""), httponly=True, samesite="Lax")
        return answer

    for path in ("/connect/oauth2/authorize", SSO, "/wwopen/sso/qrConnect"):
        blueprint.add_url_rule(path, path, show)
    blueprint.add_url_rule("/_simulator/hold", "hold", hold)
    return blueprint


def _holder(context: Context) -> str | None:
    """Return whom the browser's cookie names, if he can log in."""
    with context.world.lock:
        member = context.world.members.find(request.cookies.get(HOLDER, ""))
        return member.userid if member and member.status == ACTIVE else None


def _problem(context: Context) -> int | None:
    """Return why WeCom would show an error instead of logging anybody in."""
    config, args = context.config, request.args
    target = urlsplit(args.get("redirect_uri", ""))
    if args.get("appid") != config.corp_id:
        return 40013
    if target.scheme not in {"http", "https"} or not target.netloc:
        return 10003
    if config.trusted_domains is not None and target.netloc not in config.trusted_domains:
        return 50001
    if not _is_well_formed():
        return 40058
    agent_id = args.get("agentid")
    if request.path == SSO and args.get("login_type") == "CorpApp" and not agent_id:
        return 40056
    if agent_id and agent_id not in {str(app.agent_id) for app in config.apps}:
        return 40056
    return None


def _is_well_formed() -> bool:
    args = request.args
    if request.path == SSO and args.get("login_type") not in LOGIN_TYPES:
        return False
    return STATE.fullmatch(args.get("state", "")) is not None


def _link(userid: str) -> str:
    """Return the address that logs a member in: this page's, with the choice made."""
    return f"{request.path}?{urlencode([*request.args.items(multi=True), ('userid', userid)])}"


def _finished(context: Context, userid: str | None) -> str:
    """Return where the browser goes: the application's address with a code that is good once."""
    agent_id = request.args.get("agentid")
    life = timedelta(seconds=context.config.login_code_life_s)
    with context.world.lock:
        member = context.world.members.find(userid or "")
        code = context.world.tokens.issue_code(
            LoginCode(
                member.userid if member else None,
                request.args.get("external_userid"),
                int(agent_id) if agent_id else None,
                context.world.now() + life,
            )
        )
    target = urlsplit(request.args["redirect_uri"])
    query = parse_qsl(target.query, keep_blank_values=True)
    added = [("code", code), ("state", request.args.get("state", ""))]
    return urlunsplit(target._replace(query=urlencode(query + added), fragment=""))
