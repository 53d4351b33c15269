"""A scripted WeCom for answers that the simulator does not give: odd shapes, HTML, hooks between calls."""

import io
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs

PREFIX = "/cgi-bin/"


@dataclass(frozen=True)
class Call:
    """One call that came in."""

    api: str
    query: dict[str, str]
    body: bytes
    content_type: str

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class Raw:
    """An answer that is not JSON."""

    body: bytes = b""
    status: str = "200 OK"
    location: str = ""


Answer = dict[str, Any] | list[Any] | Raw | Callable[[Call], Any]


class FarSide:
    """A WSGI application that answers each API with its scripted answers in turn, the last one for ever."""

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self.tokens = 0
        self._answers: dict[str, list[Answer]] = {}
        self.answer("gettoken", self._token)

    def answer(self, api: str, *answers: Answer) -> None:
        """Script an API anew."""
        self._answers[api] = list(answers)

    def count(self, api: str) -> int:
        return sum(call.api == api for call in self.calls)

    def last(self, api: str) -> Call:
        return next(call for call in reversed(self.calls) if call.api == api)

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        call = _call(environ)
        self.calls.append(call)
        answers = self._answers.get(call.api, [Raw(b"", "404 Not Found")])
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        if callable(answer):
            answer = answer(call)
        raw = answer if isinstance(answer, Raw) else Raw(json.dumps(answer, ensure_ascii=False).encode())
        headers = [("Content-Type", "application/json")]
        start_response(raw.status, [*headers, ("Location", raw.location)] if raw.location else headers)
        return [raw.body]

    def _token(self, _: Call) -> dict[str, Any]:
        self.tokens += 1
        return ok(access_token=f"CANARY-TOKEN-{self.tokens}", expires_in=7200)


def ok(**fields: Any) -> dict[str, Any]:
    return {"errcode": 0, "errmsg": "ok", **fields}


def refusal(errcode: int, errmsg: str = "refused", **fields: Any) -> dict[str, Any]:
    return {"errcode": errcode, "errmsg": errmsg, **fields}


def _call(environ: dict[str, Any]) -> Call:
    stream: io.BytesIO = environ["wsgi.input"]
    query = {name: values[0] for name, values in parse_qs(environ["QUERY_STRING"]).items()}
    return Call(
        environ["PATH_INFO"].removeprefix(PREFIX),
        query,
        stream.read(int(environ.get("CONTENT_LENGTH") or 0)),
        environ.get("CONTENT_TYPE", ""),
    )
