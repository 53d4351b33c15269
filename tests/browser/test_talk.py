"""可以这样聊: what is suggested and why, sending it into the chat, and what is recorded of it."""

from collections import Counter
from typing import Any

import pytest
from playwright.sync_api import expect
from sqlalchemy import select

from tests.browser.conftest import OpenWindow
from tests.browser.site import Site
from wecom_app.models import ContentEvent, ContentItem

TEXT = "换季容易泛红，这款面霜不含香精。"


def add_item(site: Site, title: str, **more: Any) -> int:
    body = {"kind": "script", "title": title, "text": TEXT, "status": "active", **more}
    answer = site.client.post("/api/v1/content", json=body, headers=site.headers)
    assert answer.status_code == 201, answer.get_data(as_text=True)
    found: int = answer.get_json()["id"]
    return found


def has(key: str) -> dict[str, Any]:
    return {"on": "tag", "op": "has_any", "tags": [key]}


@pytest.fixture
def customer(site: Site) -> str:
    """A customer with 敏感肌, and content for him, for others and for everybody."""
    skin, other = site.make_tags("敏感肌", "油性肌")
    add_item(site, "敏感肌换季护理", condition=has(skin), priority=90)
    add_item(site, "油皮控油", condition=has(other), priority=90)
    add_item(site, "面霜怎么选", kind="article", link="https://shop.example.com/cream", priority=80)
    return site.scan("林晓芸", tags=[skin])


def recorded(site: Site) -> Counter[tuple[str, str]]:
    query = select(ContentItem.title, ContentEvent.result).join(ContentItem, ContentItem.id == ContentEvent.item_id)
    with site.runtime.read() as session:
        return Counter((row.title, row.result) for row in session.execute(query))


def test_what_fits_the_customer_is_suggested_with_its_reason(window: OpenWindow, customer: str, site: Site) -> None:
    opened = window(customer).open()
    expect(opened.find(".talk h3")).to_have_text(["敏感肌换季护理 话术", "面霜怎么选 文章"])
    expect(opened.find(".talk").first).to_contain_text("理由：标签 敏感肌", use_inner_text=True)
    opened.comes_to(lambda: recorded(site), Counter({("敏感肌换季护理", "shown"): 1, ("面霜怎么选", "shown"): 1}))


def test_a_card_is_sent_into_the_chat_and_recorded(window: OpenWindow, customer: str, site: Site) -> None:
    opened = window(customer).open()
    for number in (0, 1):
        opened.find(".talk .send").nth(number).click()
        opened.find(".talk .send").nth(number).get_by_text("已发送").wait_for()
    first, second = opened.client.sent
    assert (first["msgtype"], first["text"]) == ("text", {"content": TEXT})
    assert (second["msgtype"], second["news"]["link"]) == ("news", "https://shop.example.com/cream")
    opened.comes_to(lambda: recorded(site)["敏感肌换季护理", "sent"], 1)


@pytest.mark.parametrize(("refusal", "said"), [("cancel", False), ("no permission", True)])
def test_what_was_not_sent_is_not_recorded_as_sent(
    window: OpenWindow, customer: str, site: Site, refusal: str, said: bool
) -> None:
    opened = window(customer, refusals={"sendChatMessage": refusal}).open()
    opened.find(".talk .send").first.click()
    expect(opened.find(".talk .send").first).to_be_enabled()
    expect(opened.page.get_by_text("没有发出去")).to_be_visible(visible=said)
    assert recorded(site)["敏感肌换季护理", "sent"] == 0


def test_what_does_not_suit_makes_way(window: OpenWindow, customer: str, site: Site) -> None:
    opened = window(customer).open()
    opened.find('[data-action="dismiss"]').first.click()
    expect(opened.find(".talk h3")).to_have_text(["面霜怎么选 文章"])
    opened.comes_to(lambda: recorded(site)["敏感肌换季护理", "dismissed"], 1)


@pytest.mark.parametrize("entry", ["contact_profile"])
def test_where_nothing_can_be_sent_there_is_no_button_for_it(window: OpenWindow, customer: str, entry: str) -> None:
    opened = window(customer, entry=entry).open()
    opened.find(".talk").first.wait_for()
    expect(opened.find(".talk .send").first).to_be_hidden()
    expect(opened.find('[data-action="copy"]').first).to_be_visible()


@pytest.mark.parametrize("words", ["油皮", "youpi", "ypky"])
def test_the_library_finds_by_title_pinyin_and_initials(window: OpenWindow, customer: str, words: str) -> None:
    opened = window(customer).open()
    opened.press("话术库")
    opened.page.get_by_label("搜索话术").fill(words)
    expect(opened.find(".sheet .talk h3")).to_have_text(["油皮控油 话术"])
    opened.find(".sheet .send").click()
    opened.find(".sheet .send").get_by_text("已发送").wait_for()
    assert opened.client.sent[0]["text"] == {"content": TEXT}
