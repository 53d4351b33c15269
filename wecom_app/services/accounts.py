"""API keys: made by the command, checked on every API request; and the memory of answers for repeated requests."""

import hashlib
import hmac
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy import delete, select, tuple_, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from wecom_app.errors import Conflict, InvalidInput, NotFound, NotSignedIn
from wecom_app.models import ApiKey, IdempotencyRecord

KEPT_FOR = timedelta(days=1)
"""How long a repeated request gets its first answer again."""
FORGOTTEN_AT_ONCE = 100
"""Old answers that a request takes along; retention sees to the rest."""
ABANDONED_AFTER = timedelta(minutes=1)
"""A request that has not answered by then was cut off; the next one with its key may run."""
BEARER = re.compile(r"wk[0-9a-f]{10}\.[0-9a-f]{64}")
UNDER_WAY = "相同的请求正在处理，请稍后再试"


class KeyScope(StrEnum):
    READ = "read"
    WRITE = "write"
    INGEST = "ingest"
    GATE = "gate"
    ADMIN = "admin"


@dataclass(frozen=True)
class Caller:
    """Whoever holds the key of a request."""

    id: int
    name: str
    scopes: frozenset[str]

    def may(self, scope: KeyScope) -> bool:
        return scope in self.scopes or KeyScope.ADMIN in self.scopes


def create_key(session: Session, name: str, scopes: Sequence[str], now: datetime) -> str:
    """Make a key and return it, `prefix.secret`; it cannot be shown again."""
    unknown = sorted(set(scopes) - set(KeyScope))
    if unknown or not scopes:
        raise InvalidInput(f"权限范围只能是：{'、'.join(KeyScope)}")
    if not name.strip():
        raise InvalidInput("请给密钥起一个名字")
    prefix, secret = f"wk{secrets.token_hex(5)}", secrets.token_hex(32)
    session.add(
        ApiKey(
            name=name.strip()[:64],
            prefix=prefix,
            secret_hash=_hash(secret),
            scopes=sorted(set(scopes)),
            created_at=now,
        )
    )
    return f"{prefix}.{secret}"


@dataclass(frozen=True)
class KeyView:
    """A key without its secret; `prefix` is the part before the dot, and names it."""

    prefix: str
    name: str
    scopes: tuple[str, ...]
    created_at: datetime
    revoked_at: datetime | None


def list_keys(session: Session) -> list[KeyView]:
    """Return all keys ever made, newest first."""
    found = session.scalars(select(ApiKey).order_by(ApiKey.id.desc()))
    return [KeyView(key.prefix, key.name, tuple(key.scopes), key.created_at, key.revoked_at) for key in found]


def revoke_key(session: Session, name: str, now: datetime) -> KeyView:
    """Shut a key for good: from the commit on it opens nothing. Doing it again changes nothing.

    `name` is its prefix, the key itself, or its name if no other key in use has the same. Raises NotFound, or Conflict
    where the name is not enough.
    """
    by_prefix = select(ApiKey).where(ApiKey.prefix == name.partition(".")[0])
    by_name = select(ApiKey).where(ApiKey.name == name, ApiKey.revoked_at.is_(None))
    found = session.scalars(by_prefix).all() or session.scalars(by_name.order_by(ApiKey.id)).all()
    if not found:
        raise NotFound("没有这个接口密钥，用 wecom-app api-key list 查看")
    if len(found) > 1:
        prefixes = "、".join(key.prefix for key in found)
        raise Conflict(f"有 {len(found)} 个密钥叫「{name}」，请用编号指明：{prefixes}")
    key = found[0]
    key.revoked_at = key.revoked_at or now
    session.flush()
    return KeyView(key.prefix, key.name, tuple(key.scopes), key.created_at, key.revoked_at)


def authenticate(session: Session, bearer: str) -> Caller:
    """Return the caller behind a key; raise NotSignedIn for anything else."""
    if BEARER.fullmatch(bearer) is None:
        raise NotSignedIn
    prefix, _, secret = bearer.partition(".")
    key = session.execute(
        select(ApiKey).where(ApiKey.prefix == prefix, ApiKey.revoked_at.is_(None))
    ).scalar_one_or_none()
    if key is None or not hmac.compare_digest(_hash(secret), key.secret_hash):
        raise NotSignedIn
    return Caller(key.id, key.name, frozenset(key.scopes))


@dataclass(frozen=True)
class StoredAnswer:
    status: int
    body: str


def begin_once(session: Session, caller: Caller, key: str, request_hash: str, now: datetime) -> StoredAnswer | None:
    """Claim an Idempotency-Key; return the first answer if the request was answered before.

    Raises Conflict while the first request is still running, InvalidInput if the key was used for another one.
    """
    forget_answers(session, now - KEPT_FOR, FORGOTTEN_AT_ONCE)
    found = session.get(IdempotencyRecord, (caller.id, key))
    if found is not None and found.created_at < now - KEPT_FOR:
        session.delete(found)
        session.flush()
        found = None
    if found is None:
        _claim(session, IdempotencyRecord(api_key_id=caller.id, key=key, request_hash=request_hash, created_at=now))
        return None
    if found.request_hash != request_hash:
        raise InvalidInput("这个 Idempotency-Key 已用于另一个请求，请换一个")
    if found.status is None:
        if found.created_at > now - ABANDONED_AFTER:
            raise Conflict(UNDER_WAY)
        found.created_at = now
        session.flush()
        return None
    return StoredAnswer(found.status, found.body or "")


def forget_answers(session: Session, before: datetime, limit: int) -> int:
    """Delete up to `limit` answers older than this; return how many."""
    key = tuple_(IdempotencyRecord.api_key_id, IdempotencyRecord.key)
    old = select(IdempotencyRecord.api_key_id, IdempotencyRecord.key).where(IdempotencyRecord.created_at < before)
    return int(session.connection().execute(delete(IdempotencyRecord).where(key.in_(old.limit(limit)))).rowcount)


def _claim(session: Session, record: IdempotencyRecord) -> None:
    """Insert the record; on PostgreSQL the same request may have come a moment ago in another transaction."""
    session.add(record)
    try:
        session.flush()
    except IntegrityError:
        raise Conflict(UNDER_WAY) from None


def end_once(session: Session, caller: Caller, key: str, answer: StoredAnswer | None) -> None:
    """Keep the answer; None gives the key free again, since the request may be repeated."""
    here = (IdempotencyRecord.api_key_id == caller.id) & (IdempotencyRecord.key == key)
    if answer is None:
        session.execute(delete(IdempotencyRecord).where(here))
    else:
        session.execute(update(IdempotencyRecord).where(here).values(status=answer.status, body=answer.body))


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
