"""`/api/v1/profile-fields`: the fields that admins define for customers."""

from collections.abc import Sequence

from pydantic import BaseModel

from wecom_app.models import ProfileField
from wecom_app.services import library, profile_fields
from wecom_app.services.accounts import KeyScope
from wecom_app.services.profile_fields import FieldDraft, FieldEdit
from wecom_app.web.api.endpoint import Call, Endpoint
from wecom_app.web.api.schemas_profile import (
    ProfileFieldEdit,
    ProfileFieldIn,
    ProfileFieldOrder,
    ProfileFieldOut,
    ProfileFieldQuery,
    ProfileFieldsOut,
)


def list_profile_fields(call: Call) -> BaseModel:
    with call.runtime.read() as session:
        return _fields_out(profile_fields.list_fields(session, archived=call.query.archived))


def create_profile_field(call: Call) -> BaseModel:
    given: ProfileFieldIn = call.body
    draft = FieldDraft(
        name=given.name,
        kind=given.kind,
        key=given.key,
        help=given.help,
        required=given.required,
        repeated=given.repeated,
        sensitive=given.sensitive,
        options=given.options,
    )
    with call.runtime.write() as session:
        return _field_out(profile_fields.create(session, library.context(call.runtime), draft))


def update_profile_field(call: Call) -> BaseModel:
    given: ProfileFieldEdit = call.body
    edit = FieldEdit(given.name, given.help, given.required, given.repeated, given.sensitive, given.options)
    with call.runtime.write() as session:
        return _field_out(profile_fields.update(session, call.path["key"], edit))


def archive_profile_field(call: Call) -> BaseModel:
    with call.runtime.write() as session:
        return _field_out(profile_fields.archive(session, library.context(call.runtime), call.path["key"]))


def restore_profile_field(call: Call) -> BaseModel:
    with call.runtime.write() as session:
        return _field_out(profile_fields.restore(session, call.path["key"]))


def order_profile_fields(call: Call) -> BaseModel:
    with call.runtime.write() as session:
        return _fields_out(profile_fields.reorder(session, call.body.keys))


def _field_out(field: ProfileField) -> ProfileFieldOut:
    return ProfileFieldOut.model_validate(field, from_attributes=True)


def _fields_out(fields: Sequence[ProfileField]) -> ProfileFieldsOut:
    return ProfileFieldsOut(items=[_field_out(field) for field in fields])


ENDPOINTS = (
    Endpoint(
        "GET",
        "/profile-fields",
        KeyScope.READ,
        "资料字段，按显示顺序；archived=true 列出已停用的",
        list_profile_fields,
        ProfileFieldsOut,
        ProfileFieldQuery,
    ),
    Endpoint(
        "POST",
        "/profile-fields",
        KeyScope.WRITE,
        "新建资料字段",
        create_profile_field,
        ProfileFieldOut,
        body=ProfileFieldIn,
        status=201,
    ),
    Endpoint(
        "PUT",
        "/profile-fields/order",
        KeyScope.WRITE,
        "排列资料字段",
        order_profile_fields,
        ProfileFieldsOut,
        body=ProfileFieldOrder,
    ),
    Endpoint(
        "PATCH",
        "/profile-fields/<key>",
        KeyScope.WRITE,
        "修改资料字段；key 和类型不能改",
        update_profile_field,
        ProfileFieldOut,
        body=ProfileFieldEdit,
    ),
    Endpoint(
        "POST",
        "/profile-fields/<key>/archive",
        KeyScope.WRITE,
        "停用资料字段，已填的内容保留",
        archive_profile_field,
        ProfileFieldOut,
    ),
    Endpoint(
        "POST",
        "/profile-fields/<key>/restore",
        KeyScope.WRITE,
        "恢复使用资料字段",
        restore_profile_field,
        ProfileFieldOut,
    ),
)
