"""可以这样聊: what fits a customer, what became of it, and the library of everything that may be sent."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from flask import Blueprint, Response, jsonify, render_template, request
from sqlalchemy.orm import Session

from wecom_app.domain.access import Purpose
from wecom_app.domain.contents import KIND_WORDS, ChatMessage, Kind
from wecom_app.errors import NotAllowed
from wecom_app.services import content, content_use, recommendations
from wecom_app.services.access import Viewer, find_customer
from wecom_app.services.content_cache import ActiveItem
from wecom_app.services.recommendations import Recommendation
from wecom_app.services.rep_views import RepProfile
from wecom_app.web.api.schemas import Given
from wecom_app.web.incoming import body
from wecom_app.web.session import current_viewer, signed_in
from wecom_app.web.sidebar.paths import CUSTOMER, SERVED
from wecom_app.web.state import runtime

COVERED = "敏感标签"
LONGEST_QUERY = 50
PICTURES = "/pictures/"


@dataclass(frozen=True)
class Card:
    """An item with the message that sends it; `problem` says in words why it cannot be sent now."""

    item: ActiveItem
    kind_word: str
    reason: str
    message: ChatMessage | None
    problem: str | None


class Outcome(Given):
    result: Literal["shown", "sent", "dismissed"]


def register(blueprint: Blueprint) -> None:
    """Add the library, and the address that takes what became of an item."""
    blueprint.add_url_rule("/content", "library", library)
    blueprint.add_url_rule(f"{CUSTOMER}/content/<int:item_id>", "content_outcome", record, methods=["POST"])
    blueprint.add_url_rule(f"{SERVED}/content/<int:item_id>", "served_content_outcome", record_served, methods=["POST"])


def suggested(session: Session, viewer: Viewer, profile: RepProfile) -> list[Card]:
    """Return the cards for a customer, at most three, each with the reason that it fits.

    A reason that would give away a covered tag says only that there is one.
    """
    found = recommendations.for_customer(
        session,
        runtime().content_cache,
        profile.held_tags(),
        runtime().clock.now(),
        customer_id=profile.customer_id,
        viewer=viewer,
    )
    reasons = {each.item.id: _reason(each, profile.sensitive_keys) for each in found}
    return _cards(session, [each.item for each in found], reasons)


@signed_in()
def library() -> str:
    """What the viewer may send, found by title, pinyin, initials or words of the text."""
    q = request.args.get("q", "").strip()[:LONGEST_QUERY]
    with runtime().read() as session:
        found = recommendations.search(session, runtime().content_cache, current_viewer(), q, runtime().clock.now())
        cards = _cards(session, found, {})
    return render_template("sidebar/library.html", cards=cards, q=q)


@signed_in()
def record(external_userid: str, item_id: int) -> Response:
    """Write down that an item was shown, sent or dismissed."""
    return _record(external_userid, item_id, Purpose.VIEW)


@signed_in()
def record_served(external_userid: str, item_id: int) -> Response:
    """The same for customer service."""
    return _record(external_userid, item_id, Purpose.SERVE)


def _record(external_userid: str, item_id: int, purpose: Purpose) -> Response:
    outcome, viewer = body(Outcome), current_viewer()
    if viewer.staff_id is None:
        raise NotAllowed("只有企业成员可以发送内容")
    with runtime().write() as session:
        customer = find_customer(session, viewer, external_userid, purpose).customer
        content_use.record(
            session,
            item_id,
            outcome.result,
            customer_id=customer.id,
            staff_id=viewer.staff_id,
            now=runtime().clock.now(),
            time_zone=runtime().settings.time_zone,
        )
    return jsonify(result=outcome.result)


def _reason(found: Recommendation, covered: frozenset[str]) -> str:
    return COVERED if any(tag.key in covered for tag in found.tags) else found.reason


def _cards(session: Session, items: Sequence[ActiveItem], reasons: dict[int, str]) -> list[Card]:
    base = f"{runtime().settings.public_base_url or request.url_root.rstrip('/')}{PICTURES}"
    messages = content.messages(session, [item.id for item in items], runtime().clock.now(), base)
    return [_card(item, messages[item.id], reasons.get(item.id, item.asks)) for item in items if item.id in messages]


def _card(item: ActiveItem, found: ChatMessage | str, reason: str) -> Card:
    message = found if isinstance(found, ChatMessage) else None
    return Card(item, KIND_WORDS[Kind(item.kind)], reason, message, found if isinstance(found, str) else None)
