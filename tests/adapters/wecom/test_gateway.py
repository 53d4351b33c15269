"""What the gateway sends and gives back, against the simulator."""

from datetime import timedelta

import pytest

from tests.adapters.wecom.support import MakeGateway, calls_of
from wecom_app.adapters.wecom.gateway import Gateway
from wecom_app.clock import ManualClock
from wecom_app.errors import (
    WeComGone,
    WeComMisconfigured,
    WeComRejected,
    WeComTagGone,
    WeComThrottled,
    WeComUnavailable,
    WelcomeTaken,
    WelcomeTooLate,
)
from wecom_app.services.ports import ContactWayDraft, CorpTag, WelcomeMessage
from wecom_app.simulator.server import Simulator
from wecom_app.simulator.world import World

GET = "externalcontact/get"
DRAFT = ContactWayDraft(("zhang",), "spring01", "春季活动")


def test_a_members_name_is_read(gateway: Gateway) -> None:
    assert gateway.get_member("zhang").name == "张敏"


def test_a_name_that_cannot_be_read_says_why(gateway: Gateway, simulator: Simulator) -> None:
    with pytest.raises(WeComGone):
        gateway.get_member("nobody")
    simulator.faults.set(visible_members=["zhang"])
    with pytest.raises(WeComRejected):
        gateway.get_member("wang")


def test_members_and_their_customers_are_listed(gateway: Gateway) -> None:
    assert gateway.list_follow_userids() == ("zhang", "wang")
    assert gateway.list_external_userids("zhang") == ("wm_li",)


def test_a_member_without_customers_has_an_empty_list(gateway: Gateway) -> None:
    assert gateway.list_external_userids("wang") == ()


def test_an_unknown_member_is_gone_and_not_without_customers(gateway: Gateway) -> None:
    with pytest.raises(WeComGone):
        gateway.list_external_userids("nobody")


@pytest.mark.parametrize("errcode", [40014, 48002, 60011, -1, 45033, 99999])
def test_an_error_with_an_empty_list_is_never_an_empty_answer(
    gateway: Gateway, simulator: Simulator, errcode: int
) -> None:
    simulator.faults.add("*", "errcode", errcode=errcode)
    for call in (
        gateway.list_follow_userids,
        lambda: gateway.list_external_userids("zhang"),
        lambda: gateway.list_contacts(["zhang"]),
        gateway.list_corp_tags,
    ):
        with pytest.raises((WeComUnavailable, WeComThrottled, WeComMisconfigured, WeComRejected)):
            call()


def test_a_contact_comes_with_every_follower_and_only_enterprise_tags(
    gateway: Gateway, world: World, clock: ManualClock
) -> None:
    tag = world.add_tag("等级", "VIP")
    world.add_relation("wang", "wm_li", add_way=16, tags=[tag.id])
    found = gateway.get_contact("wm_li")
    assert (found.external_userid, found.name, found.type) == ("wm_li", "李女士", "wechat")
    zhang, wang = found.follow_users
    assert (zhang.userid, zhang.state, zhang.add_way, zhang.tag_ids) == ("zhang", "spring", 1, frozenset())
    assert (wang.userid, wang.state, wang.add_way, wang.tag_ids) == ("wang", None, 16, frozenset({tag.id}))
    assert zhang.createtime == clock.now()


def test_a_contact_with_many_followers_is_read_to_the_last_page(
    gateway: Gateway, world: World, simulator: Simulator
) -> None:
    for number in range(6):
        world.add_member(f"m{number}", f"成员{number}")
        world.add_relation(f"m{number}", "wm_li")
    simulator.faults.set(get_page_size=3)
    userids = [follower.userid for follower in gateway.get_contact("wm_li").follow_users]
    assert sorted(userids) == ["m0", "m1", "m2", "m3", "m4", "m5", "zhang"]
    assert calls_of(simulator, GET) == 3


def test_an_unknown_contact_is_gone(gateway: Gateway) -> None:
    with pytest.raises(WeComGone) as caught:
        gateway.get_contact("wm_nobody")
    assert caught.value.errcode == 40096


def test_a_contact_that_does_not_come_in_time_is_unavailable(
    gateway: Gateway, simulator: Simulator, clock: ManualClock
) -> None:
    gateway.list_follow_userids()
    simulator.faults.add(GET, "latency", latency_s=8)
    before = clock.monotonic()
    with pytest.raises(WeComUnavailable):
        gateway.get_contact("wm_li", urgent=True, timeout_s=3)
    assert clock.monotonic() - before == pytest.approx(3)
    assert gateway.get_contact("wm_li").name == "李女士"  # without that limit eight seconds are fine


def test_contacts_are_paged_with_one_follower_each(gateway: Gateway, world: World) -> None:
    for number in range(4):
        world.add_customer(f"客户{number}", external_userid=f"wm_{number}")
        world.add_relation("wang", f"wm_{number}")
    first = gateway.list_contacts(["zhang", "wang"], limit=3)
    assert first.next_cursor
    second = gateway.list_contacts(["zhang", "wang"], first.next_cursor, limit=3)
    assert second.next_cursor is None
    pairs = {
        (contact.external_userid, *(follower.userid for follower in contact.follow_users))
        for contact in (*first.contacts, *second.contacts)
    }
    assert pairs == {("wm_li", "zhang"), *((f"wm_{number}", "wang") for number in range(4))}


def test_tags_are_marked_and_unmarked_in_one_call(gateway: Gateway, world: World, simulator: Simulator) -> None:
    old, new = world.add_tag("等级", "普通"), world.add_tag("等级", "VIP")
    gateway.mark_tags("zhang", "wm_li", add=[old.id], remove=[])
    gateway.mark_tags("zhang", "wm_li", add=[new.id], remove=[old.id])
    assert world.tag_names("zhang", "wm_li") == {("等级", "VIP")}
    assert calls_of(simulator, "externalcontact/mark_tag") == 2


def test_marking_nothing_calls_nobody(gateway: Gateway, simulator: Simulator) -> None:
    gateway.mark_tags("zhang", "wm_li", add=[], remove=[])
    assert len(simulator.calls) == 0


def test_marking_says_what_is_gone(gateway: Gateway, world: World) -> None:
    tag = world.add_tag("等级", "VIP")
    with pytest.raises(WeComTagGone):
        gateway.mark_tags("zhang", "wm_li", add=["et_unknown"], remove=[])
    with pytest.raises(WeComGone) as caught:
        gateway.mark_tags("wang", "wm_li", add=[tag.id], remove=[])
    assert caught.value.errcode == 84061
    assert not isinstance(caught.value, WeComTagGone)


def test_the_tag_library_is_read_whole_and_by_ids(gateway: Gateway, world: World) -> None:
    vip, normal = world.add_tag("等级", "VIP", order=2), world.add_tag("等级", "普通", order=1)
    world.add_tag("来源", "门店")
    assert [group.name for group in gateway.list_corp_tags()] == ["等级", "来源"]
    (by_tag,) = gateway.list_corp_tags(tag_ids=[normal.id])
    assert by_tag.tags == (CorpTag(normal.id, "普通", 1),)
    (by_group,) = gateway.list_corp_tags(group_ids=[vip.group_id])
    assert {tag.name for tag in by_group.tags} == {"VIP", "普通"}


def test_a_deleted_tag_is_told_when_asked_by_its_id(gateway: Gateway) -> None:
    group = gateway.add_corp_tags(["短期", "长期"], group_name="偏好")
    gateway.delete_corp_tags(tag_ids=[group.tags[0].id])
    ((tag,),) = (found.tags for found in gateway.list_corp_tags(tag_ids=[group.tags[0].id]))
    assert tag.deleted
    assert [[tag.name for tag in found.tags] for found in gateway.list_corp_tags()] == [["长期"]]


def test_tags_are_added_to_a_new_and_to_a_known_group(gateway: Gateway) -> None:
    group = gateway.add_corp_tags(["短期"], group_name="偏好")
    again = gateway.add_corp_tags(["长期"], group_id=group.id)
    assert again.id == group.id
    assert "长期" in {tag.name for tag in again.tags}


def test_an_existing_tag_name_is_refused_with_its_number(gateway: Gateway) -> None:
    gateway.add_corp_tags(["短期"], group_name="偏好")
    with pytest.raises(WeComRejected) as caught:
        gateway.add_corp_tags(["短期"], group_name="偏好")
    assert caught.value.errcode == 40071


def test_our_own_tag_is_renamed_and_moved_to_the_end(gateway: Gateway) -> None:
    group = gateway.add_corp_tags(["短期"], group_name="偏好")
    gateway.edit_corp_tag(group.tags[0].id, name="短线", order=0)
    gateway.edit_corp_tag(group.id, name="喜好")
    assert [(found.name, found.tags[0].name) for found in gateway.list_corp_tags()] == [("喜好", "短线")]


def test_a_tag_of_the_console_cannot_be_edited(gateway: Gateway, world: World) -> None:
    tag = world.add_tag("等级", "VIP")
    with pytest.raises(WeComRejected):
        gateway.edit_corp_tag(tag.id, name="贵宾")


def test_a_live_code_is_created_found_changed_and_deleted(
    gateway: Gateway, simulator: Simulator, clock: ManualClock
) -> None:
    made = gateway.add_contact_way(DRAFT)
    assert made.qr_code
    assert (made.state, made.userids) == ("spring01", ("zhang",))
    gateway.update_contact_way(made.config_id, ContactWayDraft(("wang",), "spring02", "改名"))
    found = gateway.find_contact_way("spring02", created_since=clock.now())
    assert found is not None
    assert (found.config_id, found.userids, found.qr_code) == (made.config_id, ("wang",), made.qr_code)
    gateway.delete_contact_way(made.config_id)
    with pytest.raises(WeComGone):
        gateway.delete_contact_way(made.config_id)


@pytest.mark.parametrize("userids", [("zhang",), ("zhang", "wang")])
def test_a_live_code_can_always_gain_another_member(
    gateway: Gateway, simulator: Simulator, userids: tuple[str, ...]
) -> None:
    draft = ContactWayDraft(userids, "spring01", "春季", skip_verify=False, is_exclusive=True)
    gateway.add_contact_way(draft)
    sent = simulator.calls.of("externalcontact/add_contact_way")[0].request
    assert (sent["type"], sent["scene"], sent["user"]) == (2, 2, list(userids))
    assert (sent["skip_verify"], sent["is_exclusive"]) == (False, True)
    assert "style" not in sent


def test_a_live_code_whose_reply_was_lost_is_found_by_its_state(
    gateway: Gateway, simulator: Simulator, clock: ManualClock
) -> None:
    simulator.faults.add("externalcontact/add_contact_way", "lost_reply")
    before = clock.now()
    with pytest.raises(WeComUnavailable) as caught:
        gateway.add_contact_way(DRAFT)
    assert caught.value.errcode is None
    assert calls_of(simulator, "externalcontact/add_contact_way") == 1  # and it was not sent again
    clock.advance(30)
    found = gateway.find_contact_way("spring01", created_since=before)
    assert found is not None
    assert found.userids == ("zhang",)
    assert gateway.find_contact_way("spring99", created_since=before) is None


def test_codes_from_long_before_are_not_looked_through(
    gateway: Gateway, simulator: Simulator, clock: ManualClock
) -> None:
    gateway.add_contact_way(DRAFT)
    clock.advance(3600)
    assert gateway.find_contact_way("spring01", created_since=clock.now()) is None
    assert gateway.find_contact_way("spring01", created_since=clock.now() - timedelta(hours=1)) is not None
    assert calls_of(simulator, "externalcontact/get_contact_way") == 1


def test_a_welcome_is_sent_once_with_its_picture(gateway: Gateway, simulator: Simulator) -> None:
    code = simulator.scan(gateway.add_contact_way(DRAFT).config_id)["welcome_code"]
    media_id = gateway.upload_media("image", "封面.png", b"\x89PNG and the rest")
    picture = {"msgtype": "image", "image": {"media_id": media_id}}
    gateway.send_welcome(code, WelcomeMessage("您好", (picture,)))
    with pytest.raises(WelcomeTooLate):
        gateway.send_welcome(code, WelcomeMessage("您好"))


def test_a_welcome_after_twenty_seconds_is_too_late(gateway: Gateway, simulator: Simulator, clock: ManualClock) -> None:
    code = simulator.scan(gateway.add_contact_way(DRAFT).config_id)["welcome_code"]
    clock.advance(21)
    with pytest.raises(WelcomeTooLate):
        gateway.send_welcome(code, WelcomeMessage("您好"))


def test_a_welcome_that_another_app_sent_is_taken(gateway: Gateway, simulator: Simulator) -> None:
    simulator.faults.add("externalcontact/send_welcome_msg", "errcode", errcode=41051)
    with pytest.raises(WelcomeTaken):
        gateway.send_welcome("code", WelcomeMessage("您好"))


def test_an_upload_after_a_dead_token_sends_the_whole_file_again(gateway: Gateway, simulator: Simulator) -> None:
    gateway.list_follow_userids()
    simulator.world.kill_tokens()
    content = bytes(range(256)) * 40
    media_id = gateway.upload_media("file", "报价单 2026.pdf", content)
    stored = simulator.world.media.get(media_id, simulator.world.now())
    assert (stored.content, stored.filename) == (content, "报价单 2026.pdf")
    assert calls_of(simulator, "media/upload") == 2


def test_writes_whose_reply_is_lost_are_sent_once_and_reads_twice(
    gateway: Gateway, simulator: Simulator, world: World
) -> None:
    tag = world.add_tag("等级", "VIP")
    simulator.faults.add("externalcontact/*", "lost_reply")
    with pytest.raises(WeComUnavailable):
        gateway.mark_tags("zhang", "wm_li", add=[tag.id], remove=[])
    with pytest.raises(WeComUnavailable):
        gateway.send_welcome("code", WelcomeMessage("您好"))
    with pytest.raises(WeComUnavailable):
        gateway.list_follow_userids()
    assert calls_of(simulator, "externalcontact/mark_tag") == 1
    assert calls_of(simulator, "externalcontact/send_welcome_msg") == 1
    assert calls_of(simulator, "externalcontact/get_follow_user_list") == 2


@pytest.mark.parametrize("kind", ["down", "timeout", "http_502", "html", "lost_reply"])
def test_no_believable_answer_is_an_unknown_outcome(gateway: Gateway, simulator: Simulator, kind: str) -> None:
    gateway.list_follow_userids()
    simulator.faults.add("*", kind)
    with pytest.raises(WeComUnavailable) as caught:
        gateway.add_corp_tags(["短期"], group_name="偏好")
    assert caught.value.errcode is None
    assert caught.value.retryable


def test_the_tokens_of_two_apps_do_not_mix(make_gateway: MakeGateway, simulator: Simulator, gateway: Gateway) -> None:
    gateway.list_follow_userids()
    simulator.faults.set(customer_contact=False)
    with pytest.raises(WeComMisconfigured, match="可调用接口的应用"):
        gateway.list_follow_userids()
