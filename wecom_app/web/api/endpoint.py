"""How an API endpoint is described and served: key, scope, validation, repeated requests, the answer's shape.

Each module of this package ends in a tuple of `Endpoint`; `openapi` reads the same tuples.
"""

import hashlib
import io
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from flask import Response, g, request, send_file
from pydantic import BaseModel
from sqlalchemy.exc import IntegrityError

from wecom_app.errors import AppError, Conflict, InvalidInput, NotAllowed, NotFound, NotSignedIn
from wecom_app.services import accounts
from wecom_app.services.accounts import Caller, KeyScope, StoredAnswer
from wecom_app.services.runtime import Runtime
from wecom_app.web.incoming import can_be_stored, strictly, validated
from wecom_app.web.state import runtime

PREFIX = "/api/v1"
MAX_IDEMPOTENCY_KEY = 128
UNIQUE_VIOLATION = "23505"
"""PostgreSQL's SQLSTATE."""


class NoQuery(BaseModel):
    """An endpoint without query parameters."""


class NoBody(BaseModel):
    """An endpoint without a body."""


@dataclass(frozen=True)
class Binary:
    """An answer that is a file, not JSON."""

    content: bytes
    mimetype: str
    filename: str
    etag: str


@dataclass(frozen=True)
class Call:
    """A request that was let in and read."""

    runtime: Runtime
    caller: Caller
    path: Mapping[str, Any]
    query: Any
    body: Any


@dataclass(frozen=True)
class Endpoint:
    """One method of one path; `path` is written as Flask writes it, without the prefix."""

    method: str
    path: str
    scope: KeyScope
    summary: str
    view: Callable[[Call], Any]
    returns: type[BaseModel] | type[Binary]
    query: type[BaseModel] = NoQuery
    body: type[BaseModel] = NoBody
    status: int = 200
    max_body: int | None = None
    """Bytes that a request may have, where it is more than elsewhere."""
    body_optional: bool = False
    """Whether a request without a body says the same as `{}`."""
    form: Mapping[str, Any] | None = None
    """The schema of a multipart/form-data body, which the view reads itself."""

    @property
    def name(self) -> str:
        return self.view.__name__


def serve(endpoint: Endpoint, **path: Any) -> Response:
    """Answer one request to an endpoint."""
    if endpoint.max_body is not None:
        request.max_content_length = endpoint.max_body
    caller = _caller(endpoint.scope)
    if not all(can_be_stored(value) for value in path.values()):
        raise NotFound
    call = Call(
        runtime(),
        caller,
        path,
        validated(endpoint.query, request.args.to_dict()),
        strictly(endpoint.body, _json_body(endpoint)) if endpoint.body is not NoBody else None,
    )
    if endpoint.returns is Binary:
        return _file(endpoint.view(call))
    key = request.headers.get("Idempotency-Key")
    if endpoint.method != "POST" or key is None:
        return _response(_answer(endpoint, call))
    return _response(_answer_once(endpoint, call, key))


def _caller(scope: KeyScope) -> Caller:
    kind, _, token = request.headers.get("Authorization", "").partition(" ")
    if kind.lower() != "bearer":
        raise NotSignedIn
    with runtime().read() as session:
        caller = accounts.authenticate(session, token.strip())
    if not caller.may(scope):
        raise NotAllowed(f"这个接口密钥没有「{scope}」权限")
    return caller


def _answer(endpoint: Endpoint, call: Call) -> StoredAnswer:
    try:
        found = endpoint.view(call)
    except IntegrityError as error:
        if not _is_duplicate(error):
            raise
        # Free when it was looked for, taken when it was written: on PostgreSQL two requests can meet.
        raise Conflict from error
    return StoredAnswer(endpoint.status, found.model_dump_json(by_alias=True))


def _is_duplicate(error: IntegrityError) -> bool:
    return getattr(error.orig, "sqlstate", None) == UNIQUE_VIOLATION or "UNIQUE constraint" in str(error.orig)


def _answer_once(endpoint: Endpoint, call: Call, key: str) -> StoredAnswer:
    """Answer, or give the first answer again; a failure that may pass frees the key."""
    if not 0 < len(key) <= MAX_IDEMPOTENCY_KEY or not key.isprintable():
        raise InvalidInput(f"Idempotency-Key 需为 1 到 {MAX_IDEMPOTENCY_KEY} 个可见字符")
    text = f"{request.method} {request.path}\n".encode() + request.get_data()
    digest = hashlib.sha256(text).hexdigest()
    with call.runtime.write() as session:
        stored = accounts.begin_once(session, call.caller, key, digest, call.runtime.clock.now())
    if stored is not None:
        return stored
    answer = None
    try:
        answer = _answer(endpoint, call)
    except AppError as error:
        if not error.retryable and error.http_status < 500:
            answer = StoredAnswer(error.http_status, _error_body(error))
        raise
    finally:
        with call.runtime.write() as session:
            accounts.end_once(session, call.caller, key, answer)
    return answer


def _error_body(error: AppError) -> str:
    body: dict[str, object] = {"error": error.code, "message": error.message}
    if error.details:
        body["details"] = error.details
    return json.dumps({**body, "request_id": g.request_id}, ensure_ascii=False)


def _json_body(endpoint: Endpoint) -> bytes:
    data = request.get_data()
    return b"{}" if endpoint.body_optional and not data.strip() else data


def _file(found: Binary) -> Response:
    """Send a file to be saved, never shown: what people uploaded is no page of ours."""
    return send_file(
        io.BytesIO(found.content),
        mimetype=found.mimetype,
        as_attachment=True,
        download_name=found.filename,
        etag=found.etag,
    )


def _response(answer: StoredAnswer) -> Response:
    return Response(answer.body, answer.status, mimetype="application/json")
