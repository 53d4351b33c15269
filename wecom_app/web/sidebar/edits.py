"""Changing a customer's tags by hand: the sheet, saving it, and taking an act back."""

from typing import Annotated

from flask import Blueprint, Response, jsonify, render_template
from pydantic import Field

from wecom_app.services import library, rep_edits, rep_sheet, undo
from wecom_app.services.rep_edits import EditDraft
from wecom_app.web.api.schemas import Given
from wecom_app.web.incoming import body
from wecom_app.web.session import current_viewer, signed_in
from wecom_app.web.sidebar.paths import CUSTOMER
from wecom_app.web.state import runtime

Keys = Annotated[list[Annotated[str, Field(min_length=1, max_length=200)]], Field(max_length=rep_edits.MAX_KEYS)]


class TagEdit(Given):
    add: Keys = Field(default_factory=list)
    remove: Keys = Field(default_factory=list)
    version: int
    reason: Annotated[str, Field(max_length=rep_edits.MAX_REASON)] | None = None


def register(blueprint: Blueprint) -> None:
    """Add the sheet and what it sends."""
    blueprint.add_url_rule(f"{CUSTOMER}/sheet", "sheet", sheet)
    blueprint.add_url_rule(f"{CUSTOMER}/tags", "edit_tags", edit_tags, methods=["POST"])
    blueprint.add_url_rule("/change-sets/<int:change_set_id>/undo", "undo", take_back, methods=["POST"])


@signed_in()
def sheet(external_userid: str) -> str:
    """What the viewer may put on or take off."""
    given = runtime()
    with given.read() as session:
        now, viewer = given.clock.now(), current_viewer()
        found = rep_sheet.load(session, viewer, external_userid, now, slugify=given.slugify)
    return render_template("sidebar/sheet.html", sheet=found)


@signed_in()
def edit_tags(external_userid: str) -> Response:
    """Save an edit as a whole, at once; what is to change at WeCom follows by itself."""
    edit, given = body(TagEdit), runtime()
    draft = EditDraft(tuple(edit.add), tuple(edit.remove), edit.version, edit.reason)
    with given.write() as session:
        made = rep_edits.edit(session, library.context(given), current_viewer(), external_userid, draft)
    return jsonify(change_set_id=made.change_set_id, version=made.version)


@signed_in()
def take_back(change_set_id: int) -> Response:
    """Undo one's own act: what stood before is there again, with its provenance."""
    done = undo.by_viewer(runtime(), current_viewer(), change_set_id)
    kept = [{"key": each.key, "name": each.name, "reason": each.words} for each in done.kept]
    return jsonify(change_set_id=done.change_set_id, restored=done.restored, kept=kept)
