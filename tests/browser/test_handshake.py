"""The way to the customer, through the unmodified JS-SDK and a client that judges our signature as WeCom does."""

import pytest

from tests.browser.client import IOS, OLD, PC, PLAIN_BROWSER
from tests.browser.conftest import OpenWindow
from tests.browser.site import Site


@pytest.fixture(scope="module")
def site(standing_site: Site) -> Site:
    """One site for the whole file: nothing is written here."""
    return standing_site


@pytest.fixture(scope="module")
def customer(site: Site) -> str:
    return site.scan("林晓芸")


@pytest.mark.parametrize("user_agent", [PC, IOS], ids=["pc", "ios"])
def test_the_chat_s_customer_is_shown(window: OpenWindow, customer: str, user_agent: str) -> None:
    opened = window(customer, user_agent=user_agent).open()
    opened.rests_at("林晓芸")
    assert opened.client.names() == ["agentConfig", "getContext", "getCurExternalContact"]


def test_the_signature_comes_with_the_page(window: OpenWindow, customer: str, site: Site) -> None:
    opened = window(customer)
    asked: list[str] = []
    opened.page.on("request", lambda request: asked.append(request.url))
    opened.open().rests_at("林晓芸")
    assert not [url for url in asked if "/api/jssdk/" in url]


def test_a_bridge_that_appears_late_is_waited_for(window: OpenWindow, customer: str) -> None:
    opened = window(customer, late=True).open()
    opened.find(".skeleton").wait_for()
    opened.page.evaluate("window.__bridgeAppears()")
    opened.rests_at("林晓芸")


@pytest.mark.parametrize("path", ["/sidebar?from=%E8%81%8A%E5%A4%A9&a=1+2", "/sidebar?x#part", "/sidebar#part"])
def test_an_address_with_query_and_hash_is_signed_as_it_is(window: OpenWindow, customer: str, path: str) -> None:
    window(customer).open(path).rests_at("林晓芸")


def test_an_address_that_changes_is_signed_anew(window: OpenWindow, customer: str) -> None:
    opened = window(customer).open()
    opened.state()
    opened.page.evaluate("history.pushState(null, '', '/sidebar?later=1')")
    opened.page.evaluate("sidebar.profile.start()")
    opened.evaluates("sidebar.client.steps.filter((step) => step.name === 'getContext').length", 2)
    assert opened.client.names().count("agentConfig") == 2
    opened.rests_at("林晓芸")


def test_a_client_before_3_0_24_is_served_too(window: OpenWindow, customer: str) -> None:
    opened = window(customer, user_agent=OLD, refusals={"getContext": "function not exist"}).open()
    opened.rests_at("林晓芸")
    assert opened.client.names()[:2] == ["preVerifyJSAPI", "agentConfig"]


def test_a_wrong_ticket_is_shown_with_what_the_administrator_needs(
    window: OpenWindow, customer: str, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(site.simulator.world.tokens, "ticket_value", lambda *_: "another")
    opened = window(customer).open()
    opened.rests_at("企业微信没有允许读取客户")
    opened.shows("agentConfig:invalid signature")


def test_a_wrong_agent_is_shown_with_what_the_administrator_needs(window: OpenWindow, customer: str) -> None:
    opened = window(customer, agent_id=1000099).open()
    opened.rests_at("企业微信没有允许读取客户")
    opened.shows("agentConfig:invalid agentid")


def test_no_permission_is_shown_and_can_be_tried_again(window: OpenWindow, customer: str) -> None:
    opened = window(customer, refusals={"getCurExternalContact": "no permission"}).open()
    opened.rests_at("企业微信没有允许读取客户")
    opened.shows("getCurExternalContact:no permission")
    opened.client.refusals.clear()
    opened.press("重试")
    opened.shows("林晓芸")


@pytest.mark.parametrize("entry", ["group_chat_tools", "internal_group_chat_board"])
def test_a_group_chat_has_no_customer(window: OpenWindow, customer: str, entry: str) -> None:
    window(customer, entry=entry).open().rests_at("群聊里没有单独的客户")


def test_an_entry_without_a_chat_has_no_customer(window: OpenWindow, customer: str) -> None:
    window(customer, entry="normal").open().rests_at("没有正在聊天的客户")


def test_a_client_that_never_answers_is_given_up_on(window: OpenWindow, customer: str) -> None:
    opened = window(customer, silent={"getCurExternalContact"})
    opened.page.clock.install()
    opened.open()
    opened.find(".skeleton").wait_for()
    opened.page.clock.run_for(7000)
    opened.rests_at("企业微信没有回应")
    opened.client.silent.clear()
    opened.press("重试")
    opened.page.clock.run_for(100)
    opened.shows("林晓芸")


def test_a_plain_browser_is_told_to_open_wecom(window: OpenWindow, customer: str) -> None:
    opened = window(customer, user_agent=PLAIN_BROWSER).open()
    opened.rests_at("请在企业微信中打开")
    assert opened.client.calls == []


def test_a_client_without_the_call_is_too_old(window: OpenWindow, customer: str) -> None:
    opened = window(customer, refusals={"getCurExternalContact": "function not exist"}).open()
    opened.rests_at("企业微信版本太旧")


def test_a_client_whose_web_view_cannot_read_the_sdk_is_too_old(window: OpenWindow, customer: str) -> None:
    opened = window(customer)
    opened.page.route(
        "**/vendor/wecom-jssdk*", lambda route: route.fulfill(body="a ?.", content_type="text/javascript")
    )
    opened.open()
    opened.rests_at("企业微信版本太旧")
    assert [problem for problem in opened.problems if "Unexpected" in problem]
    opened.problems.clear()


def test_somebody_else_s_customer_and_nobody_look_the_same(window: OpenWindow, customer: str) -> None:
    for who in (customer, "wm-nobody"):
        window(who, userid="chen").open().rests_at("没有找到这位客户")


@pytest.mark.parametrize("path", ["/sidebar", "/sidebar?from=chat"])
def test_a_member_who_is_not_signed_in_yet_is_led_through_wecom_s_log_in(
    window: OpenWindow, customer: str, site: Site, path: str
) -> None:
    opened = window(customer, signed_in=False)
    opened.page.goto(f"{site.url}{path}")
    opened.page.get_by_text("张伟").first.click()
    opened.rests_at("林晓芸")
    opened.page.wait_for_url(f"{site.url}{path}")


def test_a_session_that_has_ended_leads_through_the_log_in_again(window: OpenWindow, customer: str, site: Site) -> None:
    opened = window(customer).open()
    opened.state()
    opened.context.clear_cookies()
    opened.press("话术库")
    opened.page.wait_for_url(f"{site.wecom_url}/**")
    opened.shows("张伟")


def test_diag_shows_each_step_and_can_be_copied(window: OpenWindow, customer: str) -> None:
    opened = window(customer).open("/diag")
    opened.find("#client[data-done]").wait_for()
    text = opened.find("#client").inner_text()
    for fact in ("4.1.36", "2.4.4", "getContext:ok", "single_chat_tools，可以发送内容", customer):
        assert fact in text, fact
    assert opened.violations() == []
    opened.context.grant_permissions(["clipboard-read", "clipboard-write"])
    opened.press("复制全部")
    opened.shows("已复制")
    for fact in (f"客户: 正常 {customer}", "PUBLIC_BASE_URL"):
        opened.evaluates(f"navigator.clipboard.readText().then((text) => text.includes({fact!r}))", True)


def test_diag_says_what_was_refused(window: OpenWindow, customer: str) -> None:
    opened = window(customer, agent_id=1000099).open("/diag")
    opened.find("#client[data-done]").wait_for()
    text = opened.find("#client").inner_text()
    assert "agentConfig:invalid agentid" in text
    assert "denied" in text
