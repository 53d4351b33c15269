"""The page itself, and `/playground/now`: what its parts show at this moment."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

import segno
from flask import Blueprint, Response, current_app, jsonify, render_template, request
from markupsafe import Markup
from werkzeug.wrappers import Response as AnyResponse

from wecom_app.errors import Unavailable
from wecom_app.services import channels, customer_record, profiles
from wecom_app.services.channels import ChannelView
from wecom_app.web.origins import own_origin
from wecom_app.web.playground import guide, story, switches
from wecom_app.web.playground.acts import member
from wecom_app.web.playground.corp import Json, corp
from wecom_app.web.playground.sign_in import through_log_in
from wecom_app.web.session import csrf_token
from wecom_app.web.state import runtime

CODES, KNOWN, LINES = 6, 20, 60
LONGEST_ID = 128
EXPLAINED = "wecom_app.playground.explained"
MOST_EXPLAINED = 1000
TRIED = "tried"
"""In the address after a log-in: where that failed, the page is shown all the same."""
WHY = "sidebar.why"
HEADLINES = frozenset({story.CALLBACK, story.CALL, story.TAG, story.CHECKED, story.SENT})
FIRST = "还没有开始：在左边客户的手机上扫一个码。"
ACTIVE = 1


def register(blueprint: Blueprint) -> None:
    """Add the page, and the ear for what the sidebar explains."""
    blueprint.add_url_rule("", "stage", stage)
    blueprint.add_url_rule("/now", "now", now)
    blueprint.after_app_request(_note_explained)


@dataclass(frozen=True)
class Asked:
    """Whose phone it is, and since when the guided path runs."""

    customer: str
    since: datetime
    is_scanning: bool


def stage() -> str | AnyResponse:
    """The page. Whoever is not signed in goes once through WeCom's log-in, as the member asked for or the first."""
    try:
        members = _members()
    except Unavailable:
        members = {}
    userid, asked = member(), _asked()
    if userid is None and members and TRIED not in request.args and own_origin() is not None:
        wanted = request.args.get("rep", "")
        again = urlencode({**request.args, TRIED: "1"})
        return through_log_in(wanted if wanted in members else next(iter(members)), f"/playground?{again}")
    setup = {"csrf": csrf_token(), "rep": userid, "customer": asked.customer, "since": _text(asked.since)}
    return render_template("playground/stage.html", members=members, userid=userid, setup=setup, steps=guide.STEPS)


def now() -> Response:
    """All parts of the page as they stand now, as HTML by name."""
    asked, faults = _asked(), corp().get("faults")
    members = _members()
    found = _sides(asked.customer, members) if asked.customer else None
    lines = story.tell(found) if found else []
    parts = {
        "phone": _phone(asked, found),
        "acts": "" if asked.is_scanning else render_template("playground/_acts.html", **_friendship(found)),
        "chat": render_template("playground/_chat.html", **_friendship(found)),
        "native": _native(found),
        "guide": _guide(asked, found),
        "faults": render_template("playground/_faults.html", switches=switches.shown(faults)),
        "story": _story(lines),
    }
    return jsonify(
        now=_text(runtime().clock.now()),
        has_members=bool(members),
        fresh=_state_of_profile(found),
        headline=_headline(lines, found),
        parts=parts,
    )


def _asked() -> Asked:
    """Read the address; whatever in it is none of ours counts as not given."""
    try:
        since = datetime.fromisoformat(request.args.get("since", "")).astimezone(UTC)
    except (ValueError, OverflowError):
        since = runtime().clock.now()
    customer = request.args.get("customer", "")[:LONGEST_ID].replace("\0", "")
    return Asked(customer, since, not customer or "scanning" in request.args)


def _text(at: datetime) -> str:
    """Return a time that needs no escaping in an address."""
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _members() -> Mapping[str, str]:
    """Return the names of the members at work, those whom live codes lead to first."""
    found = corp().get("state", parts="members")["members"]
    names = {item["userid"]: item["name"] for item in found if item["status"] == ACTIVE}
    with runtime().read() as session:
        busy = [userid for item in reversed(channels.list_channels(session)) for userid in item.staff]
    return {userid: names[userid] for userid in dict.fromkeys([*busy, *names]) if userid in names}


def _sides(external_userid: str, names: Mapping[str, str]) -> story.Sides:
    given = runtime()
    with given.read() as session:
        ours = customer_record.load(session, given.queue, external_userid, given.clock.now())
    theirs = corp().get("about", external_userid=external_userid)
    return story.Sides(ours, theirs, lambda userid: names.get(userid, userid))


def _customer_name(found: story.Sides | None) -> str:
    customer = found.theirs["customer"] if found else None
    return customer["name"] if customer else ""


def _friendship(found: story.Sides | None) -> Json:
    """Return what customer and member see of each other: the relation at WeCom and its welcome."""
    userid = member()
    values: Json = {"customer": _customer_name(found), "relation": None, "welcome": None, "others": []}
    if found is None or userid is None:
        return {**values, "rep": found.name_of(userid) if found and userid else None}
    relations = found.theirs["relations"]
    welcomes = [item for item in found.theirs["welcomes"] if item["userid"] == userid]
    live = [item["userid"] for item in relations if item["deleted_by"] is None and item["userid"] != userid]
    return {
        **values,
        "rep": found.name_of(userid),
        "relation": next((item for item in relations if item["userid"] == userid), None),
        "welcome": welcomes[-1] if welcomes else None,
        "others": [(other, found.name_of(other)) for other in live],
    }


def _phone(asked: Asked, found: story.Sides | None) -> str:
    if not asked.is_scanning:
        return render_template("playground/_phone.html", **_friendship(found))
    with runtime().read() as session:
        codes = [item for item in reversed(channels.list_channels(session, limit=CODES)) if item.config_id]
        known = profiles.list_profiles(session, runtime().clock.now(), limit=KNOWN)
    return render_template(
        "playground/_scan.html", codes=[(code, _picture(code)) for code in codes], known=known, chosen=asked.customer
    )


def _picture(code: ChannelView) -> Markup:
    drawn = segno.make(code.qr_code or code.state, error="m")
    return Markup(drawn.svg_inline(scale=4, border=1, omitsize=True, dark="#111", light="#fff"))  # noqa: S704  drawn by segno


def _native(found: story.Sides | None) -> str:
    """The tags in WeCom's own client: the whole library, with what the member's relation has."""
    relation = _friendship(found)["relation"]
    if relation is None or relation["deleted_by"] is not None:
        return render_template("playground/_native.html", groups=[], held=frozenset())
    groups = corp().get("state", parts="tag_groups")["tag_groups"]
    held = frozenset(tag["id"] for tag in relation["tags"])
    return render_template("playground/_native.html", groups=groups, held=held)


def _guide(asked: Asked, found: story.Sides | None) -> str:
    explained = current_app.extensions.get(EXPLAINED, {}).get(asked.customer)
    ticks = guide.ticks(guide.Seen(found, asked.since, explained) if found else None)
    steps = list(zip(guide.STEPS, ticks, strict=True))
    following = next((step for step, is_done in steps if not is_done), None)
    return render_template("playground/_guide.html", steps=steps, following=following)


def _story(lines: list[story.Line]) -> str:
    left_out = max(0, len(lines) - LINES)
    return render_template("playground/_story.html", lines=lines[-LINES:], left_out=left_out, clock=_clock)


def _clock(at: datetime) -> str:
    return f"{at.astimezone(ZoneInfo(runtime().settings.time_zone)):%H:%M:%S}"


def _headline(lines: list[story.Line], found: story.Sides | None) -> str:
    """One sentence on what just happened."""
    latest = [line for line in lines if line.kind in HEADLINES]
    if found is None or not latest:
        return FIRST
    return latest[-1].news or latest[-1].text


def _state_of_profile(found: story.Sides | None) -> str:
    """Return a text that changes when the sidebar would show something else."""
    profile = found.ours.profile if found else None
    if profile is None:
        return ""
    pending = [(tag.key, tag.sync) for tag in profile.tags]
    return str(hash((profile.version, tuple(pending), profile.removing, profile.is_active)))


def _note_explained(response: Response) -> Response:
    """Remember that the sidebar has said why a customer has a tag: reading leaves no other trace."""
    if request.endpoint == WHY and response.status_code == 200 and request.view_args:
        seen = current_app.extensions.setdefault(EXPLAINED, {})
        if len(seen) >= MOST_EXPLAINED:
            seen.clear()
        seen[request.view_args["external_userid"]] = runtime().clock.now()
    return response
