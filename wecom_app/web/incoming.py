"""Reading what a request brings: JSON bodies by a model, and parts of the path; for the API and the pages' scripts."""

import json
from codecs import BOM_UTF8
from collections.abc import Mapping
from typing import Any, TypeVar

from flask import request
from pydantic import BaseModel, ValidationError

from wecom_app.errors import InvalidInput

LARGEST_ID = 2**63 - 1
NO_JSON = "请求内容不是有效的 JSON"
WORDS: Mapping[str, str] = {
    "missing": "缺少这一项",
    "extra_forbidden": "不认识这一项",
    "string_type": "要是文字",
    "string_too_long": "最多 {max_length} 个字",
    "string_too_short": "至少 {min_length} 个字",
    "string_pattern_mismatch": "格式不对",
    "int_type": "要是整数",
    "int_parsing": "要是整数",
    "int_from_float": "要是整数",
    "bool_type": "要是 true 或 false",
    "bool_parsing": "要是 true 或 false",
    "list_type": "要是列表",
    "too_long": "最多 {max_length} 项",
    "too_short": "至少 {min_length} 项",
    "dict_type": "要是对象",
    "model_type": "要是对象",
    "model_attributes_type": "要是对象",
    "enum": "只能是 {expected}",
    "literal_error": "只能是 {expected}",
    "greater_than": "要大于 {gt}",
    "greater_than_equal": "不能小于 {ge}",
    "less_than": "要小于 {lt}",
    "less_than_equal": "不能大于 {le}",
    "timezone_aware": "要写明时区，例如 2026-01-01T08:00:00+08:00",
    "datetime_type": "要是时间，例如 2026-01-01T08:00:00+08:00",
    "datetime_parsing": "要是时间，例如 2026-01-01T08:00:00+08:00",
    "datetime_from_date_parsing": "要是时间，例如 2026-01-01T08:00:00+08:00",
    "value_error": "{error}",
}
"""What is wrong with a field, by pydantic's name for it."""

Model = TypeVar("Model", bound=BaseModel)


def body(model: type[Model]) -> Model:
    """Return the request's JSON body; raise InvalidInput, naming each field that is wrong."""
    return validated(model, json_of(request.get_data()))


def json_of(data: bytes) -> Any:
    """Return what a body says; raise InvalidInput where it is not JSON."""
    try:
        return json.loads(data)
    except (ValueError, RecursionError):
        raise InvalidInput(NO_JSON) from None


def strictly(model: type[Model], data: bytes) -> Model:
    """Return a body as the model, where a number in quotes is no number; raise InvalidInput as the others do."""
    try:
        return model.model_validate_json(data.removeprefix(BOM_UTF8), strict=True)
    except ValidationError as error:
        if any(found["type"] == "json_invalid" for found in error.errors(include_url=False)):
            raise InvalidInput(NO_JSON) from None
        raise InvalidInput(details=_details(error)) from None


def validated(model: type[Model], values: Any) -> Model:
    """Return the values as the model; raise InvalidInput whose details name each field that is wrong."""
    try:
        return model.model_validate(values)
    except ValidationError as error:
        raise InvalidInput(details=_details(error)) from None


def can_be_stored(value: Any) -> bool:
    """Return whether a part of the path can name anything in a database."""
    return value <= LARGEST_ID if isinstance(value, int) else "\0" not in value


def _details(error: ValidationError) -> dict[str, object]:
    return {
        ".".join(str(part) for part in found["loc"]) or "body": _words(
            found["type"], found["msg"], found.get("ctx", {})
        )
        for found in error.errors(include_input=False, include_url=False)
    }


def _words(kind: str, otherwise: str, context: Mapping[str, Any]) -> str:
    if kind not in WORDS:
        return otherwise
    expected = str(context.get("expected", "")).replace(" or ", "、").replace(", ", "、").replace("'", "")
    return WORDS[kind].format(**{**context, "expected": expected})
