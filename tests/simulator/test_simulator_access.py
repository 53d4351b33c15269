"""Tokens, tickets, error answers and the order in which a call is checked."""

import pytest

from wecom_app.clock import ManualClock
from wecom_app.simulator.config import SimulatorConfig
from wecom_app.simulator.server import Simulator

CORP, SECRET = SimulatorConfig().corp_id, SimulatorConfig().secret


@pytest.mark.parametrize(
    ("query", "errcode"),
    [
        ({}, 41004),
        ({"corpid": CORP}, 41004),
        ({"corpid": "wwunknown", "corpsecret": SECRET}, 40013),
        ({"corpid": CORP, "corpsecret": "wrong"}, 40001),
    ],
    ids=["nothing", "no secret", "unknown corp", "wrong secret"],
)
def test_gettoken_names_what_is_wrong_first(api, query, errcode):
    assert api.raw("GET", "gettoken", query=query).json()["errcode"] == errcode


def test_gettoken_answers_the_same_token_until_it_ends(api, clock: ManualClock):
    clock.advance(7000)
    again = api.gettoken()
    assert again["access_token"] == api.token
    assert again["expires_in"] == 200
    clock.advance(200)
    assert api.gettoken()["access_token"] != api.token


def test_an_ended_token_answers_42001(api, clock: ManualClock):
    clock.advance(7200)
    assert api.get("getcallbackip")["errcode"] == 42001


def test_a_killed_token_answers_40014_without_hint(api, sim: Simulator):
    sim.faults.set(token={"invalidate_now": True})
    assert api.get("getcallbackip") == {"errcode": 40014, "errmsg": "invalid access_token", "ip_list": []}
    api.token = api.gettoken()["access_token"]
    assert api.get("getcallbackip")["errcode"] == 0


def test_rotation_kills_the_token_before(api, sim: Simulator):
    sim.faults.set(token={"rotate": True})
    first = api.gettoken()["access_token"]
    assert api.gettoken()["access_token"] != first
    api.token = first
    assert api.get("getcallbackip")["errcode"] == 40014


def test_token_life_can_be_shortened(api, sim: Simulator, clock: ManualClock):
    sim.faults.set(token={"expires_in": 60, "invalidate_now": True})
    api.token = api.gettoken()["access_token"]
    clock.advance(60)
    assert api.get("getcallbackip")["errcode"] == 42001


def test_a_token_outside_the_query_is_not_seen(api):
    body = {"access_token": api.token}
    answer = api.raw("POST", "externalcontact/mark_tag", json=body, headers={"Authorization": api.token})
    assert answer.json()["errcode"] == 41001


def test_the_token_is_checked_before_the_parameters(api):
    api.token = "wrong"
    assert api.post("externalcontact/mark_tag", {})["errcode"] == 40014


def test_apps_have_tokens_of_their_own(api, other_api):
    assert api.token != other_api.token


def test_errors_are_http_200_with_hint_and_headers(api):
    answer = api.raw("GET", "externalcontact/list", query={"access_token": api.token, "userid": "nobody"})
    assert answer.status_code == 200
    assert answer.headers["error-code"] == "40003"
    assert answer.headers["error-msg"] == answer.json()["errmsg"]
    assert answer.headers["Content-Type"] == "application/json; charset=UTF-8"
    assert answer.json()["errmsg"].startswith("invalid userid, hint: [")
    assert answer.json()["errmsg"].endswith("more info at https://open.work.weixin.qq.com/devtool/query?e=40003")
    assert "from ip: 127.0.0.1" in answer.json()["errmsg"]


@pytest.mark.parametrize(
    ("api_path", "empty"),
    [
        ("externalcontact/list", {"external_userid": []}),
        ("externalcontact/get_follow_user_list", {"follow_user": []}),
        ("user/get", {"department": [], "order": [], "is_leader_in_dept": [], "direct_leader": []}),
        ("department/simplelist", {"department_id": []}),
        ("getcallbackip", {"ip_list": []}),
    ],
)
def test_error_answers_carry_the_empty_fields(api, api_path, empty):
    api.token = "wrong"
    answer = api.get(api_path)
    assert {name: answer[name] for name in empty} == empty


def test_an_unknown_path_is_an_empty_404(api):
    answer = api.raw("GET", "externalcontact/no_such_thing")
    assert (answer.status_code, answer.content) == (404, b"")


def test_a_body_that_is_not_json_is_taken_as_empty_with_a_warning(api):
    query = {"access_token": api.token}
    answer = api.raw("POST", "externalcontact/add_corp_tag", query=query, data=b"{oops").json()
    assert answer["errcode"] == 41018
    assert answer["errmsg"].startswith("Warning: wrong json format. missing tagname")


def test_a_body_without_content_type_is_read(api):
    query = {"access_token": api.token}
    body = '{"group_name":"等级","tag":[{"name":"金卡"}]}'.encode()
    answer = api.raw("POST", "externalcontact/add_corp_tag", query=query, data=body).json()
    assert answer["tag_group"]["tag"][0]["name"] == "金卡"


def test_an_app_without_customer_contact_gets_48002(not_allowed_api):
    assert not_allowed_api.get("externalcontact/get_follow_user_list")["errcode"] == 48002
    assert not_allowed_api.get("user/get", userid="zhang")["errcode"] == 0


def test_the_right_to_customer_contact_can_be_taken_back(api, sim: Simulator):
    sim.faults.set(customer_contact=False)
    assert api.post("externalcontact/get_corp_tag_list")["errcode"] == 48002


def test_an_untrusted_address_gets_60020(api, sim: Simulator):
    sim.faults.set(trusted_ips=["10.0.0.1"])
    assert api.get("getcallbackip")["errcode"] == 60020
    assert api.gettoken()["errcode"] == 60020


def test_many_wrong_secrets_lock_gettoken_for_an_hour(make_api, clock: ManualClock):
    api = make_api(SimulatorConfig(wrong_secrets_per_hour=2))
    wrong = {"corpid": CORP, "corpsecret": "wrong"}
    refused = [api.raw("GET", "gettoken", query=wrong).json()["errcode"] for _ in range(4)]
    assert refused == [40001, 40001, 40001, 45009]
    assert api.gettoken()["errcode"] == 45009
    clock.advance(3600)
    assert api.gettoken()["errcode"] == 0


def test_the_two_tickets_differ_and_stay_the_same(api, other_api):
    corp, agent = api.get("get_jsapi_ticket"), api.get("ticket/get", type="agent_config")
    assert corp["ticket"] != agent["ticket"]
    assert api.get("get_jsapi_ticket")["ticket"] == corp["ticket"]
    assert other_api.get("get_jsapi_ticket")["ticket"] == corp["ticket"]
    assert other_api.get("ticket/get", type="agent_config")["ticket"] != agent["ticket"]


def test_another_ticket_type_answers_91040(api):
    assert api.get("ticket/get", type="jsapi")["errcode"] == 91040


def test_tickets_are_limited_to_100_an_hour_per_app(api, other_api):
    answers = [api.get("get_jsapi_ticket")["errcode"] for _ in range(101)]
    assert answers == [0] * 100 + [45009]
    assert other_api.get("get_jsapi_ticket")["errcode"] == 0


def test_the_address_lists_are_answered(api):
    assert api.get("getcallbackip")["ip_list"]
    assert api.get("get_api_domain_ip")["ip_list"]
