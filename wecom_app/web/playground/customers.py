"""`/playground/customers`: who came through which code, what he was tagged with and why, without a log-in."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from flask import Blueprint, render_template, request

from wecom_app.domain.vocabulary import ADD_WAY_WORDS
from wecom_app.domain.words import (
    LOST_WORDS,
    OPERATION_WORDS,
    SYNC_BY_URGENCY,
    SYNC_WORDS,
    WELCOME_WORDS,
    source_word,
)
from wecom_app.errors import NotFound
from wecom_app.services import profiles
from wecom_app.services.profiles import HistoryView, ProfileView, RelationView, TagView, WelcomeView
from wecom_app.web.state import runtime

PAGE = 20
HISTORY_PAGE = 50
LONGEST_NAME = 50


@dataclass(frozen=True)
class Reason:
    """Why a tag stands or changed: the source in a word, and what is known about it as (name, value)."""

    source: str
    facts: tuple[tuple[str, str], ...]


def register(blueprint: Blueprint) -> None:
    """Add the pages."""
    blueprint.add_url_rule("/customers", "overview", overview)
    blueprint.add_url_rule("/customers/<external_userid>", "customer", customer)
    blueprint.context_processor(words)


def overview() -> str:
    """The latest customers with their tags."""
    name = request.args.get("q", "").strip()[:LONGEST_NAME]
    before = request.args.get("before", type=_row_id)
    with runtime().read() as session:
        found = profiles.list_profiles(session, runtime().clock.now(), name=name, before_id=before, limit=PAGE + 1)
        welcomes = profiles.welcomes(session, [customer.external_userid for customer in found])
        count = profiles.count(session, name=name)
    return render_template(
        "playground/overview.html",
        customers=found[:PAGE],
        older=found[PAGE - 1].id if len(found) > PAGE else None,
        count=count,
        welcomes=welcomes,
        q=name,
        before=before,
    )


def customer(external_userid: str) -> str | tuple[str, int]:
    """One customer: every tag with its reason, and the history."""
    before = request.args.get("before", type=_row_id)
    with runtime().read() as session:
        try:
            found = profiles.get(session, external_userid, runtime().clock.now())
        except NotFound:
            return render_template("playground/unknown.html"), 404
        history = profiles.history(session, external_userid, before_id=before, limit=HISTORY_PAGE + 1)
        welcomes = profiles.welcomes(session, [external_userid])
        dimensions = profiles.dimensions(session)
    return render_template(
        "playground/customer.html",
        customer=found,
        dimensions=dimensions,
        welcomes=welcomes,
        history=history[:HISTORY_PAGE],
        older=history[HISTORY_PAGE - 1].id if len(history) > HISTORY_PAGE else None,
        before=before,
        names={relation.userid: relation.staff_name for relation in found.relations},
    )


def _row_id(text: str) -> int:
    """Return the id of the last row of the page before; anything else shows the first page."""
    number = int(text)
    if not 0 < number < 2**63:
        raise ValueError(text)
    return number


def words() -> dict[str, Any]:
    """What the templates say things with."""
    return {
        "sync_words": SYNC_WORDS,
        "lost_words": LOST_WORDS,
        "operation_words": OPERATION_WORDS,
        "reason_of": reason_of,
        "came_by": came_by,
        "said": said,
        "agreement": agreement,
        "local_time": local_time,
    }


def local_time(moment: datetime) -> str:
    """Return a moment in the company's time zone."""
    local = moment.astimezone(ZoneInfo(runtime().settings.time_zone))
    return f"{local.month}月{local.day}日 {local:%H:%M:%S}"


def came_by(relation: RelationView) -> str:
    """Say how the customer and the member met."""
    if relation.channel_name is not None:
        return relation.channel_name
    return ADD_WAY_WORDS.get(relation.add_way or 0, "来源未识别")


def said(
    welcomes: Mapping[tuple[str, str], WelcomeView], profile: ProfileView, relation: RelationView
) -> tuple[str, str] | None:
    """Return the state of the relation's welcome message and what became of it in words."""
    view = welcomes.get((profile.external_userid, relation.userid.lower()))
    if view is None:
        return None
    text = WELCOME_WORDS.get(view.status, view.status)
    if view.status == "sent" and view.took_s is not None:
        took = f"{view.took_s:.1f} 秒" if view.took_s >= 0.1 else "不到 0.1 秒"
        text = f"{text}（{took}）"
    return view.status, text


def agreement(profile: ProfileView) -> tuple[str, str] | None:
    """Return the worst state of the customer's tags and its word; None where nothing is to be agreed on."""
    states = {tag.sync[0] for tag in profile.tags} | {"pending" for _ in profile.removing}
    if not profile.is_active or not states:
        return None
    worst = next(state for state in SYNC_BY_URGENCY if state in states)
    return worst, SYNC_WORDS[worst]


def reason_of(view: TagView | HistoryView, names: Mapping[str, str]) -> Reason:
    """Say why a tag stands, or why it changed, in the field's words; `names` are the members' by userid."""
    evidence = view.evidence
    facts = [(label, str(evidence[name])) for name, label in FACT_WORDS if evidence.get(name)]
    if evidence.get("userid"):
        facts.append(("成员", names.get(evidence["userid"], evidence["userid"])))
    if view.source_kind == "channel" and "channel_name" not in evidence:
        facts.insert(0, ("方式", ADD_WAY_WORDS.get(evidence.get("add_way") or 0, "来源未识别")))
    return Reason(source_word(view.source_kind, evidence), tuple(facts))


FACT_WORDS = (
    ("channel_name", "渠道"),
    ("source", "获客来源"),
    ("state", "State"),
    ("event_id", "回调事件"),
    ("api_key", "接口密钥"),
    ("reason", "原因"),
)
