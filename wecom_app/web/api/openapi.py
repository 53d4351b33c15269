"""The OpenAPI 3.1 document, made from the endpoints themselves so that it cannot fall behind them."""

import re
from collections.abc import Iterable
from typing import Any

from pydantic.json_schema import models_json_schema

from wecom_app.version import __version__
from wecom_app.web.api.endpoint import MAX_IDEMPOTENCY_KEY, PREFIX, Binary, Endpoint, NoBody

PATH_TYPES = {"int": "integer", "": "string"}
ERRORS = {
    "401": "没有或无效的接口密钥",
    "403": "密钥没有所需权限",
    "404": "没有找到",
    "409": "与现有数据冲突",
    "422": "提交的内容有误",
    "503": "系统繁忙，请按 Retry-After 重试",
}
ERROR_SCHEMA = {
    "type": "object",
    "required": ["error", "message", "request_id"],
    "properties": {
        "error": {"type": "string"},
        "message": {"type": "string"},
        "details": {"type": "object"},
        "request_id": {"type": "string"},
    },
}


def document(endpoints: Iterable[Endpoint]) -> dict[str, Any]:
    """Return the description of the endpoints."""
    listed = list(endpoints)
    models = [(endpoint.returns, "serialization") for endpoint in listed if endpoint.returns is not Binary]
    models += [(endpoint.body, "validation") for endpoint in listed if endpoint.body is not NoBody]
    references, definitions = models_json_schema(
        list(dict.fromkeys(models)),  # type: ignore[arg-type]
        ref_template="#/components/schemas/{model}",
    )
    paths: dict[str, Any] = {}
    for endpoint in listed:
        path = PREFIX + re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", endpoint.path)
        paths.setdefault(path, {})[endpoint.method.lower()] = _operation(endpoint, references)
    return {
        "openapi": "3.1.0",
        "info": {"title": "wecom-app", "version": __version__},
        "paths": paths,
        "security": [{"bearer": []}],
        "components": {
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer"}},
            "schemas": {**definitions.get("$defs", {}), "Error": ERROR_SCHEMA},
        },
    }


def _operation(endpoint: Endpoint, references: Any) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": endpoint.name,
        "summary": endpoint.summary,
        "description": f"需要权限：{endpoint.scope}",
        "parameters": [*_path_parameters(endpoint), *_query_parameters(endpoint)],
        "responses": {
            str(endpoint.status): _success(endpoint, references),
            **{status: _content(text, {"$ref": "#/components/schemas/Error"}) for status, text in ERRORS.items()},
        },
    }
    if endpoint.body is not NoBody:
        schema = references[(endpoint.body, "validation")]
        content = {"application/json": {"schema": schema}}
        operation["requestBody"] = {"required": not endpoint.body_optional, "content": content}
    if endpoint.form is not None:
        operation["requestBody"] = {"required": True, "content": {"multipart/form-data": {"schema": endpoint.form}}}
    if endpoint.method == "POST":
        operation["parameters"].append(
            {
                "name": "Idempotency-Key",
                "in": "header",
                "schema": {"type": "string", "minLength": 1, "maxLength": MAX_IDEMPOTENCY_KEY},
            }
        )
    return operation


def _success(endpoint: Endpoint, references: Any) -> dict[str, Any]:
    if endpoint.returns is Binary:
        return {"description": "成功", "content": {"*/*": {}}}
    return _content("成功", references[(endpoint.returns, "serialization")])


def _content(text: str, schema: Any) -> dict[str, Any]:
    return {"description": text, "content": {"application/json": {"schema": schema}}}


def _path_parameters(endpoint: Endpoint) -> list[dict[str, Any]]:
    return [
        {"name": name, "in": "path", "required": True, "schema": {"type": PATH_TYPES[kind.rstrip(":")]}}
        for kind, name in re.findall(r"<(\w+:)?(\w+)>", endpoint.path)
    ]


def _query_parameters(endpoint: Endpoint) -> list[dict[str, Any]]:
    schema = endpoint.query.model_json_schema()
    required = schema.get("required", ())
    return [
        {"name": name, "in": "query", **({"required": True} if name in required else {}), "schema": described}
        for name, described in schema.get("properties", {}).items()
    ]
