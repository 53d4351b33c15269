"""Follow-up notes: written and changed by their author, read by all who may see the customer, due on their day."""

from datetime import UTC, timedelta
from typing import Any

import pytest

from tests.services.people import ADMIN, viewer
from tests.services.shop import Shop
from wecom_app.errors import InvalidInput, NotAllowed, NotFound
from wecom_app.models import FollowUp
from wecom_app.services import follow_ups, rep_profile
from wecom_app.services.follow_ups import FollowUpEdit
from wecom_app.services.rep_views import FollowUpView


def add(shop: Shop, text: str = "问尺码", userid: str = "zhang", *, hours: float | None = None) -> FollowUpView:
    now = shop.clock.now()
    remind_at = None if hours is None else now + timedelta(hours=hours)
    with shop.store.write() as session:
        return follow_ups.add(session, viewer(shop, userid), "wm_li", text, remind_at, now)


def edit(shop: Shop, note: FollowUpView, userid: str = "zhang", **change: Any) -> FollowUpView:
    with shop.store.write() as session:
        return follow_ups.edit(session, viewer(shop, userid), note.id, FollowUpEdit(**change), shop.clock.now())


def due(shop: Shop, userid: str = "zhang") -> list[str]:
    with shop.store.read() as session:
        return [note.text for note in follow_ups.due(session, viewer(shop, userid), shop.clock.now())]


def shown(shop: Shop, userid: str) -> list[tuple[str, bool]]:
    """Return the notes of li's timeline with whether they are the viewer's own."""
    with shop.store.read() as session:
        entries = rep_profile.load(session, viewer(shop, userid), "wm_li", shop.clock.now()).timeline.entries
    return [(entry.follow_up.text, entry.follow_up.is_mine) for entry in entries if entry.follow_up is not None]


@pytest.mark.both
def test_a_note_is_read_by_every_colleague_of_the_customer_and_changed_by_its_author(shop: Shop) -> None:
    shop.customer("zhang", "wang")
    note = add(shop, " 问尺码 \n喜欢宽松 ")
    assert shown(shop, "wang") == [("问尺码 \n喜欢宽松", False)]

    shop.clock.advance(60)
    changed = edit(shop, note, text="问过尺码：M")

    assert (changed.text, changed.edited_at, changed.created_at) == ("问过尺码：M", shop.clock.now(), note.created_at)
    assert shown(shop, "zhang") == [("问过尺码：M", True)]
    for act in (lambda: edit(shop, note, "wang", text="我的"), lambda: edit(shop, note, "wang", done=True)):
        with pytest.raises(NotFound):
            act()
    assert shown(shop, "zhang") == [("问过尺码：M", True)]


def test_a_note_taken_away_is_gone_for_everybody(shop: Shop) -> None:
    shop.customer("zhang", "wang")
    note = add(shop, hours=1)
    with shop.store.write() as session, pytest.raises(NotFound):
        follow_ups.delete(session, viewer(shop, "wang"), note.id, shop.clock.now())
    with shop.store.write() as session:
        follow_ups.delete(session, viewer(shop, "zhang"), note.id, shop.clock.now())
    shop.clock.advance(7200)

    assert (shown(shop, "wang"), due(shop)) == ([], [])
    with pytest.raises(NotFound):
        edit(shop, note, text="x")


@pytest.mark.both
def test_what_is_due_is_listed_until_it_is_done(shop: Shop) -> None:
    shop.customer("zhang", "wang")
    later, sooner = add(shop, "二", hours=2), add(shop, "一", hours=1)
    add(shop, "wang's", "wang", hours=1)
    add(shop, "without a date")
    assert due(shop) == []
    shop.clock.advance(2.5 * 3600)

    assert due(shop) == ["一", "二"]
    edit(shop, sooner, done=True)
    assert due(shop) == ["二"]
    edit(shop, sooner, done=False)
    assert due(shop) == ["一", "二"]
    edit(shop, later, remind_at=shop.clock.now() + timedelta(days=1))
    assert due(shop) == ["一"]


def test_a_note_on_a_customer_who_was_lost_is_due_no_more(shop: Shop) -> None:
    customer = shop.customer("wang")
    relation = shop.befriend(customer, "zhang")
    note = add(shop, hours=1)
    shop.clock.advance(7200)
    shop.part(relation)

    assert due(shop) == []
    with pytest.raises(NotFound):
        edit(shop, note, text="x")


def test_a_reminder_waits_only_while_it_makes_sense(shop: Shop) -> None:
    shop.customer("zhang")
    note = add(shop, hours=1)

    def state() -> str | None:
        (row,) = shop.all(FollowUp)
        return row.remind_state

    assert state() == "waiting"
    edit(shop, note, done=True)
    assert state() is None
    edit(shop, note, done=False)
    assert state() == "waiting"
    edit(shop, note, remind_at=None)
    assert (state(), edit(shop, note).remind_at) == (None, None)


@pytest.mark.parametrize("text", ["", "  ", "字" * 2001, "a\0b"], ids=["empty", "blank", "long", "nul"])
def test_a_text_that_cannot_be_kept_is_refused(shop: Shop, text: str) -> None:
    shop.customer("zhang")
    with pytest.raises(InvalidInput):
        add(shop, text)


def test_a_reminder_lies_ahead(shop: Shop) -> None:
    shop.customer("zhang")
    for hours in (-1, 0, 24 * 366 * 6):
        with pytest.raises(InvalidInput):
            add(shop, hours=hours)


def test_somebody_who_is_no_member_writes_none(shop: Shop) -> None:
    shop.customer("zhang")
    with shop.store.write() as session, pytest.raises(NotAllowed):
        follow_ups.add(session, ADMIN, "wm_li", "x", None, shop.clock.now())
    with shop.store.write() as session, pytest.raises(NotFound):
        follow_ups.add(session, viewer(shop, "zhang"), "wm_nobody", "x", None, shop.clock.now())


@pytest.mark.parametrize(
    ("text", "utc"),
    [
        ("2026-12-01", "2026-12-01T01:00:00+00:00"),
        ("2026-12-01T18:30", "2026-12-01T10:30:00+00:00"),
        ("2026-12-01T18:30:00Z", "2026-12-01T18:30:00+00:00"),
    ],
)
def test_a_moment_is_read_in_the_companys_zone(text: str, utc: str) -> None:
    assert follow_ups.moment(text, "Asia/Shanghai").astimezone(UTC).isoformat() == utc


@pytest.mark.parametrize("text", ["", "tomorrow", "2026-13-01", "9999999999"])
def test_what_is_no_moment_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput):
        follow_ups.moment(text, "Asia/Shanghai")
