"""Becoming one of the demo's members: WeCom's own log-in, with the simulated client put into his hands first."""

from urllib.parse import urlencode, urlsplit

from flask import Blueprint, redirect, request
from werkzeug.wrappers import Response

from wecom_app.errors import NotAllowed
from wecom_app.services import sign_in
from wecom_app.web.origins import own_origin
from wecom_app.web.session import visitor_token
from wecom_app.web.sign_in import NO_ORIGIN
from wecom_app.web.state import runtime

LONGEST_USERID = 64


def register(blueprint: Blueprint) -> None:
    """Add the address that leads through the log-in."""
    blueprint.add_url_rule("/as/<userid>", "become", become)


def become(userid: str) -> Response:
    """Sign the browser in as a member, by the way that every member takes, and go on to `next`."""
    return through_log_in(userid, request.args.get("next") or "/playground")


def through_log_in(userid: str, next_path: str) -> Response:
    """Return the redirect that ends at `next_path` with the member signed in.

    The simulator remembers in a cookie who holds the client, and then logs him in without asking, as the real one does.
    """
    origin, given = own_origin(), runtime()
    if origin is None:
        raise NotAllowed(NO_ORIGIN)
    with given.write() as session:
        state = sign_in.begin(session, visitor_token(), next_path, given.clock.now())
    login = urlsplit(sign_in.login_url(given.settings, f"{origin}/auth/callback", state, in_client=False))
    hold = urlencode({"userid": userid[:LONGEST_USERID], "next": f"{login.path}?{login.query}"})
    base = given.settings.wecom_oauth_base_url or given.settings.wecom_api_base_url
    return redirect(f"{base}/_simulator/hold?{hold}")
