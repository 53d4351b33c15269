"""WeCom's log-in pages: inside the client (`/connect/oauth2/authorize`) and by QR code on a computer.

Nobody can be logged in to a simulated client, so the page asks who is holding the phone.
"""

from datetime import timedelta
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from flask import Blueprint, redirect, render_template, request
from werkzeug.wrappers import Response

from wecom_app.simulator.context import Context
from wecom_app.simulator.members import ACTIVE
from wecom_app.simulator.tokens import LoginCode

PROBLEMS = {
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
        if request.args.get("userid") or request.args.get("external_userid"):
            return redirect(_finished(context))
        with context.world.lock:
            members = [item for item in context.world.members if item.status == ACTIVE]
        return render_template("simulator/login.html", members=members, link=_link, corp_name=context.config.corp_name)

    for path in ("/connect/oauth2/authorize", "/wwlogin/sso/login", "/wwopen/sso/qrConnect"):
        blueprint.add_url_rule(path, path, show)
    return blueprint


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
    agent_id = args.get("agentid")
    if agent_id and agent_id not in {str(app.agent_id) for app in config.apps}:
        return 40056
    return None


def _link(userid: str) -> str:
    """Return the address that logs a member in: this page's, with the choice made."""
    return f"{request.path}?{urlencode([*request.args.items(multi=True), ('userid', userid)])}"


def _finished(context: Context) -> str:
    """Return where the browser goes: the application's address with a code that is good once."""
    agent_id = request.args.get("agentid")
    life = timedelta(seconds=context.config.login_code_life_s)
    with context.world.lock:
        member = context.world.members.find(request.args.get("userid", ""))
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
