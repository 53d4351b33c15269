"""Reads the unsigned envelope of a callback, XML or JSON, for the one thing in it that counts: `Encrypt`."""

import json
from collections.abc import Mapping
from typing import Any, NoReturn

from wecom_app.domain import xml
from wecom_app.errors import CallbackRejected

MAX_BODY_BYTES = 64 * 1024
MAX_DEPTH = 4
MAX_ELEMENTS = 64
"""A real envelope has three elements below its root."""
JSON_BRACES = 1
"""A JSON envelope is flat, so a second brace or any bracket is not one of WeCom's (and cannot nest)."""


def read_encrypted(body: bytes) -> str:
    """Return the text of `Encrypt`; raise CallbackRejected for whatever is not a plain envelope."""
    if not isinstance(body, bytes):
        raise CallbackRejected("body")
    if len(body) > MAX_BODY_BYTES:
        raise CallbackRejected("size")
    fields = _read_json(body) if body.lstrip()[:1] == b"{" else _read_xml(body)
    return _encrypted(fields)


def _encrypted(fields: Mapping[str, Any]) -> str:
    found = [value for name, value in fields.items() if name.lower() == "encrypt"]
    if len(found) != 1 or not isinstance(found[0], str):
        raise CallbackRejected("encrypt_field")
    return found[0].strip()


def _read_xml(body: bytes) -> Mapping[str, Any]:
    try:
        return xml.parse(body, max_depth=MAX_DEPTH, max_elements=MAX_ELEMENTS)
    except ValueError:
        raise CallbackRejected("xml") from None


def _read_json(body: bytes) -> Mapping[str, Any]:
    if body.count(b"{") > JSON_BRACES or b"[" in body:
        raise CallbackRejected("json")
    try:
        # Numbers stay text: turning thousands of digits into an int takes quadratic time.
        fields = json.loads(
            body.decode(),
            object_pairs_hook=_distinct,
            parse_int=str,
            parse_float=str,
            parse_constant=_refuse,
        )
    except ValueError:
        raise CallbackRejected("json") from None
    return fields if isinstance(fields, dict) else {}


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise ValueError("a name occurs twice")
    return fields


def _refuse(constant: str) -> NoReturn:
    raise ValueError(constant)
