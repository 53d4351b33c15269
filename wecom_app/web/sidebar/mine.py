"""`/sidebar/mine`, the application's home in WeCom: whom to care for today, all of one's customers, tagging several."""

from typing import Annotated

from flask import Blueprint, Response, jsonify, render_template, request
from pydantic import Field

from wecom_app.domain.access import Purpose
from wecom_app.errors import InvalidInput
from wecom_app.services import my_customers, my_day, my_sources, rep_edits, rep_sheet, selection_edits, tag_cards
from wecom_app.services.access import find_customer
from wecom_app.services.my_customers import WITHIN_DAYS, Wanted
from wecom_app.services.rep_edits import EditDraft
from wecom_app.web import jssdk
from wecom_app.web.api.schemas import Given
from wecom_app.web.incoming import body, can_be_stored
from wecom_app.web.looks import looks
from wecom_app.web.session import confirm_identity, current_viewer, signed_in
from wecom_app.web.sidebar.edits import Keys
from wecom_app.web.sidebar.paths import CUSTOMER
from wecom_app.web.state import runtime

LONGEST_QUERY = 50
MOST_TAGS = 20
SHOWN_AT_ONCE = 5
"""Rows of a section of today that stand open."""

Userid = Annotated[str, Field(min_length=1, max_length=64)]


class SelectionEdit(Given):
    customers: Annotated[list[Userid], Field(min_length=1, max_length=selection_edits.MOST_CUSTOMERS)]
    add: Keys = Field(default_factory=list)
    remove: Keys = Field(default_factory=list)
    reason: Annotated[str, Field(max_length=rep_edits.MAX_REASON)] | None = None


def register(blueprint: Blueprint) -> None:
    """Add the page, its fragments, and what it sends."""
    blueprint.add_url_rule("/mine", "mine", page)
    blueprint.add_url_rule("/mine/today", "mine_today", today)
    blueprint.add_url_rule("/mine/list", "mine_list", listing)
    blueprint.add_url_rule("/mine/filters", "mine_filters", filters)
    blueprint.add_url_rule("/mine/sheet", "mine_sheet", sheet)
    blueprint.add_url_rule("/mine/tags", "mine_tags", tag_selection, methods=["POST"])
    blueprint.add_url_rule("/mine/deck", "mine_deck", deck)
    blueprint.add_url_rule(f"/mine{CUSTOMER}", "mine_customer", customer)
    blueprint.add_url_rule(f"/mine{CUSTOMER}/card", "mine_card", card)


@signed_in()
def page() -> str:
    """The page itself, without a customer's data."""
    confirm_identity()
    return render_template("sidebar/mine/page.html", setup=jssdk.setup().fields, sorts=my_customers.SORTS, **looks())


@signed_in()
def today() -> str:
    """Whom to care for today."""
    given = runtime()
    with given.read() as session:
        found = my_day.load(session, current_viewer(), given.clock.now(), given.settings.time_zone)
    return render_template("sidebar/mine/today.html", day=found, limits=my_day, at_once=SHOWN_AT_ONCE)


@signed_in()
def listing() -> str:
    """A page of one's customers."""
    given, wanted = runtime(), _wanted()
    with given.read() as session:
        found = my_customers.load(
            session,
            current_viewer(),
            wanted,
            given.clock.now(),
            slugify=given.slugify,
            time_zone=given.settings.time_zone,
            cursor=request.args.get("cursor"),
        )
    return render_template("sidebar/mine/list.html", page=found, is_narrowed=wanted != Wanted(sort=wanted.sort))


@signed_in()
def filters() -> str:
    """What the list can be narrowed by: all tags, and where one's customers came from."""
    with runtime().read() as session:
        dimensions = rep_sheet.whole_library(session, slugify=runtime().slugify)
        sources = my_sources.load(session, current_viewer())
    return render_template(
        "sidebar/mine/filters.html",
        dimensions=dimensions,
        sources=sources,
        modes=my_customers.MODES,
        within_days=WITHIN_DAYS,
    )


@signed_in()
def sheet() -> str:
    """What may be put on several customers at once."""
    with runtime().read() as session:
        found = rep_sheet.for_selection(session, current_viewer(), slugify=runtime().slugify)
    return render_template("sidebar/sheet.html", sheet=found, several=True)


@signed_in()
def tag_selection() -> Response:
    """Tag several customers; say what became of each."""
    edit = body(SelectionEdit)
    draft = EditDraft(tuple(edit.add), tuple(edit.remove), None, edit.reason, via="mine")
    done = selection_edits.edit(runtime(), current_viewer(), edit.customers, draft)
    return jsonify(
        change_set_id=done.change_set_id,
        changed=done.changed,
        results=[
            {"external_userid": each.external_userid, "name": each.name, "outcome": each.outcome, "words": each.words}
            for each in done.results
        ],
    )


@signed_in()
def deck() -> Response:
    """The new customers to tag one by one, the newest first."""
    viewer, given = current_viewer(), runtime()
    with given.read() as session:
        found = (
            my_day.untagged_newcomers(session, viewer.staff_id, given.clock.now(), given.settings.time_zone)
            if viewer.staff_id is not None
            else ()
        )
    return jsonify(
        items=[{"external_userid": each.customer.external_userid, "days_ago": each.days_ago} for each in found]
    )


@signed_in()
def customer(external_userid: str) -> str:
    """One customer's profile on a page of its own; 404, always the same, where the viewer may not see him."""
    with runtime().read() as session:
        find_customer(session, current_viewer(), external_userid, Purpose.VIEW)
    setup = {**jssdk.setup().fields, "customer": external_userid}
    return render_template("sidebar/page.html", setup=setup, is_mine=True, **looks())


@signed_in()
def card(external_userid: str) -> str:
    """One customer to tag."""
    given = runtime()
    with given.read() as session:
        found = tag_cards.load(session, current_viewer(), external_userid, given.clock.now(), slugify=given.slugify)
    return render_template("sidebar/mine/card.html", card=found)


def _wanted() -> Wanted:
    given = request.args
    tags = tuple(dict.fromkeys(given.getlist("tag")))
    if len(tags) > MOST_TAGS:
        raise InvalidInput(f"最多按 {MOST_TAGS} 个标签筛选", details={"tag": f"最多 {MOST_TAGS} 个"})
    if not all(can_be_stored(text) for text in tags):
        raise InvalidInput("没有这个标签")
    return Wanted(
        q=given.get("q", "").strip()[:LONGEST_QUERY],
        tags=tags,
        mode=given.get("mode", "any"),
        source=given.get("source", ""),
        within_days=_within(given.get("within", "")),
        untagged=given.get("untagged") == "1",
        sort=given.get("sort", "newest"),
    )


def _within(text: str) -> int | None:
    if not text:
        return None
    days = int(text) if text.isdecimal() and len(text) < 4 else 0
    if days not in WITHIN_DAYS:
        raise InvalidInput("没有这个添加时间", details={"within": list(WITHIN_DAYS)})
    return days
