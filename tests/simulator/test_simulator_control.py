"""The simulator's own interface and its page."""

import hashlib
import re

import pytest
import requests

from tests.wsgi_transport import WsgiAdapter
from wecom_app.clock import ManualClock
from wecom_app.simulator.config import SimulatorConfig
from wecom_app.simulator.presets import PRESETS
from wecom_app.simulator.server import Simulator


def test_a_scan_by_the_control_side_answers_what_happened(api, code):
    answer = api.control("POST", "scan", {"config_id": code, "name": "韩梅梅"}).json()
    assert set(answer) == {
        *("external_userid", "name", "userid", "config_id", "state", "welcome_code", "already_friend")
    }


def test_an_act_by_the_control_side(api, sim: Simulator):
    body = {"as": "admin", "kind": "tag_create", "group": "等级", "name": "金"}
    assert api.control("POST", "act", body).json()["tag_ids"]
    many = {"acts": [body | {"name": "银"}, {"as": "zhang", "kind": "message", "text": "x"}]}
    assert len(api.control("POST", "act", many).json()["results"]) == 2
    assert len(sim.callbacks.records) == 4


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("act", {"kind": "dance"}, 422),
        ("act", [], 422),
        ("scan", {"config_id": "unknown"}, 404),
        ("members", {"userid": "x", "colour": "red"}, 422),
        ("clock", {"advance_s": "soon"}, 422),
        ("nothing", {}, 404),
    ],
)
def test_bad_control_requests_are_answered_clearly(api, path, body, status):
    answer = api.control("POST", path, body)
    assert answer.status_code == status
    if path != "nothing":
        assert answer.json()["message"]


def test_faults_are_put_changed_and_cleared(api, sim: Simulator):
    rule = {"api": "gettoken", "kind": "errcode", "errcode": -1}
    assert api.control("PUT", "faults", {"rules": [rule]}).json()["rules"][0]["errcode"] == -1
    assert api.gettoken()["errcode"] == -1
    assert api.control("PATCH", "faults", {"echo_api_writes": True}).json()["rules"]
    assert api.control("GET", "faults").json()["echo_api_writes"] is True
    api.control("DELETE", "faults")
    assert api.gettoken()["errcode"] == 0


def test_the_state_shows_relations_with_their_tags(api, sim: Simulator):
    sim.world.add_tag("等级", "金")
    sim.act("zhang", "mark", external_userid="wmli", add=[{"group": "等级", "tag": "金"}])
    state = api.control("GET", "state").json()
    (relation,) = state["relations"]
    assert [(tag["group"], tag["name"], tag["type"]) for tag in relation["tags"]] == [("等级", "金", 1)]
    assert [(item["change_type"], item["tries"]) for item in state["callbacks"]] == [("edit_external_contact", 0)]
    assert set(api.control("GET", "state?parts=customers").json()) == {"now", "customers"}


def test_everything_about_one_customer_and_nothing_of_another(api, sim: Simulator, code, clock: ManualClock):
    li, mei = (sim.scan(code, name=name) for name in ("李雷", "韩梅梅"))
    sim.run_until_idle()
    api.post("externalcontact/send_welcome_msg", {"welcome_code": li["welcome_code"], "text": {"content": "您好"}})
    for scanned in (li, mei):
        api.get("externalcontact/get", external_userid=scanned["external_userid"])
    told = api.control("GET", f"about?external_userid={li['external_userid']}").json()
    assert told["customer"]["name"] == "李雷"
    assert [item["userid"] for item in told["relations"]] == [li["userid"]]
    assert [bool(item["sent_at"]) for item in told["welcomes"]] == [True]
    assert [item["api"] for item in told["calls"]] == ["externalcontact/send_welcome_msg", "externalcontact/get"]
    (callback,) = told["callbacks"]
    assert li["external_userid"] in callback["plaintext"]
    assert (callback["tries"], callback["tried_at"], callback["took_s"]) == (1, clock.now().isoformat(), 0.0)
    assert len(api.control("GET", f"about?external_userid={li['external_userid']}&limit=1").json()["calls"]) == 1
    assert api.control("GET", "about?external_userid=wm-nobody").json()["customer"] is None


def test_what_is_left_of_a_fault_is_told_and_can_be_put_again(api, clock: ManualClock):
    api.control("PUT", "faults", {"rules": [{"kind": "down", "for_s": 60}, {"kind": "lost_reply", "times": 2}]})
    clock.advance(45)
    rules = api.control("GET", "faults").json()["rules"]
    assert [(rule["left"], rule["left_s"]) for rule in rules] == [(None, 15.0), (2, None)]
    assert api.control("PUT", "faults", {"rules": rules}).status_code == 200


def test_calls_are_read_from_where_one_left_off(api):
    api.get("externalcontact/list", userid="zhang")
    first = api.control("GET", "calls").json()
    assert [(item["api"], item["userid"], item["errcode"]) for item in first["items"]] == [
        ("externalcontact/list", "zhang", 0)
    ]
    assert api.control("GET", f"calls?since={first['next']}").json() == {"items": [], "next": first["next"]}
    api.get("externalcontact/list", userid="wang")
    second = api.control("GET", f"calls?since={first['next']}").json()
    assert [item["errcode"] for item in second["items"]] == [84061]


def test_the_log_holds_no_secret(api):
    api.gettoken()
    assert api.token not in str(list(api.sim.calls))
    assert api.secret not in str(list(api.sim.calls))


def test_the_log_is_bounded_and_its_numbers_go_on(make_api):
    api = make_api(SimulatorConfig(calls_kept=3))
    for _ in range(5):
        api.get("getcallbackip")
    items, following = api.sim.calls.since(0)
    assert ([item.seq for item in items], following) == ([4, 5, 6], 6)


def test_the_corps_time_can_be_moved(api, sim: Simulator, clock: ManualClock):
    api.control("POST", "clock", {"advance_s": 60})
    assert (sim.world.now() - clock.now()).total_seconds() == 60
    assert api.control("POST", "clock", {"offset_s": 5}).json()["offset_s"] == 5


def test_members_can_be_added_by_the_control_side(api):
    api.control("POST", "members", {"userid": "sun", "name": "孙丽"})
    api.control("POST", "members", {"members": [{"userid": "zhou", "name": "周杰", "status": 4}]})
    assert api.get("user/get", userid="zhou")["status"] == 4
    assert "zhangwei" in api.control("POST", "members", {"sample": True}).json()["members"]


def test_a_reset_leaves_an_empty_corp(api, sim: Simulator, code):
    sim.scan(code)
    api.control("POST", "reset")
    state = api.control("GET", "state").json()
    assert (state["members"], state["customers"], state["callbacks"]) == ([], [], [])
    assert api.get("getcallbackip")["errcode"] == 40014


def test_signatures_of_the_js_sdk_are_checked_as_the_client_does(api):
    ticket = api.get("ticket/get", type="agent_config")["ticket"]
    text = f"jsapi_ticket={ticket}&noncestr=n&timestamp=1&url=https://app.test/sidebar?a=1"
    body = {
        "kind": "agent",
        "noncestr": "n",
        "timestamp": "1",
        "url": "https://app.test/sidebar?a=1#top",
        "signature": hashlib.sha1(text.encode()).hexdigest(),
    }
    assert api.control("POST", "signature", body).json() == {"ok": True}
    assert api.control("POST", "signature", body | {"timestamp": "2"}).json() == {"ok": False}
    assert api.control("POST", "signature", body | {"kind": "corp"}).json()["ok"] is False


@pytest.mark.parametrize("path", ["/_simulator/state", "/"])
def test_other_machines_are_refused(sim: Simulator, path):
    session = requests.Session()
    session.mount("http://", WsgiAdapter(sim.wsgi, remote_addr="192.0.2.7"))
    assert session.get(f"http://simulator.test{path}").status_code == 403
    session.close()


def test_other_machines_may_be_allowed(clock: ManualClock):
    sim = Simulator(SimulatorConfig(control_from_anywhere=True), clock)
    session = requests.Session()
    session.mount("http://", WsgiAdapter(sim.wsgi, remote_addr="192.0.2.7"))
    assert session.get("http://simulator.test/_simulator/state").status_code == 200
    session.close()


def test_pages_of_other_sites_cannot_act(api):
    headers = {"Origin": "https://evil.test"}
    answer = api.session.post(f"{api.base}/_simulator/reset", headers=headers)
    assert answer.status_code == 403


def test_the_page_shows_an_empty_corp_and_fills_it(make_api):
    api = make_api(SimulatorConfig())
    api.sim.world.reset()
    assert "企业里还没有成员" in api.session.get(api.base).text
    api.session.post(f"{api.base}/page/sample")
    assert "企业里还没有成员" not in api.session.get(api.base).text


def test_the_page_runs_under_a_policy_without_inline_code(api, code):
    api.sim.scan(code)
    page = api.session.get(api.base)
    assert page.headers["Content-Security-Policy"].startswith("default-src 'none'; script-src 'self'")
    assert not re.search(r"<script(?![^>]*src=)|<style|\sstyle=|\son\w+=", page.text)


def test_a_scan_on_the_page_shows_the_welcome_in_the_chat(api, sim: Simulator, code):
    form = {"config_id": code, "name": "韩梅梅"}
    page = api.session.post(f"{api.base}/page/scan", data=form)
    assert "韩梅梅 已添加 zhang 为好友" in page.text
    assert "等待欢迎语" in page.text
    (welcome,) = sim.world.welcomes
    body = {"welcome_code": welcome.welcome_code, "text": {"content": "欢迎<b>光临"}}
    api.post("externalcontact/send_welcome_msg", body)
    chats = api.session.get(f"{api.base}/page/panels").json()["chats"]
    assert "欢迎&lt;b&gt;光临" in chats
    assert "等待欢迎语" not in chats


def test_a_missed_welcome_is_said(api, sim: Simulator, clock: ManualClock, code):
    sim.scan(code)
    clock.advance(20)
    assert "20 秒内没有收到欢迎语" in api.session.get(api.base).text


def test_acts_on_the_page_change_the_corp(api, sim: Simulator):
    tag = sim.world.add_tag("等级", "金")
    form = {"as": "zhang", "kind": "mark", "external_userid": "wmli", "add": tag.id}
    assert "金" in api.session.post(f"{api.base}/page/act", data=form).text
    assert sim.world.tag_names("zhang", "wmli") == {("等级", "金")}


def test_faults_on_the_page_start_and_end(api, sim: Simulator):
    page = api.session.post(f"{api.base}/page/fault", data={"preset": "down"})
    assert "正在出状况" in page.text
    with pytest.raises(requests.ConnectionError):
        api.get("getcallbackip")
    api.session.post(f"{api.base}/page/recover")
    assert api.get("getcallbackip")["errcode"] == 0


def test_the_page_answers_its_script_in_json(api):
    headers = {"Accept": "application/json"}
    answer = api.session.post(f"{api.base}/page/fault", data={"preset": "none"}, headers=headers)
    assert answer.json() == {"ok": False, "notice": "没有这种故障"}


@pytest.mark.parametrize("preset", sorted(PRESETS))
def test_every_preset_of_the_page_can_be_set(api, sim: Simulator, preset):
    page = api.session.post(f"{api.base}/page/fault", data={"preset": preset})
    assert page.status_code == 200
    assert ("正在出状况" in page.text) is (preset != "token")


@pytest.mark.parametrize("name", ["css/simulator.css", "js/simulator.js"])
def test_the_pages_files_are_served(api, name):
    assert api.session.get(f"{api.base}/static/{name}").status_code == 200


def test_long_lists_are_shown_a_page_at_a_time(api, sim: Simulator, code):
    for number in range(20):
        sim.scan(code, name=f"来客{number:02d}")

    def shown(query: str) -> list[str]:
        customers = api.session.get(f"{api.base}/page/panels{query}").json()["customers"]
        return re.findall(r"<h3>(来客\d\d) ", customers)

    assert shown("") == [f"来客{number:02d}" for number in range(19, 11, -1)]
    assert shown("?customers=2") == [f"来客{number:02d}" for number in range(11, 3, -1)]
    assert shown("?name=来客1")[-1] == "来客12"
    assert shown("?name=来客1&customers=2") == ["来客11", "来客10"]
    assert shown("?name=来客1&customers=99") == ["来客11", "来客10"]
    assert shown("?customers=0") == shown("?customers=x") == shown("?customers=-1") == shown("")
    assert shown("?name=没有") == []
    first = api.session.get(f"{api.base}/page/panels?name=来客1&codes=1").json()["customers"]
    assert 'href="/?customers=2&amp;name=%E6%9D%A5%E5%AE%A21#customers"' in first
