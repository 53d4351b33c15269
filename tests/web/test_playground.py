"""The playground's door: what there is of it in demo mode, and that nothing of it is there otherwise."""

import re
from collections.abc import Iterator

import pytest
from werkzeug.test import Client, TestResponse

from tests.flows.company import Company, open_company
from tests.web.browsing import ORIGIN, Browser, member
from tests.wsgi_transport import WsgiAdapter
from wecom_app.clock import ManualClock
from wecom_app.web.playground.corp import EXTENSION

FRAMED = ("/playground", "/sidebar")
FRAMES = re.compile(r"frame-\w+ [^;]+")
HELD = "/_simulator/hold?userid="


@pytest.fixture
def demo(database_url: str, clock: ManualClock) -> Iterator[Company]:
    company = open_company(database_url, clock, environment={"DEMO_MODE": "1"})
    company.web.extensions[EXTENSION].session.mount(
        company.settings.wecom_api_base_url, WsgiAdapter(company.simulator.wsgi)
    )
    yield company
    company.close()


@pytest.fixture
def person(demo: Company) -> Browser:
    return Browser(demo)


def frames(browser: Browser, path: str) -> list[str]:
    return sorted(FRAMES.findall(browser.client.get(path).headers["Content-Security-Policy"]))


def become(demo: Company, person: Browser, userid: str, next_path: str = "/") -> TestResponse:
    """Go the whole way of a log-in as a browser does; return our answer to its end."""
    hold = person.get(f"/playground/as/{userid}?next={next_path}").headers["Location"]
    origin = demo.settings.wecom_api_base_url
    at_wecom, here = Client(demo.simulator.wsgi), {"REMOTE_ADDR": "127.0.0.1"}
    login = at_wecom.get(hold.removeprefix(origin), base_url=origin, environ_base=here).headers["Location"]
    ours = at_wecom.get(login.removeprefix(origin), base_url=origin, environ_base=here).headers["Location"]
    return person.get(ours.removeprefix(ORIGIN))


def test_without_demo_mode_no_route_is_there_and_nothing_may_be_framed(company: Company) -> None:
    person = Browser(company)
    assert not [rule for rule in company.web.url_map.iter_rules() if "playground" in rule.rule]
    assert EXTENSION not in company.web.extensions
    for path in ("/playground", "/playground/now", "/playground/as/zhang", "/playground/customers"):
        assert person.get(path).status_code == 404
    for method, path in (("POST", "scan"), ("POST", "act"), ("POST", "faults"), ("DELETE", "faults")):
        assert person.send(method, f"/playground/{path}", {}).status_code == 404
    for path in (*FRAMED, "/sidebar?playground=wm1", "/admin", "/account", "/"):
        assert frames(person, path) == ["frame-ancestors 'none'"], path


def test_without_demo_mode_nothing_stands_in_for_the_client(company: Company) -> None:
    person = member(company, "zhang")
    assert "playground" not in person.get("/sidebar?playground=wm1").text.replace("?playground=wm1", "")


def test_in_demo_mode_the_playground_may_frame_the_sidebar_and_no_page_else(person: Browser) -> None:
    for path in FRAMED:
        assert frames(person, path) == ["frame-ancestors 'self'", "frame-src 'self'"]
    for path in ("/playground/customers", "/playground/now", "/admin", "/account", "/sidebar/content", "/diag"):
        assert frames(person, path) == ["frame-ancestors 'none'"], path


def test_in_demo_mode_the_client_is_stood_in_for_only_where_a_chat_is_named(demo: Company) -> None:
    person = member(demo, "zhang")
    assert "js/playground/client.js" in person.get("/sidebar?playground=wm1").text
    assert "js/playground/" not in person.get("/sidebar").text


def test_who_comes_first_is_sent_to_log_in_as_the_first_member(demo: Company, person: Browser) -> None:
    demo.make_channel(staff=["wang", "zhang"])
    answer = person.get("/playground")
    assert answer.status_code == 302
    assert answer.headers["Location"].startswith(f"{demo.settings.wecom_api_base_url}{HELD}wang&next=%2Fwwlogin%2F")
    assert f"{HELD}zhang&" in person.get("/playground?rep=zhang").headers["Location"]
    assert person.get("/playground?tried=1").status_code == 200, "where that failed it is not tried again and again"


@pytest.mark.parametrize(("given", "leads_to"), [("/admin", "/admin"), ("//evil.example", "/"), ("/auth/wecom", "/")])
def test_a_log_in_leads_to_pages_of_ours_only(demo: Company, person: Browser, given: str, leads_to: str) -> None:
    back = become(demo, person, "zhang", given)
    assert (back.status_code, back.headers["Location"]) == (302, leads_to)
    assert "张伟" in person.get("/account").text


def test_acts_need_the_proof_that_our_page_sent_them(demo: Company, person: Browser) -> None:
    for path in ("scan", "act", "faults"):
        answer = person.client.post(f"/playground/{path}", json={})
        assert (answer.status_code, answer.json["error"]) == (403, "forged_request")
    assert person.send("POST", "/playground/faults", {"name": "down", "on": True}).status_code == 200
    assert demo.simulator.faults.as_dict()["rules"]


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("scan", {"config_id": "nobody-s"}, 422),
        ("scan", {"config_id": 7}, 422),
        ("act", {"kind": "reset", "external_userid": "wm1"}, 422),
        ("act", {"kind": "delete", "external_userid": "wm1"}, 401),
        ("faults", {"name": "flood", "on": True}, 404),
        ("faults", [], 422),
    ],
)
def test_bad_acts_are_refused_in_words(person: Browser, path: str, body: object, status: int) -> None:
    answer = person.send("POST", f"/playground/{path}", body)
    assert answer.status_code == status
    assert answer.json["message"]


@pytest.mark.parametrize("query", ["", "customer=wm-nobody", "customer=%00&since=x", "since=9999-12-31T23:59:59"])
def test_whatever_is_asked_is_answered_with_all_parts(person: Browser, query: str) -> None:
    answer = person.client.get(f"/playground/now?{query}")
    assert answer.status_code == 200
    assert set(answer.json["parts"]) == {"phone", "acts", "chat", "native", "guide", "faults", "story"}
    assert "step done" not in answer.json["parts"]["guide"]


def test_a_simulator_that_is_gone_is_named(demo: Company, person: Browser) -> None:
    demo.web.extensions[EXTENSION].origin = "http://127.0.0.1:9"
    answer = person.client.get("/playground/now")
    assert (answer.status_code, answer.json["error"]) == (503, "unavailable")
    assert "模拟企业微信" in answer.json["message"]
    assert person.get("/playground").status_code == 200


def test_names_of_customers_are_text_everywhere(demo: Company, person: Browser) -> None:
    name = "<img src=x onerror=alert(1)>"
    channel = demo.make_channel(name=name, tags=demo.make_tags(f"{name[:20]}x", group=name[:15]))
    found = demo.simulator.scan(channel["config_id"], name=name)["external_userid"]
    demo.settle()
    become(demo, person, "zhang")
    for query in (f"customer={found}", f"customer={found}&scanning=1"):
        parts = person.client.get(f"/playground/now?{query}").json["parts"]
        assert not [part for part, html in parts.items() if "<img" in html]
