"""The sidebar's addresses: what they answer to good and bad requests, whoever asks with whatever client."""

from typing import Any

import pytest
from sqlalchemy import update

from tests.flows.company import Company
from tests.web.browsing import ORIGIN, Browser, member
from wecom_app.config import load_settings
from wecom_app.domain.access import Role
from wecom_app.domain.sdk_signature import sign
from wecom_app.errors import ConfigurationError
from wecom_app.models import Customer
from wecom_app.services.ports import TicketKind

FETCH = {"X_Requested_With": "fetch"}
PROOF = "WW_verify_abcDEF123.txt"


@pytest.fixture
def customer(company: Company) -> str:
    made = company.make_channel(tags=company.make_tags("护肤"))
    found: str = company.simulator.scan(made["config_id"], name="林晓芸")["external_userid"]
    company.settle()
    return found


@pytest.fixture
def zhang(company: Company) -> Browser:
    return member(company, "zhang")


def send(browser: Browser, method: str, path: str, body: Any, status: int) -> Any:
    answer = browser.send(method, f"/sidebar{path}", body, **FETCH)
    assert answer.status_code == status, answer.get_data(as_text=True)
    return answer.get_json()


def version(browser: Browser, customer: str) -> int:
    text = browser.get(f"/sidebar/customers/{customer}").get_data(as_text=True)
    return int(text.partition('data-version="')[2].partition('"')[0])


def test_the_shell_holds_no_customer_and_a_signature(company: Company, customer: str, zhang: Browser) -> None:
    page = zhang.get("/sidebar?a=1")
    text = page.get_data(as_text=True)
    assert page.status_code == 200
    assert "林晓芸" not in text
    assert customer not in text
    assert '"signature": "' in text
    assert f'"url": "{ORIGIN}/sidebar?a=1"' in text
    assert len(company.simulator.calls.of("ticket/get")) == 1


def test_the_shell_stands_while_no_ticket_can_be_had(company: Company, zhang: Browser) -> None:
    company.simulator.faults.add("ticket/get", "lost_reply")
    page = zhang.get("/sidebar")
    assert page.status_code == 200
    assert '"signature"' not in page.get_data(as_text=True)
    answer = zhang.get(f"/api/jssdk/signature?kind=agent&url={ORIGIN}/sidebar", Accept="application/json")
    assert answer.status_code == 502


@pytest.mark.parametrize("kind", TicketKind)
def test_a_member_gets_our_own_pages_signed(company: Company, zhang: Browser, kind: TicketKind) -> None:
    url = f"{ORIGIN}/sidebar?later=1"
    found = zhang.get(f"/api/jssdk/signature?kind={kind}&url={url}").get_json()
    ticket = company.simulator.world.tokens.ticket_value(kind, company.simulator.config.apps[0])
    assert ticket is not None
    assert found["signature"] == sign(ticket, found["nonceStr"], found["timestamp"], url)


@pytest.mark.parametrize(
    "query", ["kind=agent&url=https://evil.example/", "kind=agent", "kind=other&url=http://localhost/", ""]
)
def test_nobody_else_s_page_is_signed(company: Company, zhang: Browser, query: str) -> None:
    assert zhang.get(f"/api/jssdk/signature?{query}").status_code == 422
    assert Browser(company).get(f"/api/jssdk/signature?{query}").status_code == 401
    assert not company.simulator.calls.of("ticket/get")


PATHS = ("", "/tags/behaviour.hufu", "/timeline", "/sheet")


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("headers", [FETCH, {}], ids=["script", "person"])
def test_not_mine_and_unknown_are_the_same_to_the_byte(
    company: Company, customer: str, path: str, headers: dict[str, str]
) -> None:
    wang = member(company, "wang")
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    mine, unknown = (wang.get(f"/sidebar/customers/{who}{path}", **named) for who in (customer, "wm-nobody"))
    assert mine.status_code == unknown.status_code == 404
    assert mine.data == unknown.data
    for name in ("Content-Type", "Content-Length", "Cache-Control", "Vary"):
        assert mine.headers.get(name) == unknown.headers.get(name)


@pytest.mark.parametrize("who", ["%00", "a%00b", "%F0%9F%98%80", "..%2f..%2fetc", "x" * 2000, "'%20OR%201=1"])
def test_an_id_that_cannot_be_is_not_there(zhang: Browser, who: str) -> None:
    assert zhang.get(f"/sidebar/customers/{who}").status_code == 404


TAGS = "/customers/{customer}/tags"
BAD: list[tuple[str, str, Any]] = [
    ("POST", TAGS, []),
    ("POST", TAGS, {"add": ["nothing_like_it"], "version": 1}),
    ("POST", TAGS, {"add": [], "remove": [], "version": 1}),
    ("POST", TAGS, {"add": "behaviour.hufu", "version": 1}),
    ("POST", TAGS, {"add": ["x"] * 51, "version": 1}),
    ("POST", TAGS, {"add": ["a\0b"], "version": 1}),
    ("POST", TAGS, {"add": ["x"]}),
    ("POST", TAGS, {"add": ["x"], "version": 1, "more": 1}),
    ("POST", "/customers/{customer}/follow-ups", {"text": "  "}),
    ("POST", "/customers/{customer}/follow-ups", {"text": "x" * 2001}),
    ("POST", "/customers/{customer}/follow-ups", {"text": "x", "remind_at": "tomorrow"}),
    ("POST", "/customers/{customer}/follow-ups", {"text": "x", "remind_at": "2020-01-01"}),
    ("PUT", "/customers/{customer}/fields", {"values": {"nothing": "x"}}),
    ("PUT", "/customers/{customer}/fields", {"values": []}),
    ("POST", "/customers/{customer}/remark", {"remark": "x" * 21}),
    ("POST", "/customers/{customer}/remark", {"phones": ["not a phone"]}),
    ("POST", "/customers/{customer}/content/1", {"result": "liked"}),
]


@pytest.mark.parametrize(("method", "path", "body"), BAD, ids=lambda value: str(value)[:40])
def test_what_cannot_be_taken_is_refused_and_changes_nothing(
    company: Company, customer: str, zhang: Browser, method: str, path: str, body: Any
) -> None:
    before = zhang.get(f"/sidebar/customers/{customer}").data
    told = send(zhang, method, path.format(customer=customer), body, 422)
    assert told["message"]
    assert zhang.get(f"/sidebar/customers/{customer}").data == before


def test_a_body_that_is_no_json_is_refused(customer: str, zhang: Browser) -> None:
    answer = zhang.client.post(
        f"/sidebar/customers/{customer}/tags",
        data=b"{",
        headers={"Origin": ORIGIN, "X-CSRF-Token": zhang.csrf(), "Content-Type": "application/json"},
    )
    assert answer.status_code == 422


def test_a_stale_edit_says_which_version_stands(company: Company, customer: str, zhang: Browser) -> None:
    stands = version(zhang, customer)
    key = company.get("/tags")["items"][0]["key"]
    told = send(zhang, "POST", f"/customers/{customer}/tags", {"remove": [key], "version": stands - 1}, 409)
    assert (told["error"], told["details"]["version"]) == ("stale_edit", stands)
    made = send(zhang, "POST", f"/customers/{customer}/tags", {"remove": [key], "version": stands}, 200)
    undone = send(zhang, "POST", f"/change-sets/{made['change_set_id']}/undo", {}, 200)
    assert (undone["restored"], undone["kept"]) == (1, [])


def test_ids_beyond_every_database_are_not_there(zhang: Browser) -> None:
    send(zhang, "POST", f"/change-sets/{2**63}/undo", {}, 404)
    send(zhang, "DELETE", f"/follow-ups/{2**70}", {}, 404)


@pytest.mark.parametrize(("theme", "mode"), [('"><script>', "big"), ("", ""), ("DARK", "plain")])
def test_a_made_up_look_is_not_taken(zhang: Browser, theme: str, mode: str) -> None:
    zhang.client.set_cookie("theme", theme)
    zhang.client.set_cookie("mode", mode)
    assert 'data-theme="auto" data-mode="plain"' in zhang.get("/sidebar").get_data(as_text=True)


def test_who_may_only_look_is_offered_nothing_to_change(company: Company, customer: str) -> None:
    text = member(company, "chen", Role.AUDITOR).get(f"/sidebar/customers/{customer}").get_data(as_text=True)
    assert "护肤" in text
    assert 'class="bar"' not in text
    assert 'data-action="edit-tags"' not in text


def test_avatars_come_from_wechat_s_hosts_or_not_at_all(company: Company, customer: str, zhang: Browser) -> None:
    for address, shown in (
        ("http://wx.qlogo.cn/mmhead/1/0", "https://wx.qlogo.cn/mmhead/1/0"),
        ("https://wework.qpic.cn/a", "https://wework.qpic.cn/a"),
        ("https://evil.example/wx.qlogo.cn", None),
        ("https://qlogo.cn.evil.example/", None),
        ("javascript:alert(1)", None),
    ):
        with company.runtime.write() as session:
            session.execute(update(Customer).values(avatar=address))
        text = zhang.get(f"/sidebar/customers/{customer}").get_data(as_text=True)
        assert ("<img" in text) is (shown is not None)
        assert shown is None or f'src="{shown}"' in text


def test_diag_tells_a_stranger_nothing_and_a_member_his_side(company: Company, customer: str, zhang: Browser) -> None:
    stranger = Browser(company).get("/diag").get_data(as_text=True)
    assert "没有登录" in stranger
    assert '"signature"' not in stranger
    mine = zhang.get("/diag").get_data(as_text=True)
    assert "张伟（zhang）" in mine
    assert "1 个好友关系" in mine
    settings = company.settings
    for secret in (settings.wecom_secret, settings.secret_key, settings.wecom_callback_token):
        assert secret is not None
        assert secret.get_secret_value() not in mine + stranger


def test_the_domain_is_proved_by_our_own_file_alone(company: Company) -> None:
    company.settings = company.settings.model_copy(update={"wecom_domain_proof": PROOF})
    company.restart()
    found = company.client.get(f"/{PROOF}")
    assert (found.status_code, found.data, found.mimetype) == (200, b"abcDEF123", "text/plain")
    assert company.client.get("/WW_verify_somebodyelse.txt").status_code == 404


def test_without_the_setting_no_domain_is_proved(company: Company) -> None:
    assert company.client.get(f"/{PROOF}").status_code == 404
    with pytest.raises(ConfigurationError, match="WECOM_DOMAIN_PROOF"):
        load_settings({"WECOM_DOMAIN_PROOF": "../../etc/passwd"})
