"""Reading what a request brings: JSON bodies by a model, and parts of the path; for the API and the pages' scripts."""

import json
from typing import Any, TypeVar

from flask import request
from pydantic import BaseModel, ValidationError

from wecom_app.errors import InvalidInput

LARGEST_ID = 2**63 - 1

Model = TypeVar("Model", bound=BaseModel)


def body(model: type[Model]) -> Model:
    """Return the request's JSON body; raise InvalidInput, naming each field that is wrong."""
    return validated(model, json_of(request.get_data()))


def json_of(data: bytes) -> Any:
    """Return what a body says; raise InvalidInput where it is not JSON."""
    try:
        return json.loads(data)
    except (ValueError, RecursionError):
        raise InvalidInput("请求内容不是有效的 JSON") from None


def validated(model: type[Model], values: Any) -> Model:
    """Return the values as the model; raise InvalidInput whose details name each field that is wrong."""
    try:
        return model.model_validate(values)
    except ValidationError as error:
        details = {
            ".".join(str(part) for part in item["loc"]) or "body": item["msg"].removeprefix("Value error, ")
            for item in error.errors(include_input=False, include_url=False, include_context=False)
        }
        raise InvalidInput(details=details) from None


def can_be_stored(value: Any) -> bool:
    """Return whether a part of the path can name anything in a database."""
    return value <= LARGEST_ID if isinstance(value, int) else "\0" not in value
