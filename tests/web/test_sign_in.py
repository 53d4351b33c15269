"""Log-in by WeCom: the round trip over the wire, who is let in, and what nobody can do with it."""

import re
from datetime import timedelta
from urllib.parse import quote, urlsplit

import pytest
from sqlalchemy import func, select, update

from tests.flows.company import Company, settings_for
from tests.web.browsing import ORIGIN, Browser, local_admin
from tests.web.signing_in import ON_COMPUTER, Person, query
from wecom_app.domain.links import is_own_path, origin_of
from wecom_app.models import SignInState, Staff, WebSession
from wecom_app.services import sign_in
from wecom_app.services.sign_in import STATE_LIFE


def sessions_open(company: Company) -> int:
    with company.runtime.read() as session:
        return session.execute(select(func.count()).select_from(WebSession)).scalar_one()


def be_down(company: Company) -> None:
    company.simulator.faults.put({"rules": [{"kind": "down"}]})


@pytest.mark.both
@pytest.mark.parametrize("agent", [None, ON_COMPUTER])
def test_a_member_opens_a_page_and_is_there_after_the_round_trip(company: Company, agent: str | None) -> None:
    person = Person(company, "zhang", *filter(None, [agent]))
    page = person.log_in("/account?from=menu")
    assert page.status_code == 200
    assert "张伟" in page.get_data(as_text=True)
    assert person.visited[-1].endswith("/account?from=menu")
    assert urlsplit(person.visited[1]).path == "/auth/wecom"


def test_the_client_and_a_computer_are_sent_to_different_pages(company: Company) -> None:
    in_client = urlsplit(Person(company).open("/auth/wecom").headers["Location"])
    on_computer = urlsplit(Person(company, agent=ON_COMPUTER).open("/auth/wecom").headers["Location"])
    assert (in_client.path, in_client.fragment) == ("/connect/oauth2/authorize", "wechat_redirect")
    assert on_computer.path == "/wwlogin/sso/login"
    for address in (in_client, on_computer):
        asked = query(address.geturl())
        assert asked["appid"] == company.settings.wecom_corp_id
        assert asked["agentid"] == str(company.settings.wecom_agent_id)
        assert asked["redirect_uri"] == f"{ORIGIN}/auth/callback"
        assert re.fullmatch("[0-9a-f]{64}", asked["state"])


def test_without_a_setting_wecoms_own_hosts_are_used(company: Company) -> None:
    config = company.simulator.config
    settings = settings_for(config, "sqlite:///none.db", WECOM_OAUTH_BASE_URL="")
    urls = [sign_in.login_url(settings, "https://a.example/auth/callback", "s", in_client=way) for way in (True, False)]
    assert [origin_of(url) for url in urls] == ["https://open.weixin.qq.com", "https://login.work.weixin.qq.com"]


def test_a_new_session_replaces_the_one_the_browser_came_with(company: Company) -> None:
    person = Person(company, "zhang")
    person.log_in()
    first = person.browser.token
    person.holds = "wang"
    person.open(person.callback())
    assert "王芳" in person.open("/account").get_data(as_text=True)
    assert person.browser.token != first
    assert Browser(company, first).get("/account").status_code == 302
    assert sessions_open(company) == 1


def test_an_id_that_was_planted_before_the_log_in_is_worth_nothing(company: Company) -> None:
    person = Person(company)
    person.browser.client.set_cookie("session", "e" * 64)
    person.log_in()
    assert person.browser.token != "e" * 64
    assert Browser(company, "e" * 64).get("/account").status_code == 302


@pytest.mark.parametrize("wrong", ["missing", "other", "used", "stale", "another browser's"])
def test_a_state_that_is_not_this_browsers_own_and_fresh_opens_nothing(company: Company, wrong: str) -> None:
    person = Person(company)
    address = person.callback()
    if wrong == "missing":
        address = re.sub("&state=[0-9a-f]+", "", address)
    elif wrong == "other":
        address = re.sub("state=[0-9a-f]{64}", "state=" + "0" * 64, address)
    elif wrong == "used":
        person.open(address)
        person.browser.client.delete_cookie("session")
    elif wrong == "stale":
        company.clock.advance(STATE_LIFE.total_seconds())
    else:
        person = Person(company)
        person.open("/auth/wecom")
    before = sessions_open(company)

    answer = person.open(address)

    assert answer.status_code == 403
    assert "重新登录" in answer.get_data(as_text=True)
    assert (person.browser.token, sessions_open(company)) == ("", before)


def test_a_code_that_wecom_refuses_is_asked_for_once_more_and_then_explained(company: Company) -> None:
    person = Person(company)
    address = re.sub("code=[^&]+", "code=wrong", person.callback())
    again = person.open(address)
    assert again.status_code == 302
    retried = re.sub("code=[^&]+", "code=wrong", person.at_wecom(again.headers["Location"]))
    answer = person.open(retried)
    assert answer.status_code == 403
    assert "两次" in answer.get_data(as_text=True)


def test_one_refused_code_is_not_seen_by_the_person(company: Company) -> None:
    person = Person(company)
    again = person.open(re.sub("code=[^&]+", "code=wrong", person.callback("/account?x=1")))
    answer = person.open(person.at_wecom(again.headers["Location"]))
    assert answer.headers["Location"] == "/account?x=1"


def test_the_older_spelling_of_the_answer_is_understood(company: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    client = company.runtime.wecom._client
    ask = client.get

    def capitals(path: str, **parts: object) -> object:
        answer = ask(path, **parts)
        if path == "auth/getuserinfo":
            answer["UserId"] = answer.pop("userid")
        return answer

    monkeypatch.setattr(client, "get", capitals)
    assert Person(company).log_in().status_code == 200


def test_somebody_outside_the_company_is_told_so(company: Company) -> None:
    person = Person(company, holds="")
    begun = person.open("/auth/wecom").headers["Location"]
    person.holds = ""
    parts = urlsplit(begun)
    address = f"{parts.scheme}://{parts.netloc}{parts.path}?{parts.query}&external_userid=wm_li"
    answer = person.open(person.at_wecom(address))
    assert answer.status_code == 403
    assert "不是本企业成员" in answer.get_data(as_text=True)
    assert sessions_open(company) == 0


def test_a_member_seen_for_the_first_time_is_read_with_his_departments(company: Company) -> None:
    Person(company, "chen").log_in()
    with company.runtime.read() as session:
        assert session.scalars(select(Staff.name).where(Staff.userid == "chen")).one() == "陈静"


def test_a_member_whom_we_take_for_gone_is_looked_up_again(company: Company) -> None:
    Person(company, "zhang").log_in()
    with company.runtime.write() as session:
        session.execute(update(Staff).values(status="left"))
    assert Person(company, "zhang").log_in().status_code == 200


def test_a_disabled_member_loses_his_session_for_good(company: Company) -> None:
    person = Person(company, "zhang")
    person.log_in()
    company.simulator.act("admin", "update_member", userid="zhang", status=2)
    company.settle()
    assert person.open("/account").status_code == 302
    company.simulator.act("admin", "update_member", userid="zhang", status=1)
    company.settle()
    assert person.open("/account").status_code == 302


def test_a_member_who_leaves_loses_his_session(company: Company) -> None:
    person = Person(company, "zhang")
    person.log_in()
    company.simulator.act("admin", "delete_member", userid="zhang")
    company.settle()
    assert (person.open("/account").status_code, sessions_open(company)) == (302, 0)


def test_logging_out_ends_the_session_on_the_server(company: Company) -> None:
    person = Person(company)
    person.log_in()
    token = person.browser.token
    assert person.browser.send("POST", "/auth/sign-out").status_code == 302
    assert (person.browser.token, sessions_open(company)) == ("", 0)
    assert Browser(company, token).get("/account").status_code == 302


def test_a_browser_that_keeps_no_cookies_is_not_sent_in_circles(company: Company) -> None:
    person = Person(company)
    address = person.callback()
    person.browser = Browser(company)
    answer = person.open(address)
    assert answer.status_code == 403
    assert "Cookie" in answer.get_data(as_text=True)


def test_going_round_in_circles_ends_with_a_page(company: Company) -> None:
    person = Person(company)
    statuses = [person.open("/auth/wecom").status_code for _ in range(20)]
    assert set(statuses) == {302, 429}
    company.clock.advance(60)
    assert person.open("/auth/wecom").status_code == 302


def test_states_are_not_kept_once_used(company: Company) -> None:
    Person(company).log_in()
    with company.runtime.read() as session:
        assert session.execute(select(func.count()).select_from(SignInState)).scalar_one() == 0


def test_while_wecom_cannot_be_asked_a_page_says_so(company: Company) -> None:
    person = Person(company)
    address = person.callback()
    be_down(company)
    answer = person.open(address)
    assert answer.status_code == 503
    assert "企业微信" in answer.get_data(as_text=True)


OPEN_REDIRECTS = [
    *("//e.com", "///e.com", "////e.com", "/\\e.com", "\\/e.com", "\\\\e.com", "/\\/e.com", "/ /e.com", "/\t/e.com"),
    *("/\n/e.com", "/\r\n/e.com", "\n//e.com", " //e.com", "\t//e.com", "/\x00/e.com", "/\x0b/e.com", "/\x7f/e.com"),
    *("http://e.com", "https://e.com", "HTTPS://e.com", "http:e.com", "https:e.com", "https:/e.com", "http:///e.com"),
    *("e.com", ".e.com", "@e.com", "user@e.com", "localhost@e.com", ":80@e.com", "?//e.com", "#//e.com"),
    *("javascript:alert(1)", "JaVaScript:alert(1)", "data:text/html,x", "vbscript:x", "file:///etc/passwd", "blob:x"),
    *("%2f%2fe.com", "/%2f/e.com", "/%2fe.com", "/%2Fe.com", "/%5ce.com", "/%5C%5Ce.com", "/%252fe.com", "/%255ce.com"),
    *(
        "／／e.com",
        "/／e.com",
        "/∕e.com",
        "/⁄e.com",
        "/＼e.com",
        "//e。com",
        "/。/e.com",
        "/\u2028/e.com",
        "/\u00a0/e.com",
    ),
    *("/\u200b/e.com", "/\ufeff/e.com", "/é", "/auth/wecom", "/auth/callback?code=1", "/auth/sign-out", "", "*"),
    *("/%0d%0aSet-Cookie:x=1\r\nX: y", "/a\r\nLocation: http://e.com", "ftp://e.com", "//e.com/%2e%2e", "//[::1]/"),
    "/" + "a" * 600,
]


def test_there_are_enough_ways_out_that_were_tried() -> None:
    assert len(set(OPEN_REDIRECTS)) >= 60


def test_no_log_in_leads_to_another_host(standing_company: Company) -> None:
    for target in OPEN_REDIRECTS:
        assert sign_in.own_path_or_home(target) == "/", target
    person = Person(standing_company)
    for target in OPEN_REDIRECTS:
        standing_company.clock.advance(60)
        answer = person.open(person.callback(quote(target, safe="")))
        assert (answer.status_code, answer.headers["Location"]) == (302, "/"), target


@pytest.mark.parametrize(
    "path", ["/", "/account", "/admin/content?q=%E6%A0%87%E7%AD%BE&page=2", "/sidebar?a=b#c", "/a//b"]
)
def test_our_own_paths_are_kept(path: str) -> None:
    assert is_own_path(path)


def test_the_cookie_is_bound_to_the_host_by_https(company: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = company.settings.model_copy(update={"public_base_url": "https://tags.example.com"})
    monkeypatch.setattr(company.runtime, "settings", settings)
    client = company.web.test_client()
    begun = client.get("/auth/wecom", base_url="https://tags.example.com")
    address = Person(company).at_wecom(begun.headers["Location"])
    parts = urlsplit(address)
    assert (parts.scheme, parts.netloc) == ("https", "tags.example.com")
    answer = client.get(f"{parts.path}?{parts.query}", base_url="https://tags.example.com")
    cookie = next(text for text in answer.headers.getlist("Set-Cookie") if text.startswith("__Host-session="))
    assert {"Secure", "HttpOnly", "Path=/", "SameSite=Lax"} <= set(cookie.split("; "))
    assert "Domain" not in cookie
    assert answer.headers["Strict-Transport-Security"]


def test_no_address_header_or_page_carries_the_session(company: Company) -> None:
    person = Person(company)
    person.log_in()
    token = person.browser.token
    assert len(token) == 64
    for path in (
        "/account",
        "/auth/wecom",
        "/admin/login",
        "/no-such-page",
        "/api/jssdk/signature?url=http://localhost/x",
    ):
        answer = person.open(path)
        shown = answer.get_data(as_text=True) + str([pair for pair in answer.headers if pair[0] != "Set-Cookie"])
        assert token not in shown
    assert all(token not in address for address in person.visited)
    admin = local_admin(company)
    assert admin.token not in admin.get("/account").get_data(as_text=True)


def test_a_sidebar_that_was_confirmed_long_ago_asks_wecom_who_holds_the_client(company: Company) -> None:
    person = Person(company, "zhang")
    assert person.log_in("/sidebar").status_code == 200
    company.clock.advance(timedelta(minutes=30).total_seconds() + 1)
    first = person.browser.token
    person.holds = "wang"
    assert person.open("/sidebar").status_code == 302
    assert person.log_in("/sidebar").status_code == 200
    assert "王芳" in person.open("/account").get_data(as_text=True)
    assert person.browser.token != first

    company.clock.advance(timedelta(minutes=30).total_seconds() + 1)
    be_down(company)
    assert person.log_in("/sidebar").status_code == 200
    assert person.open("/sidebar").status_code == 200
