"""Local administrators, who have a password: for set-up, and for the day WeCom's log-in does not work.

Guessing is bounded by name, by address and in all, and never locks anybody out for longer than a window.
"""

import ipaddress
import unicodedata
from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from wecom_app.errors import InvalidInput, NameTaken, NotAllowed, NotFound
from wecom_app.models import LocalAdmin
from wecom_app.services import audit, rate_limits, sessions
from wecom_app.services.access import admin_viewer
from wecom_app.services.rate_limits import Counted, Limit
from wecom_app.services.runtime import Runtime

SHORTEST, LONGEST = 12, 128
LEAST_DIFFERENT = 6
"""Different characters that a password must have."""
LEAST_NAME = 4
"""A shorter name may well stand in a good password by chance."""
COMMON = ("password", "12345678", "87654321", "qwertyui", "admin123", "abcdefgh", "iloveyou", "woaini")
WINDOW = timedelta(minutes=10)
BY_NAME = Limit("password-name", 10, WINDOW)
BY_ADDRESS = Limit("password-address", 10, WINDOW)
IN_ALL = Limit("password-all", 20, WINDOW)
"""However many addresses guess at however many names, no more passwords than this are looked at."""
WRONG = "用户名或密码不正确"
WAIT = "尝试次数过多，请稍后再试；也可以改用企业微信登录"


def create(session: Session, name: str, password: str, now: datetime) -> LocalAdmin:
    """Make an administrator; raise InvalidInput for a name or password that will not do, NameTaken for a twin."""
    shown = name.strip()
    if not 1 <= len(shown) <= 64 or not shown.isprintable():
        raise InvalidInput("用户名需为 1 到 64 个可见字符")
    if _found(session, shown) is not None:
        raise NameTaken("已有同名的管理员，请换一个名字，或用 admin reset-password 重设密码")
    admin = LocalAdmin(
        name=shown,
        name_key=_key(shown),
        password_hash=_hashed(shown, password),
        created_at=now,
        password_set_at=now,
    )
    session.add(admin)
    session.flush()
    audit.record_command(session, "admin.create", f"admin:{admin.id}", now=now)
    return admin


def list_admins(session: Session) -> Sequence[LocalAdmin]:
    """Return all administrators, the disabled ones too, by name."""
    return session.scalars(select(LocalAdmin).order_by(LocalAdmin.name_key)).all()


def disable(session: Session, name: str, now: datetime) -> None:
    """Let an administrator in no more, and end his sessions; resetting his password lets him in again."""
    admin = _required(session, name)
    admin.disabled_at = now
    sessions.end_for_admin(session, admin.id)
    audit.record_command(session, "admin.disable", f"admin:{admin.id}", now=now)


def reset_password(session: Session, name: str, password: str, now: datetime) -> None:
    """Give an administrator another password; his sessions end, and what strangers guessed is forgotten."""
    admin = _required(session, name)
    admin.password_hash = _hashed(admin.name, password)
    admin.password_set_at, admin.disabled_at = now, None
    sessions.end_for_admin(session, admin.id)
    rate_limits.forget(session, [(BY_NAME, admin.name_key), (IN_ALL, "")])
    audit.record_command(session, "admin.reset_password", f"admin:{admin.id}", now=now)


def log_in(runtime: Runtime, name: str, password: str, address: str, *, replaces: str = "") -> str:
    """Return the token of a new session; raise NotAllowed for a wrong pair, TooMany where too many were tried.

    Counted before it is looked at, so that guesses made side by side are counted too.
    """
    now, counted = runtime.clock.now(), _counted(name, address)
    with runtime.read() as session:
        rate_limits.check(session, now, *counted, message=WAIT)
    with runtime.write() as session:
        rate_limits.take(session, now, *counted, message=WAIT)
    with runtime.read() as session:
        admin = _found(session, name)
        usable = admin if admin is not None and admin.disabled_at is None else None
    # A stranger's name costs the same as a known one, so that time tells nobody which names there are.
    matches = _verify(usable.password_hash if usable else _nobodys_hash(), password)
    if usable is None or not matches:
        if usable is not None:
            _note_failure(runtime, usable, now)
        raise NotAllowed(WRONG)
    return _begin(runtime, usable, password, counted, replaces)


def _begin(runtime: Runtime, admin: LocalAdmin, password: str, counted: Sequence[Counted], replaces: str) -> str:
    now, hasher = runtime.clock.now(), PasswordHasher()
    rehashed = hasher.hash(password) if hasher.check_needs_rehash(admin.password_hash) else admin.password_hash
    with runtime.write() as session:
        rate_limits.forget(session, [pair for pair in counted if pair[0] is not IN_ALL])
        rate_limits.give_back(session, (IN_ALL, ""))
        session.execute(update(LocalAdmin).where(LocalAdmin.id == admin.id).values(password_hash=rehashed))
        token = sessions.start(session, now, admin_id=admin.id, replaces=replaces)
        audit.record(session, admin_viewer(admin), "session.start", f"admin:{admin.id}", now=now)
    return token


def _note_failure(runtime: Runtime, admin: LocalAdmin, now: datetime) -> None:
    with runtime.write() as session:
        audit.record(session, admin_viewer(admin), "session.refused", f"admin:{admin.id}", now=now)


def _counted(name: str, address: str) -> Sequence[Counted]:
    return ((BY_NAME, _key(name)), (BY_ADDRESS, _network(address)), (IN_ALL, ""))


def _network(address: str) -> str:
    """Return whom an address stands for: who has one IPv6 address has its whole /64."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return address
    return str(ipaddress.ip_network((found, 64), strict=False)) if found.version == 6 else str(found)


def _verify(password_hash: str, password: str) -> bool:
    try:
        return PasswordHasher().verify(password_hash, password[:LONGEST])
    except (VerificationError, InvalidHashError):
        return False


@cache
def _nobodys_hash() -> str:
    return PasswordHasher().hash("no password that anybody could have")


def _hashed(name: str, password: str) -> str:
    problem = _weakness(name, password)
    if problem:
        raise InvalidInput(problem)
    return PasswordHasher().hash(password)


def _weakness(name: str, password: str) -> str | None:
    """Say why a password is too easy to guess; None where it will do."""
    lower = unicodedata.normalize("NFKC", password).lower()
    if not SHORTEST <= len(password) <= LONGEST:
        return f"密码需为 {SHORTEST} 到 {LONGEST} 个字符"
    if len(name) >= LEAST_NAME and _key(name) in lower:
        return "密码不能包含用户名"
    if any(word in lower for word in COMMON):
        return "密码包含常见的密码片段，请换一个"
    return None if len(set(lower)) >= LEAST_DIFFERENT else f"密码至少要有 {LEAST_DIFFERENT} 个不同的字符"


def _key(name: str) -> str:
    return name.strip().lower()[:64]


def _found(session: Session, name: str) -> LocalAdmin | None:
    return session.scalars(select(LocalAdmin).where(LocalAdmin.name_key == _key(name))).one_or_none()


def _required(session: Session, name: str) -> LocalAdmin:
    admin = _found(session, name)
    if admin is None:
        raise NotFound(f"没有名为「{name}」的管理员")
    return admin
