"""Log-in and log-out: `/auth/…` by WeCom, `/admin/login` by password, `/account` for who one is.

WeCom's log-in is a round trip: we send the browser to WeCom with a `state`, WeCom sends it back with a code, and the
code is worth one question to WeCom. Addresses with code and state are left at once for a clean one.
"""

from dataclasses import dataclass
from datetime import timedelta

import structlog
from flask import Blueprint, current_app, redirect, render_template, request, url_for
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from wecom_app.domain.access import ROLE_WORDS, SCOPED_ROLES, Role
from wecom_app.errors import AppError, LoginCodeRefused, NotAllowed, TooMany, WeComThrottled, WeComUnavailable
from wecom_app.models import Staff
from wecom_app.services import administrators, audit, roles, sessions, sign_in
from wecom_app.services.access import Viewer, staff_viewer
from wecom_app.services.sign_in import Round
from wecom_app.web import session as browser
from wecom_app.web.admin.navigation import CONSOLE
from wecom_app.web.origins import own_origin
from wecom_app.web.session import current_session, current_viewer, is_in_client, signed_in
from wecom_app.web.state import runtime

LONGEST_CODE = 512
"""Tencent's page 91022."""
GRACE = timedelta(minutes=5)
"""While WeCom cannot be asked, a session that holds goes on and is asked about again after this."""
CONSOLE_PAGE = "/admin"
NO_ORIGIN = "尚未设置 PUBLIC_BASE_URL，无法登录：请管理员把它设为成员访问本系统的网址，如 https://tags.example.com"
NO_COOKIE = "这次登录不是从当前浏览器发起的，或已超过 10 分钟，或浏览器没有保存 Cookie；请重新登录"
TWICE_REFUSED = "企业微信两次都没有接受登录凭证；请完全退出页面后重新打开，如一直出现请联系管理员"
CANCELLED = "没有完成登录；请重新登录，并在企业微信中确认"


@dataclass(frozen=True)
class Way:
    """A place that the account page leads to, for those who may go there."""

    words: str
    endpoint: str
    roles: tuple[Role, ...]


WAYS = (
    Way("我的客户", "sidebar.mine", (Role.REP,)),
    Way("后台", "admin.home", CONSOLE),
    Way("团队的客户", "admin.customers", (Role.LEADER,)),
)

log = structlog.get_logger(__name__)
blueprint = Blueprint("sign_in", __name__)


@blueprint.get("/auth/wecom")
def leave() -> Response:
    """Send the browser to WeCom's log-in page; `next` is the path that it wants."""
    return _leave(request.args.get("next", ""))


@blueprint.get("/auth/callback")
def come_back() -> Response | tuple[str, int]:
    """Take the browser in that comes back from WeCom, with a session if WeCom says who it is."""
    visitor, now = browser.visitor_token(), runtime().clock.now()
    with runtime().write() as session:
        found = sign_in.redeem(session, request.args.get("state", ""), visitor, now)
    if found is None:
        return _problem(NO_COOKIE)
    code = request.args.get("code", "")
    if not 0 < len(code) <= LONGEST_CODE:
        return _problem(CANCELLED, found.next_path)
    try:
        return _admitted(sign_in.admit(runtime(), code), found)
    except LoginCodeRefused:
        return _problem(TWICE_REFUSED, found.next_path) if found.is_retry else _leave(found.next_path, is_retry=True)
    except (WeComUnavailable, WeComThrottled) as error:
        return _unasked(error, found)
    except AppError as error:
        return _problem(error.message, found.next_path, error.http_status)


@blueprint.post("/auth/sign-out")
def sign_out() -> Response:
    """End the session here; WeCom's own log-in is not touched."""
    with runtime().write() as session:
        sessions.end(session, browser.session_token())
    browser.sign_out()
    return redirect("/auth/signed-out")


@blueprint.get("/auth/signed-out")
def signed_out() -> str:
    """Say that it is done, and offer to come back; reads no session."""
    return render_template("sign_in/signed_out.html")


@blueprint.get("/account")
@signed_in()
def account() -> str:
    """Who is signed in, with which roles and how far they reach."""
    viewer = current_viewer()
    with runtime().read() as session:
        reach = _reach(session, viewer)
    return render_template(
        "sign_in/account.html",
        viewer=viewer,
        roles=[words for role, words in ROLE_WORDS.items() if role in viewer.roles],
        reach=reach,
        ways=[(way.words, url_for(way.endpoint)) for way in WAYS if _is_open(way, viewer)],
    )


@blueprint.get("/")
def home() -> Response:
    """Lead to what the viewer works with."""
    return redirect("/account")


@blueprint.get("/admin/login")
def admin_login() -> str:
    """The log-in of the console: by password, or by WeCom."""
    return _login_page()


@blueprint.post("/admin/login")
def admin_log_in() -> Response | tuple[str, int] | tuple[str, int, dict[str, str]]:
    """Let a local administrator in; a wrong pair shows the form again and says no more than that."""
    name, password = request.form.get("name", ""), request.form.get("password", "")
    try:
        token = administrators.log_in(
            runtime(), name, password, request.remote_addr or "", replaces=browser.session_token()
        )
    except NotAllowed as error:
        return _login_page(name, error.message), 403
    except TooMany as error:
        wait_s = round(error.retry_after_s or 60)
        return (
            _login_page(name, f"{error.message}（约 {max(1, wait_s // 60)} 分钟后可再试）"),
            429,
            {"Retry-After": str(wait_s)},
        )
    browser.sign_in(token)
    return redirect(_wanted(CONSOLE_PAGE))


def _reach(session: Session, viewer: Viewer) -> str:
    """Say in words whose customers the viewer may look at."""
    if viewer.sees_all or viewer.userid is None:
        return "全部客户"
    found = roles.find(session, viewer.userid)
    departments = found.leads | found.scope if viewer.may(*SCOPED_ROLES) else frozenset()
    return "；".join(filter(None, ["自己的客户", roles.scope_words(departments, roles.department_names(session))]))


def _is_open(way: Way, viewer: Viewer) -> bool:
    return way.endpoint in current_app.view_functions and viewer.may(*way.roles)


def _leave(next_path: str, *, is_retry: bool = False) -> Response:
    origin = own_origin()
    if origin is None:
        raise NotAllowed(NO_ORIGIN)
    with runtime().write() as session:
        state = sign_in.begin(session, browser.visitor_token(), next_path, runtime().clock.now(), is_retry=is_retry)
    url = sign_in.login_url(runtime().settings, f"{origin}/auth/callback", state, in_client=is_in_client())
    return redirect(url)


def _admitted(staff_id: int, found: Round) -> Response:
    """Begin a session in place of whatever this browser had, and leave the address that holds the code."""
    now = runtime().clock.now()
    with runtime().write() as session:
        token = sessions.start(session, now, staff_id=staff_id, replaces=browser.session_token())
        viewer = staff_viewer(session, session.get_one(Staff, staff_id))
        audit.record(session, viewer, "session.start", f"staff:{staff_id}", now=now)
    browser.sign_in(token)
    return redirect(found.next_path)


def _unasked(error: AppError, found: Round) -> Response | tuple[str, int]:
    """WeCom cannot be asked: who was confirmed already goes on for a while, anybody else must wait."""
    present = current_session()
    if present is None or present.viewer.staff_id is None:
        return _problem(error.message, found.next_path, 503)
    assert present.viewer.session_id is not None
    period = timedelta(minutes=runtime().settings.sign_in_confirm_minutes)
    with runtime().write() as session:
        sessions.postpone(session, present.viewer.session_id, runtime().clock.now() + GRACE, period)
    log.warning("sign_in.confirmation_postponed", code=error.code)
    return redirect(found.next_path)


def _problem(message: str, next_path: str = sign_in.HOME, status: int = 403) -> tuple[str, int]:
    return render_template("sign_in/problem.html", message=message, next_path=next_path), status


def _login_page(name: str = "", problem: str = "") -> str:
    return render_template("sign_in/admin.html", name=name, problem=problem, next_path=_wanted(CONSOLE_PAGE))


def _wanted(otherwise: str) -> str:
    found = sign_in.own_path_or_home(request.values.get("next", ""))
    return otherwise if found == sign_in.HOME else found
