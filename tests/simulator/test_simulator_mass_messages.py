"""Mass messages: tasks that wait for their members."""

import pytest

from wecom_app.clock import ManualClock
from wecom_app.simulator.server import Simulator

ADD = "externalcontact/add_msg_template"
TASKS = "externalcontact/get_groupmsg_task"
RESULTS = "externalcontact/get_groupmsg_send_result"
LIST = "externalcontact/get_groupmsg_list_v2"
BODY = {"chat_type": "single", "external_userid": ["wmli"], "text": {"content": "上新"}}


@pytest.fixture
def msgid(api) -> str:
    return api.post(ADD, BODY)["msgid"]


def statuses(api, msgid: str, userid: str = "zhang") -> list[int]:
    return [item["status"] for item in api.post(RESULTS, {"msgid": msgid, "userid": userid})["send_list"]]


def test_nothing_is_sent_until_the_member_confirms(api, sim: Simulator, msgid):
    assert api.post(TASKS, {"msgid": msgid})["task_list"] == [{"userid": "zhang", "status": 0}]
    assert statuses(api, msgid) == [0]
    sim.act("zhang", "confirm_mass_message", msgid=msgid)
    (task,) = api.post(TASKS, {"msgid": msgid})["task_list"]
    assert (task["status"], task["send_time"]) == (2, sim.world.unix_now())
    assert statuses(api, msgid) == [1]


def test_who_cannot_be_reached_stands_in_the_fail_list(api, sim: Simulator):
    sim.world.add_customer("陈晨", "wmchen")
    assert api.post(ADD, BODY | {"external_userid": ["wmli", "wmchen"]})["fail_list"] == ["wmchen"]


@pytest.mark.parametrize(
    ("body", "errcode"),
    [
        ({"external_userid": ["wmli"]}, 40063),
        ({"text": {"content": "上新"}}, 40063),
        (BODY | {"external_userid": ["wmnobody"]}, 41048),
        (BODY | {"sender": "nobody"}, 40003),
    ],
)
def test_a_bad_mass_message_is_refused(api, body, errcode):
    assert api.post(ADD, body)["errcode"] == errcode


def test_the_task_goes_to_the_member_who_came_last(api, sim: Simulator, clock: ManualClock):
    clock.advance(60)
    sim.world.add_relation("wang", "wmli")
    msgid = api.post(ADD, BODY)["msgid"]
    assert [task["userid"] for task in api.post(TASKS, {"msgid": msgid})["task_list"]] == ["wang"]


def test_tags_are_or_in_a_group_and_and_between_groups(api, sim: Simulator):
    gold, silver, red = (sim.world.add_tag(*names).id for names in (("级", "金"), ("级", "银"), ("色", "红")))
    for number, tags in enumerate([[gold], [silver, red], [gold, red], [red]]):
        sim.world.add_customer(external_userid=f"wm{number}")
        sim.world.add_relation("wang", f"wm{number}", tags=tags)
    groups = [{"tag_list": [gold, silver]}, {"tag_list": [red]}]
    msgid = api.post(ADD, {"tag_filter": {"group_list": groups}, "text": {"content": "上新"}})["msgid"]
    sent = api.post(RESULTS, {"msgid": msgid, "userid": "wang"})["send_list"]
    assert [item["external_userid"] for item in sent] == ["wm1", "wm2"]


def test_a_customer_who_left_is_not_a_friend(api, sim: Simulator, msgid):
    sim.act("zhang", "delete_customer", external_userid="wmli")
    sim.act("zhang", "confirm_mass_message", msgid=msgid)
    assert statuses(api, msgid) == [2]


def test_the_months_limit_is_its_number_of_days(api, sim: Simulator, msgid):
    msgids = [msgid, *(api.post(ADD, BODY)["msgid"] for _ in range(30))]
    sim.act("zhang", "confirm_mass_message")
    assert [statuses(api, item)[0] for item in msgids] == [1] * 30 + [3]


def test_a_days_limit_can_be_set(api, sim: Simulator, clock: ManualClock, msgid):
    sim.faults.set(mass_messages_per_day=1)
    second = api.post(ADD, BODY)["msgid"]
    sim.act("zhang", "confirm_mass_message")
    assert (statuses(api, msgid), statuses(api, second)) == ([1], [3])
    clock.advance(86_400)
    api.token = api.gettoken()["access_token"]
    third = api.post(ADD, BODY)["msgid"]
    sim.act("zhang", "confirm_mass_message", msgid=third)
    assert statuses(api, third) == [1]


def test_right_after_making_it_answers_41063(api, sim: Simulator, clock: ManualClock):
    sim.faults.set(dispatching_s=60)
    msgid = api.post(ADD, BODY)["msgid"]
    assert api.post(TASKS, {"msgid": msgid})["errcode"] == 41063
    clock.advance(60)
    assert api.post(TASKS, {"msgid": msgid})["errcode"] == 0


def test_an_unknown_mass_message_answers_41047(api):
    assert api.post(TASKS, {"msgid": "unknown"})["errcode"] == 41047


def test_mass_messages_are_listed_by_time(api, sim: Simulator, msgid):
    now = sim.world.unix_now()
    body = {"chat_type": "single", "start_time": now - 60, "end_time": now + 60}
    (item,) = api.post(LIST, body)["group_msg_list"]
    assert (item["msgid"], item["text"]) == (msgid, BODY["text"])
    assert "creator" not in item
    assert api.post(LIST, body | {"start_time": now - 32 * 86_400})["errcode"] == 40058


def test_three_reminders_a_day_are_allowed(api, clock: ManualClock, msgid):
    path = "externalcontact/remind_groupmsg_send"
    assert [api.post(path, {"msgid": msgid})["errcode"] for _ in range(4)] == [0, 0, 0, 45009]
    clock.advance(86_400)
    api.token = api.gettoken()["access_token"]
    assert api.post(path, {"msgid": msgid})["errcode"] == 0


def test_a_cancelled_mass_message_reaches_nobody(api, sim: Simulator, msgid):
    assert api.post("externalcontact/cancel_groupmsg_send", {"msgid": msgid})["errcode"] == 0
    assert api.post(TASKS, {"msgid": msgid})["task_list"] == []
