"""Follow-up notes: written on a customer, changed and deleted by their author."""

from typing import Annotated

from flask import Blueprint, Response, jsonify
from pydantic import Field

from wecom_app.services import follow_ups
from wecom_app.services.follow_ups import UNCHANGED, FollowUpEdit
from wecom_app.web.api.schemas import Given
from wecom_app.web.incoming import body
from wecom_app.web.session import current_viewer, signed_in
from wecom_app.web.sidebar.paths import CUSTOMER
from wecom_app.web.state import runtime

NOTE = "/follow-ups/<int:follow_up_id>"
Words = Annotated[str, Field(max_length=follow_ups.MAX_TEXT)]
Moment = Annotated[str, Field(max_length=40)]


class NewNote(Given):
    text: Words
    remind_at: Moment | None = None


class NoteEdit(Given):
    """What is not named stays as it is; `remind_at` null takes the reminder away."""

    text: Words | None = None
    remind_at: Moment | None = None
    done: bool | None = None


def register(blueprint: Blueprint) -> None:
    """Add writing, changing and deleting."""
    blueprint.add_url_rule(f"{CUSTOMER}/follow-ups", "add_note", add, methods=["POST"])
    blueprint.add_url_rule(NOTE, "edit_note", edit, methods=["PATCH"])
    blueprint.add_url_rule(NOTE, "delete_note", delete, methods=["DELETE"])


@signed_in()
def add(external_userid: str) -> Response:
    """Write a note."""
    note, now = body(NewNote), runtime().clock.now()
    moment = follow_ups.moment(note.remind_at, runtime().settings.time_zone) if note.remind_at else None
    with runtime().write() as session:
        made = follow_ups.add(session, current_viewer(), external_userid, note.text, moment, now)
    return jsonify(id=made.id)


@signed_in()
def edit(follow_up_id: int) -> Response:
    """Change one's own note."""
    change = _change(body(NoteEdit))
    with runtime().write() as session:
        made = follow_ups.edit(session, current_viewer(), follow_up_id, change, runtime().clock.now())
    return jsonify(id=made.id)


@signed_in()
def delete(follow_up_id: int) -> Response:
    """Take one's own note away."""
    with runtime().write() as session:
        follow_ups.delete(session, current_viewer(), follow_up_id, runtime().clock.now())
    return jsonify(id=follow_up_id)


def _change(note: NoteEdit) -> FollowUpEdit:
    moment = follow_ups.moment(note.remind_at, runtime().settings.time_zone) if note.remind_at else None
    return FollowUpEdit(
        text=UNCHANGED if note.text is None else note.text,
        remind_at=moment if "remind_at" in note.model_fields_set else UNCHANGED,
        done=UNCHANGED if note.done is None else note.done,
    )
