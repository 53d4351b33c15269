"""Live codes: making, changing and listing them."""

import pytest

from wecom_app.clock import ManualClock
from wecom_app.simulator.config import SimulatorConfig
from wecom_app.simulator.server import Simulator

ADD = "externalcontact/add_contact_way"
GET = "externalcontact/get_contact_way"
LIST = "externalcontact/list_contact_way"
UPDATE = "externalcontact/update_contact_way"
DELETE = "externalcontact/del_contact_way"
GOOD = {"type": 2, "scene": 2, "user": ["zhang"], "state": "spring", "remark": "门店"}


def test_a_code_is_kept_with_its_fields(api):
    made = api.post(ADD, GOOD)
    shown = api.post(GET, {"config_id": made["config_id"]})["contact_way"]
    assert shown["qr_code"] == made["qr_code"]
    assert (shown["type"], shown["scene"], shown["user"], shown["state"]) == (2, 2, ["zhang"], "spring")
    assert shown["skip_verify"] is True


def test_a_mini_program_code_has_no_picture(api):
    assert "qr_code" not in api.post(ADD, GOOD | {"scene": 1})


@pytest.mark.parametrize(
    ("change", "errcode"),
    [
        ({"type": None}, 41037),
        ({"type": 3}, 41039),
        ({"scene": None}, 41038),
        ({"scene": 9}, 41040),
        ({"scene": 1, "style": 7}, 41042),
        ({"state": "x" * 31}, 40058),
        ({"remark": "长" * 31}, 40058),
        ({"user": []}, 40063),
        ({"user": ["nobody"]}, 40003),
        ({"user": [""]}, 60111),
        ({"user": ["sun"]}, 84074),
        ({"user": ["zhou"]}, 41054),
        ({"user": ["wu"]}, 40098),
        ({"type": 1, "user": ["zhang", "wang"]}, 40058),
        ({"party": [77]}, 60123),
        ({"skip_verify": "yes"}, 40058),
    ],
)
def test_a_bad_code_is_refused(api, sim: Simulator, change, errcode):
    sim.world.add_member("sun", "孙丽", customer_contact=False)
    sim.world.add_member("zhou", "周杰", status=4)
    sim.world.add_member("wu", "吴磊", verified=False)
    assert api.post(ADD, GOOD | change)["errcode"] == errcode
    assert api.post(LIST)["contact_way"] == []


def test_thirty_characters_of_state_are_taken(api):
    assert api.post(ADD, GOOD | {"state": "x" * 30})["errcode"] == 0


def test_a_code_has_at_most_100_members_departments_included(api, sim: Simulator):
    sim.world.add_department(2, "门店")
    for number in range(100):
        sim.world.add_member(f"m{number}", f"成员{number}", department=[2])
    assert api.post(ADD, GOOD | {"user": [], "party": [2]})["errcode"] == 0
    assert api.post(ADD, GOOD | {"party": [2]})["errcode"] == 41041


def test_the_number_of_codes_is_capped(make_api):
    api = make_api(SimulatorConfig(contact_way_limit=1))
    assert [api.post(ADD, GOOD)["errcode"] for _ in range(2)] == [0, 41045]


def test_an_update_replaces_the_members_and_keeps_the_picture(api):
    made = api.post(ADD, GOOD)
    assert api.post(UPDATE, {"config_id": made["config_id"], "user": ["wang"], "state": "summer"})["errcode"] == 0
    shown = api.post(GET, {"config_id": made["config_id"]})["contact_way"]
    assert (shown["user"], shown["state"], shown["remark"]) == (["wang"], "summer", "门店")
    assert shown["qr_code"] == made["qr_code"]


def test_a_refused_update_changes_nothing(api):
    made = api.post(ADD, GOOD)
    body = {"config_id": made["config_id"], "state": "summer", "user": ["nobody"]}
    assert api.post(UPDATE, body)["errcode"] == 40003
    assert api.post(GET, {"config_id": made["config_id"]})["contact_way"]["state"] == "spring"


@pytest.mark.parametrize("path", [GET, UPDATE, DELETE])
def test_a_code_must_be_named_and_known(api, path):
    assert api.post(path, {})["errcode"] == 41043
    assert api.post(path, {"config_id": "unknown"})["errcode"] == 41044


def test_a_deleted_code_is_gone(api, code):
    assert api.post(DELETE, {"config_id": code})["errcode"] == 0
    assert api.post(GET, {"config_id": code})["errcode"] == 41044


def test_codes_are_listed_by_page_without_temporary_ones(api):
    made = [api.post(ADD, GOOD)["config_id"] for _ in range(3)]
    api.post(ADD, GOOD | {"type": 1, "is_temp": True})
    first = api.post(LIST, {"limit": 2})
    second = api.post(LIST, {"limit": 2, "cursor": first["next_cursor"]})
    listed = [item["config_id"] for item in first["contact_way"] + second["contact_way"]]
    assert listed == made
    assert "next_cursor" not in second


def test_codes_older_than_90_days_need_a_start_time(api, clock: ManualClock):
    made = api.post(ADD, GOOD)["config_id"]
    start = int(clock.now().timestamp())
    clock.advance(91 * 86_400)
    api.token = api.gettoken()["access_token"]
    assert api.post(LIST)["contact_way"] == []
    assert api.post(LIST, {"start_time": start})["contact_way"] == [{"config_id": made}]


def test_the_picture_is_a_qr_code(api):
    made = api.post(ADD, GOOD)
    picture = api.session.get(made["qr_code"])
    assert picture.headers["Content-Type"] == "image/png"
    assert picture.content.startswith(b"\x89PNG")
