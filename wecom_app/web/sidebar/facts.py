"""What a member fills in about a customer: profile fields, and the remark that WeCom shows him too."""

from typing import Annotated, Any

from flask import Blueprint, Response, jsonify
from pydantic import Field

from wecom_app.services import library, profile_values, remarks
from wecom_app.services.remarks import RemarkChange
from wecom_app.web.api.schemas import Given
from wecom_app.web.incoming import body
from wecom_app.web.session import current_viewer, signed_in
from wecom_app.web.sidebar.paths import CUSTOMER
from wecom_app.web.state import runtime

MOST_FIELDS = 100
LONGEST_TEXT = 1000


class FieldsEdit(Given):
    """By field key: one value, a list for a repeated field, null to clear; what is not named stays."""

    values: Annotated[dict[str, Any], Field(max_length=MOST_FIELDS)]


class RemarkEdit(Given):
    """What is not named stays; an empty text clears."""

    remark: Annotated[str, Field(max_length=LONGEST_TEXT)] | None = None
    description: Annotated[str, Field(max_length=LONGEST_TEXT)] | None = None
    phones: Annotated[list[str], Field(max_length=MOST_FIELDS)] | None = None


def register(blueprint: Blueprint) -> None:
    """Add both."""
    blueprint.add_url_rule(f"{CUSTOMER}/fields", "edit_fields", edit_fields, methods=["PUT"])
    blueprint.add_url_rule(f"{CUSTOMER}/remark", "edit_remark", edit_remark, methods=["POST"])


@signed_in()
def edit_fields(external_userid: str) -> Response:
    """Fill in, change or clear profile fields: all that are named, or none."""
    edit = body(FieldsEdit)
    with runtime().write() as session:
        changed = profile_values.fill(session, current_viewer(), external_userid, edit.values, runtime().clock.now())
    return jsonify(changed=changed)


@signed_in()
def edit_remark(external_userid: str) -> Response:
    """Save the member's own remark; WeCom gets it afterwards."""
    edit = body(RemarkEdit)
    change = RemarkChange(edit.remark, edit.description, phones=edit.phones)
    with runtime().write() as session:
        remarks.edit(session, library.context(runtime()), current_viewer(), external_userid, change)
    return jsonify(saved=True)
