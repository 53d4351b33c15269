"""Texts from outside that would run as markup: in every column that the sidebar shows, drawn by Chromium, never run.

The content security policy would stop most of them; a report of it counts as a failure too, since the texts must
not even try.
"""

from collections.abc import Iterator
from itertools import count, islice
from typing import Any

import pytest
from playwright.sync_api import expect
from sqlalchemy import select
from sqlalchemy.orm import InstrumentedAttribute, Session

from tests.browser.conftest import OpenWindow
from tests.browser.payloads import PAYLOADS
from tests.browser.site import Site
from tests.browser.window import Look, Window
from wecom_app.models import (
    ApiKey,
    ChangeSet,
    Channel,
    ContentItem,
    Customer,
    CustomerTag,
    FollowUp,
    ProfileField,
    ProfileValue,
    Relation,
    RemarkEdit,
    Staff,
    Tag,
    TagDimension,
    TagEvent,
    TagGroup,
    TagOperation,
    Welcome,
)

Column = InstrumentedAttribute[Any]
SHOWN: tuple[Column, ...] = (
    ApiKey.name,
    Channel.name,
    Channel.source,
    ChangeSet.reason,
    ContentItem.text,
    ContentItem.title,
    Customer.corp_name,
    Customer.name,
    FollowUp.remind_reason,
    FollowUp.text,
    ProfileField.help,
    ProfileField.name,
    ProfileValue.value,
    Relation.description,
    Relation.remark,
    Relation.remark_company,
    Relation.state,
    RemarkEdit.reason,
    Staff.name,
    Tag.name,
    TagDimension.name,
    TagGroup.name,
    TagOperation.reason,
    Welcome.reason,
)
"""Every column whose text comes from people or from WeCom and reaches the sidebar."""
EVIDENCE = ("text", "reason", "channel_name", "source", "state", "api_key")
STRANGERS = (
    "script:not([src]):not([type]), iframe, object, embed, video, audio, marquee, form, base, math, style, "
    "[onerror], [onload], [onclick], [onfocus], main [style]"
)
CONSOLE_STRANGERS = STRANGERS.replace("form, ", "")
"""The console has forms of its own."""
ROUNDS = 4


def endless() -> Iterator[str]:
    """Yield the texts again and again, never twice the same: names are unique."""
    for number in count():
        yield f"{PAYLOADS[number % len(PAYLOADS)]}{number}"


def poison(session: Session, texts: Iterator[str]) -> None:
    """Write a text into each shown column of each row, and into each fact of each piece of evidence."""
    for column in SHOWN:
        for row in session.scalars(select(column.class_)).all():
            setattr(row, column.key, next(texts))
    for row in session.scalars(select(ProfileField).where(ProfileField.kind == "choice")):
        row.options = list(islice(texts, 3))
    for row in session.scalars(select(CustomerTag)):
        row.evidence = {name: next(texts) for name in EVIDENCE}
    for event in session.scalars(select(TagEvent)):
        event.after = {**(event.after or {}), "evidence": {name: next(texts) for name in EVIDENCE}}
    for customer in session.scalars(select(Customer)):
        customer.avatar = next(texts)


@pytest.fixture
def customer(site: Site) -> str:
    """A customer who has a little of everything."""
    keys = [
        *site.make_tags(*[f"标签{n}" for n in range(len(PAYLOADS))]),
        *site.make_tags("孕期", group="健康", sensitive=True),
    ]
    for number in range(3):
        body = {"kind": "script", "title": f"话术{number}", "text": "正文", "status": "active"}
        assert site.client.post("/api/v1/content", json=body, headers=site.headers).status_code == 201
    found = site.scan("林晓芸", tags=keys[:40])
    site.post(f"/customers/{found}/tags", {"add": keys[40:], "reason": "说明"}, expect=200)
    for number in range(3):
        site.write_note(found, f"跟进{number}")
    with site.runtime.write() as session:
        row = session.scalars(select(Customer)).one()
        _fill(session, row.id, site)
    return found


def _fill(session: Session, customer_id: int, site: Site) -> None:
    now = site.clock.now()
    for number, kind in enumerate(("text", "choice", "region", "phone")):
        field = ProfileField(key=f"field_{number}", name=f"字段{number}", kind=kind, options=[], created_at=now)
        session.add(field)
        session.flush()
        session.add(
            ProfileValue(customer_id=customer_id, field_id=field.id, value="值", source_kind="manual", set_at=now)
        )


def check(window: Window, strangers: str = STRANGERS) -> None:
    assert window.page.evaluate("window.__hacked") is None
    assert window.find(strangers).count() == 0
    assert window.problems == []


def test_what_comes_from_outside_is_text_and_nothing_else(window: OpenWindow, customer: str, site: Site) -> None:
    assert len(PAYLOADS) >= 40
    opened = window(customer)
    texts = endless()
    for _ in range(ROUNDS):
        with site.runtime.write() as session:
            poison(session, texts)
        opened.open()
        opened.find(".tag[data-tag]").nth(30).wait_for()
        check(opened)
    tags = opened.find(".tag[data-tag]")
    shown = "".join(tags.all_inner_texts())
    assert "<script>" in shown
    assert "onerror" in shown
    for number in (0, 15, 30):
        tags.nth(number).click()
        opened.find(".popover .evidence").wait_for()
        check(opened)
        opened.press("知道了")
    opened.press("打标签")
    opened.find(".sheet .pick").first.click()
    opened.find(".sheet .pick").nth(20).click()
    check(opened)
    opened.page.keyboard.press("Escape")
    opened.press("放弃修改")
    for button in ("#open-library", "#edit-fields", "#edit-remark", "#bar-note"):
        if opened.find(button).count():
            opened.find(button).click()
            opened.find(".sheet").wait_for()
            check(opened)
            opened.page.keyboard.press("Escape")
            opened.find(".sheet").wait_for(state="detached")


def test_a_customer_s_id_from_the_client_is_text_and_nothing_else(window: OpenWindow) -> None:
    opened = window()
    for payload in PAYLOADS[::4]:
        opened.client.external_userid = payload
        opened.open()
        opened.rests_at("没有找到这位客户")
        check(opened)


def test_the_list_of_customers_takes_it_for_text_too(window: OpenWindow, customer: str, site: Site) -> None:
    newcomer = site.simulator.scan(site.make_channel(name="新码")["config_id"], name="周婷")["external_userid"]
    site.settle()
    opened = window(entry="normal")
    with site.runtime.write() as session:
        poison(session, endless())
        for note in session.scalars(select(FollowUp)):
            note.remind_at = site.clock.now()
    opened.open("/sidebar/mine").find("#due-title").wait_for()
    check(opened)
    opened.find("#open-deck").click()
    opened.find(".deck-card .big").first.click()
    check(opened)
    opened.find("#deck-next").click()
    opened.find("#toast .toast").wait_for()
    check(opened)
    opened.find("#deck-close").click()
    opened.page.get_by_role("tab", name="全部").click()
    opened.find("#rows .row").nth(1).wait_for()
    check(opened)
    opened.find("#open-filters").click()
    opened.find(".filters .pick:visible").first.click()
    opened.find('[data-one="source"] .pill').first.click()
    check(opened)
    opened.press("看结果")
    opened.find(".chosen .pill").nth(1).wait_for()
    check(opened)
    opened.open(f"/sidebar/mine/customers/{newcomer}").state()
    check(opened)


def test_the_console_takes_it_for_text_too(window: OpenWindow, customer: str, site: Site) -> None:
    opened = window(roles=("admin",), look=Look(1280, 900))
    with site.runtime.write() as session:
        poison(session, endless())
        for item in session.scalars(select(ContentItem)):
            keys = list(session.scalars(select(Tag.key).limit(3)))
            item.condition = {"on": "tag", "op": "has_none", "tags": keys}
    pages = ("", "/content", "/content/1", "/customers", f"/customers/{customer}", "/profile-fields", "/roles")
    for path in pages:
        opened.open(f"/admin{path}")
        check(opened, CONSOLE_STRANGERS)
    opened.open("/admin/content/1").find('[data-choice="all"] input[type=search]').click()
    opened.find("[data-add]").first.click()
    opened.find("#who").fill("<")
    opened.find("#tried li").first.wait_for()
    expect(opened.find("#tried")).to_contain_text("<")
    check(opened, CONSOLE_STRANGERS)
    opened.open(f"/admin/customers/{customer}").find("[hx-get]").first.click()
    opened.find("#why dl").wait_for()
    check(opened, CONSOLE_STRANGERS)
