"""Requests made from the API's own description, right and wrong at random: none may be an error of ours."""

import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.flows.company import Company
from tests.web.asking import add_customer
from wecom_app.web.api import ENDPOINTS, openapi

DOCUMENT = openapi.document(ENDPOINTS)
OPERATIONS = {
    f"{method.upper()} {path}": operation
    for path, methods in DOCUMENT["paths"].items()
    for method, operation in methods.items()
}
ELSEWHERE = (308, 404, 405)
"""A part of the path may hold a slash, or be empty, and so lead elsewhere."""
KNOWN = ["zhang", "wang", "behaviour", "behaviour.xing_qu", "behaviour.xing_qu.hu_fu", "behaviour.xing_qu.mu_ying"]
ANY_TEXT = st.text(st.characters(exclude_categories=()), max_size=40)
TEXTS = st.sampled_from(KNOWN) | ANY_TEXT
INTEGERS = st.integers(1, 4) | st.sampled_from([0, -1, 2**31, 2**63 - 1, 2**63, 10**30])
SCALARS = st.none() | st.booleans() | INTEGERS | st.floats(allow_nan=False) | ANY_TEXT
ANY_JSON = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(ANY_TEXT, inner, max_size=3), max_leaves=5
)
CUSTOMER = "wm_fuzz"


def values(schema: Any, depth: int = 0) -> st.SearchStrategy[Any]:
    """Return values that a schema allows, now and then something else altogether."""
    right = _right(schema, depth)
    return st.one_of(right, right, right, right, ANY_JSON)


def _right(schema: Any, depth: int) -> st.SearchStrategy[Any]:
    if "$ref" in schema:
        return _right(DOCUMENT["components"]["schemas"][schema["$ref"].rpartition("/")[2]], depth)
    if "enum" in schema or "const" in schema:
        return st.sampled_from(schema.get("enum") or [schema["const"]])
    for several in ("anyOf", "oneOf"):
        if several in schema:
            return st.one_of([_right(item, depth) for item in schema[several]])
    return _of_type(schema, depth)


def _of_type(schema: Any, depth: int) -> st.SearchStrategy[Any]:
    match schema.get("type"):
        case "string":
            return TEXTS
        case "integer":
            return INTEGERS
        case "boolean":
            return st.booleans()
        case "null":
            return st.none()
        case "array":
            return st.lists(values(schema["items"], depth + 1), max_size=3)
        case "object" if "properties" in schema:
            required = set(schema.get("required", ()))
            fields = {name: values(item, depth + 1) for name, item in schema["properties"].items()}
            return st.fixed_dictionaries(
                {name: item for name, item in fields.items() if name in required},
                optional={name: item for name, item in fields.items() if name not in required},
            )
    return ANY_JSON


@dataclass(frozen=True)
class Request:
    method: str
    path: str
    query: dict[str, str]
    body: bytes | None
    headers: dict[str, str]


@st.composite
def requests(draw: st.DrawFn, name: str) -> Request:
    method, path = name.split(" ")
    operation = OPERATIONS[name]
    query, headers = {}, {}
    for parameter in operation["parameters"]:
        given_value = draw(st.none() | values(parameter["schema"]))
        if parameter["in"] == "path":
            chosen = draw(st.sampled_from([CUSTOMER, "1", "2"])) if given_value is None else given_value
            text = str(chosen).encode("utf-8", "surrogatepass")
            path = path.replace(f"{{{parameter['name']}}}", quote(text, safe=""))
        elif given_value is not None and parameter["in"] == "query":
            query[parameter["name"]] = str(given_value).encode("utf-8", "replace").decode()
        elif given_value is not None:
            headers[parameter["name"]] = str(given_value).encode("ascii", "replace").decode().replace("\n", "")
    schema = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema")
    body = None if schema is None else draw(values(schema).map(lambda value: json.dumps(value).encode()))
    return Request(method, path, query, body, {key: text.replace("\r", "") for key, text in headers.items()})


@pytest.fixture(scope="module")
def company(standing_company: Company) -> Company:
    """A company with something to find under the ids that are tried most."""
    standing_company.make_tags("护肤", "母婴")
    add_customer(standing_company)
    channel = standing_company.make_channel()
    standing_company.simulator.scan(channel["config_id"], external_userid=CUSTOMER)
    standing_company.settle()
    return standing_company


@pytest.mark.parametrize("name", OPERATIONS)
@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_no_request_is_an_error_of_ours(company: Company, name: str, data: st.DataObject) -> None:
    request = data.draw(requests(name))

    answer = company.client.open(
        request.path,
        method=request.method,
        query_string=request.query,
        data=request.body,
        headers={**company.headers, **request.headers},
    )

    documented = {int(status) for status in OPERATIONS[name]["responses"]}
    assert answer.status_code < 500, answer.get_data(as_text=True)
    assert answer.status_code in {*documented, *ELSEWHERE}
