"""`/api/v1/dimensions`: the views that tag groups are sorted by."""

from collections.abc import Sequence

from pydantic import BaseModel

from wecom_app.models import TagDimension
from wecom_app.services import dimensions, library
from wecom_app.services.accounts import KeyScope
from wecom_app.web.api.endpoint import Call, Endpoint
from wecom_app.web.api.schemas_library import (
    DimensionEdit,
    DimensionIn,
    DimensionOut,
    DimensionQuery,
    DimensionsOut,
    KeyOrder,
)


def list_dimensions(call: Call) -> BaseModel:
    with call.runtime.read() as session:
        return _all_out(dimensions.list_dimensions(session, archived=call.query.archived))


def create_dimension(call: Call) -> BaseModel:
    given: DimensionIn = call.body
    with call.runtime.write() as session:
        return _out(dimensions.create(session, library.context(call.runtime), given.name, given.key))


def update_dimension(call: Call) -> BaseModel:
    given: DimensionEdit = call.body
    with call.runtime.write() as session:
        return _out(dimensions.rename(session, call.path["key"], given.name, given.version))


def order_dimensions(call: Call) -> BaseModel:
    with call.runtime.write() as session:
        return _all_out(dimensions.reorder(session, call.body.keys))


def archive_dimension(call: Call) -> BaseModel:
    with call.runtime.write() as session:
        return _out(dimensions.archive(session, library.context(call.runtime), call.path["key"]))


def restore_dimension(call: Call) -> BaseModel:
    with call.runtime.write() as session:
        return _out(dimensions.restore(session, call.path["key"]))


def _out(one: TagDimension) -> DimensionOut:
    return DimensionOut(key=one.key, name=one.name, version=one.version, archived=one.archived_at is not None)


def _all_out(found: Sequence[TagDimension]) -> DimensionsOut:
    return DimensionsOut(items=[_out(one) for one in found])


ENDPOINTS = (
    Endpoint(
        "GET",
        "/dimensions",
        KeyScope.READ,
        "维度，按显示顺序；archived=true 列出已归档的",
        list_dimensions,
        DimensionsOut,
        DimensionQuery,
    ),
    Endpoint(
        "POST", "/dimensions", KeyScope.WRITE, "新建维度", create_dimension, DimensionOut, body=DimensionIn, status=201
    ),
    Endpoint("PUT", "/dimensions/order", KeyScope.WRITE, "排列维度", order_dimensions, DimensionsOut, body=KeyOrder),
    Endpoint(
        "PATCH",
        "/dimensions/<key>",
        KeyScope.WRITE,
        "给维度改名；key 不变",
        update_dimension,
        DimensionOut,
        body=DimensionEdit,
    ),
    Endpoint(
        "POST",
        "/dimensions/<key>/archive",
        KeyScope.WRITE,
        "归档维度；下面还有标签组时拒绝",
        archive_dimension,
        DimensionOut,
    ),
    Endpoint("POST", "/dimensions/<key>/restore", KeyScope.WRITE, "恢复维度", restore_dimension, DimensionOut),
)
