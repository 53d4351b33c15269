"""Members, departments and log-in."""

from urllib.parse import parse_qs, urlsplit

import pytest

from wecom_app.clock import ManualClock
from wecom_app.simulator.config import SimulatorConfig
from wecom_app.simulator.server import Simulator

AUTHORIZE = "/connect/oauth2/authorize"
SSO = "/wwlogin/sso/login"


def test_a_member_is_found_whatever_the_case(api):
    assert api.get("user/get", userid="ZHANG")["userid"] == "zhang"


def test_an_unknown_member_answers_60111_and_one_outside_the_range_60011(api, narrow_api):
    assert api.get("user/get", userid="nobody")["errcode"] == 60111
    assert narrow_api.get("user/get", userid="wang")["errcode"] == 60011


def test_a_department_lists_its_own_members_only(api, sim: Simulator):
    sim.world.add_department(2, "门店")
    sim.world.add_member("sun", "孙丽", department=[2])
    names = {number: api.get("user/simplelist", department_id=number)["userlist"] for number in (1, 2)}
    assert [member["userid"] for member in names[1]] == ["zhang", "wang"]
    assert [member["name"] for member in names[2]] == ["孙丽"]
    assert [item["userid"] for item in api.get("user/list", department_id=2)["userlist"]] == ["sun"]
    assert api.get("user/list", department_id=9)["errcode"] == 60123


def test_departments_are_listed_with_those_below(api, sim: Simulator):
    sim.world.add_department(2, "门店")
    sim.world.add_department(3, "旗舰店", parentid=2)
    assert [item["id"] for item in api.get("department/list")["department"]] == [1, 2, 3]
    assert [item["id"] for item in api.get("department/simplelist", id=2)["department_id"]] == [2, 3]
    assert api.get("department/get", id=3)["department"]["parentid"] == 2


def login(api, path: str = AUTHORIZE, **change: str):
    query = {
        "appid": api.sim.config.corp_id,
        "redirect_uri": "https://app.test/auth?next=%2Fsidebar",
        "response_type": "code",
        "scope": "snsapi_base",
        "state": "abc123",
        "agentid": "1000002",
    } | change
    return api.session.get(api.base + path, params=query, allow_redirects=False)


def code_of(answer) -> str:
    return parse_qs(urlsplit(answer.headers["Location"]).query)["code"][0]


@pytest.mark.parametrize("path", [AUTHORIZE, SSO])
def test_the_log_in_page_lets_one_choose_a_member(api, path):
    page = login(api, path, login_type="CorpApp")
    assert page.status_code == 200
    assert "张伟" in page.text
    assert "userid=zhang" in page.text


def test_the_browser_comes_back_with_code_and_state(api):
    answer = login(api, userid="zhang")
    target = urlsplit(answer.headers["Location"])
    query = parse_qs(target.query)
    assert (answer.status_code, target.netloc, target.path) == (302, "app.test", "/auth")
    assert (query["next"], query["state"]) == (["/sidebar"], ["abc123"])


def test_a_code_tells_once_who_logged_in(api):
    code = code_of(login(api, userid="zhang"))
    assert api.get("auth/getuserinfo", code=code)["userid"] == "zhang"
    assert api.get("auth/getuserinfo", code=code)["errcode"] == 42022


def test_a_code_lives_five_minutes(api, clock: ManualClock):
    code = code_of(login(api, userid="zhang"))
    clock.advance(300)
    assert api.get("auth/getuserinfo", code=code)["errcode"] == 40029


def test_unknown_and_missing_codes_are_told_apart(api):
    assert api.get("auth/getuserinfo", code="unknown")["errcode"] == 40029
    assert api.get("auth/getuserinfo")["errcode"] == 41008


def test_a_code_is_for_the_app_that_asked(api, other_api):
    code = code_of(login(api, userid="zhang"))
    assert other_api.get("auth/getuserinfo", code=code)["errcode"] == 40029


def test_the_older_path_spells_with_capitals(api):
    code = code_of(login(api, userid="zhang"))
    assert api.get("user/getuserinfo", code=code)["UserId"] == "zhang"


def test_somebody_outside_the_corp_has_no_userid(api):
    answer = api.get("auth/getuserinfo", code=code_of(login(api, external_userid="wmli")))
    assert "userid" not in answer
    assert answer["external_userid"] == "wmli"


@pytest.mark.parametrize(
    ("change", "errcode"),
    [
        ({"appid": "wwother"}, "40013"),
        ({"redirect_uri": "javascript:alert(1)"}, "10003"),
        ({"redirect_uri": "https://evil.test/"}, "50001"),
        ({"agentid": "7"}, "40056"),
        ({"state": "a-b"}, "40058"),
        ({"state": "a" * 129}, "40058"),
    ],
)
def test_a_bad_log_in_address_shows_an_error(make_api, change, errcode):
    api = make_api(SimulatorConfig(trusted_domains=frozenset({"app.test"})))
    answer = login(api, userid="zhang", **change)
    assert answer.status_code == 400
    assert errcode in answer.text


@pytest.mark.parametrize("change", [{}, {"login_type": "Other"}, {"login_type": "CorpApp", "agentid": ""}])
def test_a_log_in_on_a_computer_says_for_which_app(api, change):
    assert login(api, SSO, userid="zhang", **change).status_code == 400


def hold(api, userid: str, to: str = "") -> str:
    """Put the phone into somebody's hands; return where the browser goes."""
    answer = api.session.get(
        f"{api.base}/_simulator/hold", params={"userid": userid, "next": to}, allow_redirects=False
    )
    api.session.headers["Cookie"] = answer.headers["Set-Cookie"].partition(";")[0]
    return answer.headers["Location"]


@pytest.mark.parametrize("path", [AUTHORIZE, SSO])
def test_who_holds_the_phone_is_logged_in_without_a_word(api, sim: Simulator, path):
    more = {"login_type": "CorpApp"} if path == SSO else {}
    assert hold(api, "WANG", "//e.com") == "/e.com"
    assert api.get("auth/getuserinfo", code=code_of(login(api, path, **more)))["userid"] == "wang"
    sim.act("admin", "update_member", userid="wang", status=2)
    assert login(api, path, **more).status_code == 200
    hold(api, "zhang")
    assert login(api, path, **more).status_code == 302
    hold(api, "")
    assert login(api, path, **more).status_code == 200
