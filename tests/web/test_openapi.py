"""The API's description: a valid document, complete, and true to what is answered."""

from typing import Any

import pytest
from jsonschema import Draft202012Validator

from tests.flows.company import Company
from tests.web.asking import add_customer, ask

PREFIX = "/api/v1"


@pytest.fixture(scope="module")
def document(standing_company: Company) -> Any:
    answer = standing_company.client.get(f"{PREFIX}/openapi.json")
    assert answer.status_code == 200
    return answer.get_json()


def operations(document: Any) -> dict[tuple[str, str], Any]:
    return {
        (method.upper(), path): operation
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    }


def every(value: Any, name: str) -> list[Any]:
    """Return what stands under `name` anywhere inside."""
    if isinstance(value, list):
        return [found for item in value for found in every(item, name)]
    if not isinstance(value, dict):
        return []
    own = [value[name]] if name in value else []
    return own + [found for item in value.values() for found in every(item, name)]


def validator(document: Any, schema: Any) -> Draft202012Validator:
    return Draft202012Validator({**schema, "components": document["components"]})


def test_the_description_needs_no_key_and_names_its_version(document: Any) -> None:
    assert document["openapi"].startswith("3.1")
    assert set(document["info"]) >= {"title", "version"}


def test_every_reference_leads_to_a_schema(document: Any) -> None:
    references = every(document, "$ref")

    assert references
    for reference in references:
        root, *parts = reference.split("/")
        found = document
        for part in parts:
            found = found[part]
        assert root == "#"


def test_every_schema_is_valid_json_schema(document: Any) -> None:
    schemas = [*document["components"]["schemas"].values(), *every(document["paths"], "schema")]

    assert len(schemas) > 20
    for schema in schemas:
        Draft202012Validator.check_schema(schema)


def test_every_default_is_a_value_that_its_schema_allows(document: Any) -> None:
    fields = [field for properties in every(document, "properties") for field in properties.values()]
    described = [field for field in [*fields, *every(document["paths"], "schema")] if "default" in field]

    assert len(described) > 20
    for field in described:
        validator(document, field).validate(field["default"])


def test_a_query_that_an_operation_cannot_do_without_is_described_as_required(document: Any) -> None:
    (cron, zone) = operations(document)[("GET", f"{PREFIX}/schedules/preview")]["parameters"]

    assert (cron["name"], cron.get("required"), zone.get("required")) == ("cron", True, None)


def test_every_address_of_the_api_is_described(standing_company: Company, document: Any) -> None:
    served = {
        (method, rule.rule.replace("<int:", "<").replace("<", "{").replace(">", "}"))
        for rule in standing_company.web.url_map.iter_rules()
        if rule.endpoint.startswith("api.") and rule.endpoint != "api.openapi"
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }

    assert served == set(operations(document))


def test_operations_have_names_of_their_own_and_a_summary(document: Any) -> None:
    found = operations(document).values()
    names = [operation["operationId"] for operation in found]

    assert len(set(names)) == len(names)
    assert all(operation["summary"] for operation in found)


def test_every_parameter_of_a_path_is_described(document: Any) -> None:
    for (_, path), operation in operations(document).items():
        named = {part[1:-1] for part in path.split("/") if part.startswith("{")}
        assert {item["name"] for item in operation["parameters"] if item["in"] == "path"} == named


def test_every_writing_operation_takes_an_idempotency_key(document: Any) -> None:
    for (method, _), operation in operations(document).items():
        headers = {item["name"] for item in operation["parameters"] if item["in"] == "header"}
        assert ("Idempotency-Key" in headers) == (method == "POST")


def test_the_upload_is_described_as_a_form_and_its_content_as_a_file(document: Any) -> None:
    found = operations(document)

    (form,) = found[("POST", f"{PREFIX}/media")]["requestBody"]["content"].items()
    assert form[0] == "multipart/form-data"
    assert (form[1]["schema"]["required"], set(form[1]["schema"]["properties"])) == (["file"], {"file", "kind"})
    content = found[("GET", f"{PREFIX}/media/{{media_id}}/content")]["responses"]["200"]["content"]
    assert "application/json" not in content


def test_bodies_that_may_be_left_out_are_described_so(document: Any) -> None:
    optional = {
        path
        for (_, path), operation in operations(document).items()
        if not operation.get("requestBody", {"required": True})["required"]
    }
    assert optional == {
        *(f"{PREFIX}/channels/{{channel_id}}/{act}" for act in ("archive", "restore")),
        f"{PREFIX}/sync/runs",
        *(f"{PREFIX}/{noun}/{{key}}/{act}" for noun in ("tags", "tag-groups") for act in ("archive", "deletion")),
    }


@pytest.fixture(scope="module")
def customer(standing_company: Company) -> str:
    """A customer with everything that an answer can hold."""
    keys = standing_company.make_tags("护肤", "母婴", scope="relation")
    found = add_customer(standing_company, welcome={"text": "您好", "fallback_text": "欢迎"})
    standing_company.post(f"/customers/{found}/tags", {"add": keys, "userid": "zhang"}, 200)
    standing_company.simulator.act("zhang", "delete_customer", external_userid=found)
    standing_company.simulator.act("zhang", "add", name="来客")
    standing_company.settle()
    return found


@pytest.mark.parametrize(
    "path",
    [
        "/tag-groups",
        "/tags",
        "/channels",
        "/channels/{channel_id}",
        "/customers",
        "/customers/{external_userid}",
        "/customers/{external_userid}/history",
        "/inbox",
        "/jobs",
        "/sync/failures",
        "/sync/conflicts",
    ],
)
def test_what_is_read_has_the_shape_described(
    standing_company: Company, customer: str, document: Any, path: str
) -> None:
    content = operations(document)[("GET", PREFIX + path)]["responses"]["200"]["content"]

    answer = standing_company.get(path.format(channel_id=1, external_userid=customer))

    assert answer.get("items") != [] or path.startswith("/sync/")
    validator(document, content["application/json"]["schema"]).validate(answer)


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/tag-groups", {"name": "意向", "dimension": "behaviour", "tags": [{"name": "高"}]}, "201"),
        ("/channels", {"name": "海报", "source": "门店", "staff": ["zhang"]}, "201"),
        ("/customers/{external_userid}/tags", {}, "200"),
    ],
)
def test_what_is_written_has_the_shape_described(
    standing_company: Company, customer: str, document: Any, path: str, body: Any, status: str
) -> None:
    operation = operations(document)[("POST", PREFIX + path)]
    schema = operation["requestBody"]["content"]["application/json"]["schema"]
    validator(document, schema).validate(body)

    answer = standing_company.post(path.format(external_userid=customer), body, int(status))

    content = operation["responses"][status]["content"]
    validator(document, content["application/json"]["schema"]).validate(answer)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/channels/999", "404"), ("POST", "/tag-groups", "422"), ("GET", "/tags?limit=0", "422")],
)
def test_an_error_has_the_shape_described(
    standing_company: Company, document: Any, method: str, path: str, status: str
) -> None:
    answer = ask(standing_company, method, path, {} if method == "POST" else None)

    assert str(answer.status_code) == status
    validator(document, {"$ref": "#/components/schemas/Error"}).validate(answer.get_json())
