"""Log-in at WeCom: `begin` before the browser leaves for WeCom's page, `redeem` and `admit` when it comes back.

The round trip is bound to the browser that began it: a `state` that somebody else brings, or brings again, opens
nothing, so nobody can be made to act in another's session.
"""

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import urlencode

import structlog
from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from wecom_app.config import Settings
from wecom_app.domain.links import is_own_path
from wecom_app.errors import NotAllowed, WeComError
from wecom_app.models import SignInState, Staff
from wecom_app.services import directory, rate_limits, staff
from wecom_app.services.rate_limits import Limit
from wecom_app.services.runtime import Runtime
from wecom_app.services.sessions import GONE, digest

IN_CLIENT = "https://open.weixin.qq.com"
ON_COMPUTER = "https://login.work.weixin.qq.com"
STATE_LIFE = timedelta(minutes=10)
ROUNDS = Limit("sign-in-rounds", 8, timedelta(minutes=1))
"""Beginnings of one browser: more than that is a circle, such as a clock or a cookie that is wrong."""
HOME = "/"
NOT_A_MEMBER = "只有本企业的成员可以使用：当前登录的账号不是本企业成员，请在企业微信中切换到本企业后再打开"
MEMBER_GONE = "你的企业微信账号已停用或已离职，不能使用本系统；如有疑问请联系管理员"

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Round:
    """A log-in that has come back from WeCom."""

    next_path: str
    is_retry: bool


def begin(session: Session, visitor: str, next_path: str, now: datetime, *, is_retry: bool = False) -> str:
    """Write down a log-in of the browser `visitor` and return its `state`; raise TooMany on going round in circles.

    `next_path` is where it leads afterwards, if that is a path of ours, else HOME.
    """
    rate_limits.take(session, now, (ROUNDS, visitor), message="登录反复跳转，请稍等一分钟再试；如一直出现请联系管理员")
    state = secrets.token_hex(32)
    session.add(
        SignInState(
            state_hash=digest(state),
            visitor_hash=digest(visitor),
            next_path=own_path_or_home(next_path),
            is_retry=is_retry,
            created_at=now,
        )
    )
    return state


def redeem(session: Session, state: str, visitor: str, now: datetime) -> Round | None:
    """Use up a `state`; None where it is unknown, used, over ten minutes old, or another browser's."""
    mine = (SignInState.state_hash == digest(state)) & (SignInState.visitor_hash == digest(visitor))
    found = session.execute(
        delete(SignInState).where(mine).returning(SignInState.next_path, SignInState.is_retry, SignInState.created_at)
    ).one_or_none()
    if found is None or found.created_at <= now - STATE_LIFE:
        return None
    return Round(found.next_path, found.is_retry)


def purge(session: Session, now: datetime, limit: int) -> int:
    """Delete up to `limit` log-ins that were not finished in time; return how many."""
    old = select(SignInState.state_hash).where(SignInState.created_at <= now - STATE_LIFE).limit(limit)
    hashes = session.scalars(old).all()
    session.execute(delete(SignInState).where(SignInState.state_hash.in_(hashes)))
    return len(hashes)


def login_url(settings: Settings, callback_url: str, state: str, *, in_client: bool) -> str:
    """Return WeCom's log-in page: without a word inside the client, with a QR code or one click on a computer.

    Sources: Tencent's pages 91022 (oauth2/authorize) and 98152 (wwlogin/sso/login).
    """
    wecom = settings.require_wecom()
    base = settings.wecom_oauth_base_url
    common = {"appid": wecom.corp_id, "redirect_uri": callback_url, "state": state, "agentid": wecom.agent_id}
    if in_client:
        query = urlencode({**common, "response_type": "code", "scope": "snsapi_base"})
        return f"{base or IN_CLIENT}/connect/oauth2/authorize?{query}#wechat_redirect"
    query = urlencode({"login_type": "CorpApp", **common, "lang": "zh"})
    return f"{base or ON_COMPUTER}/wwlogin/sso/login?{query}"


def admit(runtime: Runtime, code: str) -> int:
    """Return the staff id of the member behind a log-in code.

    Raises LoginCodeRefused, NotAllowed with the reason for a person, or another of the WeComError family.
    """
    userid = runtime.wecom.identify(code).userid
    if userid is None:
        raise NotAllowed(NOT_A_MEMBER)
    with runtime.read() as session:
        found = _known(session, userid)
    if found is None or found.status != "active" or not found.name:
        _read_at_wecom(runtime, userid)
        with runtime.write() as session:
            found = session.get_one(Staff, staff.ensure(session, [userid], runtime.clock.now())[userid])
    if found.status in GONE:
        raise NotAllowed(MEMBER_GONE)
    return found.id


def own_path_or_home(path: str) -> str:
    """Return the path if a log-in may lead there: a page of ours that is not part of the log-in itself."""
    return path if is_own_path(path) and not path.startswith("/auth/") else HOME


def _known(session: Session, userid: str) -> Staff | None:
    return session.scalars(select(Staff).where(Staff.userid_key == userid.lower())).one_or_none()


def _read_at_wecom(runtime: Runtime, userid: str) -> None:
    """Learn his name, departments and state before he looks around; what fails here the nightly pull brings."""
    try:
        directory.read_member(runtime, {"userid": userid})
    except WeComError as error:
        log.warning("sign_in.member_not_read", errcode=error.errcode)
