"""Answers of odd shapes: what is optional may be missing, what is wrong is unavailable, nothing else escapes."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.adapters.wecom.far_side import FarSide, Raw, ok, refusal
from tests.adapters.wecom.support import SETTINGS, MakeGateway
from wecom_app.adapters.wecom import answers
from wecom_app.adapters.wecom.answers import Reader
from wecom_app.adapters.wecom.gateway import Gateway
from wecom_app.clock import ManualClock
from wecom_app.errors import WeComGone, WeComMisconfigured, WeComRejected, WeComUnavailable
from wecom_app.services.ports import ContactWayDraft, WelcomeMessage

EXTERNAL = "externalcontact/"
FOLLOWER = {"userid": "zhang", "createtime": 1_700_000_000}
CONTACT = {"external_userid": "wm_li", "name": "李女士", "type": 1}
READS: dict[str, Callable[[Gateway, ManualClock], object]] = {
    "get_follow_user_list": lambda gateway, _: gateway.list_follow_userids(),
    "list": lambda gateway, _: gateway.list_external_userids("zhang"),
    "get": lambda gateway, _: gateway.get_contact("wm_li"),
    "batch/get_by_user": lambda gateway, _: gateway.list_contacts(["zhang"]),
    "get_corp_tag_list": lambda gateway, _: gateway.list_corp_tags(),
    "add_corp_tag": lambda gateway, _: gateway.add_corp_tags(["a"], group_name="b"),
    "add_contact_way": lambda gateway, _: gateway.add_contact_way(ContactWayDraft(("zhang",), "s", "r")),
    "list_contact_way": lambda gateway, clock: gateway.find_contact_way("s", created_since=clock.now()),
    "mark_tag": lambda gateway, _: gateway.mark_tags("zhang", "wm_li", add=["et"], remove=[]),
    "send_welcome_msg": lambda gateway, _: gateway.send_welcome("code", WelcomeMessage("hi")),
}
LIST_FIELDS = {
    "get_follow_user_list": "follow_user",
    "list": "external_userid",
    "batch/get_by_user": "external_contact_list",
    "get_corp_tag_list": "tag_group",
    "list_contact_way": "contact_way",
}


NONSENSE = (
    {},
    [],
    {"errmsg": "ok"},
    {"errcode": None},
    {"errcode": "many"},
    {"errcode": True},
    {"errcode": [0]},
    {"errcode": 1.5},
    Raw(b""),
    Raw(b"null"),
    Raw(b"\xff\xfe"),
    Raw(b"<html>busy</html>"),
    Raw(b"[" * 100_000),
    Raw(b'{"errcode": 0', "200 OK"),
    Raw(b'{"errcode": 0}', "502 Bad Gateway"),
    Raw(b'{"errcode": 0}', "403 Forbidden"),
    Raw(b"<html>", "404 Not Found"),
)


@pytest.mark.parametrize("api", READS)
def test_an_answer_without_sense_is_unavailable(
    scripted: Gateway, far_side: FarSide, clock: ManualClock, api: str
) -> None:
    for answer in NONSENSE:
        far_side.answer(EXTERNAL + api, answer)
        with pytest.raises(WeComUnavailable) as caught:
            READS[api](scripted, clock)
        assert caught.value.errcode is None, answer
        assert caught.value.api == EXTERNAL + api


WRONG_LISTS = (None, "zhang", 7, {"a": 1}, [None], [7], [[]])


@pytest.mark.parametrize("api", LIST_FIELDS)
def test_a_list_of_another_type_is_unavailable_and_not_empty(
    scripted: Gateway, far_side: FarSide, clock: ManualClock, api: str
) -> None:
    for wrong in WRONG_LISTS:
        far_side.answer(EXTERNAL + api, ok(**{LIST_FIELDS[api]: wrong}))
        with pytest.raises(WeComUnavailable):
            READS[api](scripted, clock)


@pytest.mark.parametrize("api", LIST_FIELDS)
def test_a_success_without_its_list_is_unavailable_and_not_empty(
    scripted: Gateway, far_side: FarSide, clock: ManualClock, api: str
) -> None:
    far_side.answer(EXTERNAL + api, ok())
    with pytest.raises(WeComUnavailable):
        READS[api](scripted, clock)


def test_a_success_without_errcode_counts_where_its_field_is_there(scripted: Gateway, far_side: FarSide) -> None:
    far_side.answer("externalcontact/list", {"external_userid": ["wm_li"]})
    assert scripted.list_external_userids("zhang") == ("wm_li",)


def test_an_answer_about_another_customer_than_the_one_asked_about_is_not_believed(
    scripted: Gateway, far_side: FarSide
) -> None:
    other = {**CONTACT, "external_userid": "wm_wang"}
    far_side.answer("externalcontact/get", ok(external_contact=other, follow_user=[FOLLOWER]))
    with pytest.raises(WeComUnavailable):
        scripted.get_contact("wm_li")


def test_an_errcode_in_quotes_is_understood(scripted: Gateway, far_side: FarSide) -> None:
    far_side.answer("externalcontact/list", {"errcode": "48002", "external_userid": []})
    with pytest.raises(WeComMisconfigured):
        scripted.list_external_userids("zhang")


def test_an_unknown_path_is_rejected(scripted: Gateway) -> None:
    with pytest.raises(WeComRejected, match="WECOM_API_BASE_URL"):
        scripted.list_follow_userids()


def test_a_redirect_is_not_followed(scripted: Gateway, far_side: FarSide) -> None:
    elsewhere = f"{SETTINGS.api_base_url}/cgi-bin/elsewhere"
    far_side.answer("externalcontact/list", Raw(b"", "301 Moved Permanently", elsewhere))
    with pytest.raises(WeComMisconfigured, match="https"):
        scripted.list_external_userids("zhang")
    assert far_side.count("elsewhere") == 0


def test_an_answer_beyond_all_measure_is_not_read_to_its_end(scripted: Gateway, far_side: FarSide) -> None:
    far_side.answer("externalcontact/list", Raw(b" " * (33 * 1024 * 1024)))
    with pytest.raises(WeComUnavailable, match="回答过大"):
        scripted.list_external_userids("zhang")


class TickingClock(ManualClock):
    """Moves a second whenever it is looked at."""

    def monotonic(self) -> float:
        self.advance(1)
        return super().monotonic()


def test_an_answer_that_trickles_in_is_given_up(
    make_gateway: MakeGateway, far_side: FarSide, clock: ManualClock
) -> None:
    far_side.answer("externalcontact/list", Raw(b" " * (4 * 1024 * 1024)))
    with pytest.raises(WeComUnavailable, match="回答超时"):
        make_gateway(far_side, own_clock=TickingClock(clock.now())).list_external_userids("zhang")


def test_missing_optional_fields_are_none(scripted: Gateway, far_side: FarSide) -> None:
    far_side.answer("externalcontact/get", ok(external_contact={"external_userid": "wm_li"}, follow_user=[FOLLOWER]))
    found = scripted.get_contact("wm_li")
    assert (found.name, found.type, found.avatar, found.gender, found.corp_name) == ("", "wechat", None, None, None)
    (follower,) = found.follow_users
    assert (follower.state, follower.add_way, follower.remark) == (None, None, None)
    assert (follower.tag_ids, follower.remark_mobiles) == (frozenset(), ())


def test_personal_and_rule_group_tags_are_left_out(scripted: Gateway, far_side: FarSide) -> None:
    tags = [
        {"group_name": "等级", "tag_name": "VIP", "tag_id": "et_vip", "type": 1},
        {"group_name": "", "tag_name": "老同学", "type": 2},
        {"group_name": "规则", "tag_name": "甲", "tag_id": "et_rule", "type": 3},
        {"group_name": "等级", "tag_name": "无编号", "type": 1},
    ]
    far_side.answer("externalcontact/get", ok(external_contact=CONTACT, follow_user=[{**FOLLOWER, "tags": tags}]))
    assert scripted.get_contact("wm_li").follow_users[0].tag_ids == {"et_vip"}


def test_a_wecom_contact_and_its_company_are_told(scripted: Gateway, far_side: FarSide) -> None:
    partner = {"external_userid": "wo_1", "name": "周经理", "type": 2, "corp_name": "合作公司", "gender": 1}
    far_side.answer("externalcontact/get", ok(external_contact=partner, follow_user=[]))
    found = scripted.get_contact("wo_1")
    assert (found.type, found.corp_name, found.gender, found.follow_users) == ("wecom", "合作公司", 1, ())


def test_names_that_no_database_takes_are_mended(scripted: Gateway, far_side: FarSide) -> None:
    far_side.answer(
        "externalcontact/get",
        Raw(
            b'{"errcode":0,"follow_user":[],"external_contact":{"external_userid":"wm_li",'
            b'"name":"a\\u0000b\\ud83dc\xe6\x9dd\ne"}}'
        ),
    )
    name = scripted.get_contact("wm_li").name
    assert name == "ab?c\ufffdd\ne"
    name.encode()


@pytest.mark.parametrize("createtime", [None, "1700000000", -1, 10**15, True])
def test_a_relation_without_a_time_is_unavailable(scripted: Gateway, far_side: FarSide, createtime: Any) -> None:
    follower = {"userid": "zhang", "createtime": createtime}
    far_side.answer("externalcontact/get", ok(external_contact=CONTACT, follow_user=[follower]))
    with pytest.raises(WeComUnavailable, match="createtime"):
        scripted.get_contact("wm_li")


def test_a_cursor_that_repeats_is_an_error(scripted: Gateway, far_side: FarSide, clock: ManualClock) -> None:
    far_side.answer("externalcontact/get", ok(external_contact=CONTACT, follow_user=[FOLLOWER], next_cursor="c"))
    far_side.answer("externalcontact/batch/get_by_user", ok(external_contact_list=[], next_cursor="c"))
    far_side.answer("externalcontact/list_contact_way", ok(contact_way=[], next_cursor="c"))
    with pytest.raises(WeComUnavailable):
        scripted.get_contact("wm_li")
    assert scripted.list_contacts(["zhang"]).next_cursor == "c"
    with pytest.raises(WeComUnavailable):
        scripted.list_contacts(["zhang"], "c")
    with pytest.raises(WeComUnavailable):
        scripted.find_contact_way("s", created_since=clock.now())
    assert len([call for call in far_side.calls if call.api != "gettoken"]) == 6


def test_unlicensed_members_are_told_beside_the_page(scripted: Gateway, far_side: FarSide) -> None:
    far_side.answer(
        "externalcontact/batch/get_by_user",
        ok(external_contact_list=[], fail_info={"unlicensed_userid_list": ["wang"]}),
    )
    assert scripted.list_contacts(["zhang", "wang"]).unlicensed_userids == ("wang",)


def test_only_what_is_given_is_sent(scripted: Gateway, far_side: FarSide) -> None:
    group = {"group_id": "g", "group_name": "偏好", "tag": []}
    far_side.answer("externalcontact/add_corp_tag", ok(tag_group=group))
    far_side.answer("externalcontact/get_corp_tag_list", ok(tag_group=[]))
    far_side.answer("externalcontact/edit_corp_tag", ok())
    far_side.answer("externalcontact/send_welcome_msg", ok())
    scripted.add_corp_tags(["短期"], group_id="g")
    assert far_side.last("externalcontact/add_corp_tag").json == {"group_id": "g", "tag": [{"name": "短期"}]}
    scripted.list_corp_tags()
    assert far_side.last("externalcontact/get_corp_tag_list").json == {}
    scripted.edit_corp_tag("et", order=0)
    assert far_side.last("externalcontact/edit_corp_tag").json == {"id": "et", "order": 0}
    scripted.send_welcome("code", WelcomeMessage("您好"))
    sent = far_side.last("externalcontact/send_welcome_msg")
    assert sent.json == {"welcome_code": "code", "text": {"content": "您好"}}
    assert "您好".encode() in sent.body  # some calls refuse \u escapes


def test_ids_that_are_no_text_are_sent_all_the_same(scripted: Gateway, far_side: FarSide) -> None:
    far_side.answer("externalcontact/list", refusal(84061))
    far_side.answer("externalcontact/mark_tag", refusal(40096))
    assert scripted.list_external_userids("\ud800&access_token=x") == ()
    with pytest.raises(WeComGone):
        scripted.mark_tags("zhang", "wm\ud800\0", add=["et"], remove=[])
    assert far_side.last("externalcontact/list").query["userid"] == "?&access_token=x"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                sorted(
                    {
                        "external_contact",
                        "follow_info",
                        "follow_user",
                        "external_userid",
                        "userid",
                        "createtime",
                        "tags",
                        "tag",
                        "tag_id",
                        "type",
                        "group_id",
                        "id",
                        "name",
                        "order",
                        "external_contact_list",
                        "next_cursor",
                        "fail_info",
                        "unlicensed_userid_list",
                        "config_id",
                        "user",
                        "state",
                        "remark_mobiles",
                        "deleted",
                    }
                )
            ),
            inner,
            max_size=6,
        )
    ),
    max_leaves=20,
)


@given(JSON)
@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_no_shape_of_an_answer_raises_anything_else(value: Any) -> None:
    for read in (
        answers.page,
        answers.tag_group,
        answers.contact_way,
        answers.follow_user,
        lambda found: answers.contact(found, ()),
    ):
        try:
            read(Reader("api", value))
        except WeComUnavailable:
            continue


def test_a_warning_in_errmsg_is_no_error(scripted: Gateway, far_side: FarSide) -> None:
    far_side.answer("externalcontact/mark_tag", refusal(0, "Warning: wrong json format. ok"))
    scripted.mark_tags("zhang", "wm_li", add=["et"], remove=[])
