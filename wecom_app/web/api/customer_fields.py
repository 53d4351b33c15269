"""`/api/v1/customers/{id}/fields`: what is filled into a customer's profile fields, by whom and when."""

from collections.abc import Sequence

from pydantic import BaseModel

from wecom_app.domain import field_kinds
from wecom_app.domain.tagging import Source as TagSource
from wecom_app.domain.vocabulary import SourceKind
from wecom_app.models import ProfileField
from wecom_app.services import customers, profile_values
from wecom_app.services.accounts import KeyScope
from wecom_app.services.profile_values import PastValue
from wecom_app.web.api.endpoint import Call, Endpoint
from wecom_app.web.api.paging import page_of
from wecom_app.web.api.schemas import Page, PageQuery, Source
from wecom_app.web.api.schemas_profile import FieldOut, FieldsIn, FieldsOut, FieldValueOut, PastValueOut


def get_customer_fields(call: Call) -> BaseModel:
    with call.runtime.read() as session:
        customer = customers.find(session, call.path["external_userid"])
        return _values_out(profile_values.present(session, customer.id))


def put_customer_fields(call: Call) -> BaseModel:
    source = TagSource(SourceKind.API, call.caller.name)
    with call.runtime.write() as session:
        customer = customers.find(session, call.path["external_userid"])
        profile_values.put(session, customer.id, call.body.values, source, call.runtime.clock.now())
        return _values_out(profile_values.present(session, customer.id))


def list_field_history(call: Call) -> BaseModel:
    with call.runtime.read() as session:
        customer = customers.find(session, call.path["external_userid"])
        found = profile_values.history(session, customer.id, before_id=call.query.cursor, limit=call.query.limit + 1)
    return Page[PastValueOut](**page_of(found, call.query.limit, lambda value: value.id, _past_out))


def _values_out(fields: Sequence[tuple[ProfileField, list[PastValue]]]) -> FieldsOut:
    shown = [
        {"key": field.key, "name": field.name, "kind": field.kind, "values": [_value_out(value) for value in values]}
        for field, values in fields
    ]
    return FieldsOut(items=[FieldOut.model_validate(field) for field in shown])


def _value_out(value: PastValue) -> FieldValueOut:
    return FieldValueOut(
        value=field_kinds.external(value.kind, value.value), source=_source_out(value.source), set_at=value.set_at
    )


def _past_out(value: PastValue) -> PastValueOut:
    return PastValueOut(
        id=value.id,
        key=value.key,
        value=field_kinds.external(value.kind, value.value),
        source=_source_out(value.source),
        set_at=value.set_at,
        ended_at=value.ended_at,
        ended_by=value.ended_by,
    )


def _source_out(source: TagSource) -> Source:
    return Source(kind=source.kind.value, ref=source.ref or None, actor=source.actor)


ENDPOINTS = (
    Endpoint(
        "GET",
        "/customers/<external_userid>/fields",
        KeyScope.READ,
        "客户已填的资料，及其来源与时间",
        get_customer_fields,
        FieldsOut,
    ),
    Endpoint(
        "PUT",
        "/customers/<external_userid>/fields",
        KeyScope.WRITE,
        "填写客户资料；没有列出的字段不变",
        put_customer_fields,
        FieldsOut,
        body=FieldsIn,
    ),
    Endpoint(
        "GET",
        "/customers/<external_userid>/fields/history",
        KeyScope.READ,
        "客户资料的修改记录，新的在前",
        list_field_history,
        Page[PastValueOut],
        PageQuery,
    ),
)
