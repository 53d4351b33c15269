"""A channel's life after its making: edited, refused, archived, restored."""

from typing import Any

import pytest
from alembic import command
from sqlalchemy import text

from tests.flows.company import Company
from wecom_app.db import Database
from wecom_app.migrations import runner
from wecom_app.services.runtime import SimulatedCrash

pytestmark = pytest.mark.both

UPDATE = "externalcontact/update_contact_way"
DELETE = "externalcontact/del_contact_way"


def patch(company: Company, channel: Any, body: Any, expect: int = 200) -> Any:
    answer = company.client.patch(f"/api/v1/channels/{channel['id']}", json=body, headers=company.headers)
    assert answer.status_code == expect, answer.get_data(as_text=True)
    return answer.get_json()


def read(company: Company, channel: Any) -> Any:
    return company.get(f"/channels/{channel['id']}")


def codes(company: Company) -> dict[str, Any]:
    """Return the live codes that WeCom has, by config_id."""
    return {code["config_id"]: code for code in company.wecom_state()["channels"]}


def there(company: Company, channel: Any) -> Any:
    return codes(company)[channel["config_id"]]


def sent(company: Company) -> list[str]:
    return [welcome["text"] for welcome in company.wecom_state()["welcomes"] if welcome["sent_at"]]


def scan(company: Company, channel: Any, **switches: Any) -> str:
    external_userid: str = company.simulator.scan(channel["config_id"], **switches)["external_userid"]
    company.settle()
    return external_userid


def test_new_staff_stand_behind_the_printed_code(company: Company) -> None:
    channel = company.make_channel()

    edited = patch(company, channel, {"staff": ["wang", "chen"]})

    assert (edited["staff"], edited["sync"]["state"]) == (["wang", "chen"], "synced")
    code = there(company, channel)
    assert (code["user"], code["qr_code"]) == (["wang", "chen"], channel["qr_code"])


def test_name_and_switches_reach_the_code(company: Company) -> None:
    channel = company.make_channel()

    patch(company, channel, {"name": "春季海报", "skip_verify": False, "exclusive": True})

    code = there(company, channel)
    assert (code["remark"], code["skip_verify"], code["is_exclusive"]) == ("春季海报", False, True)


def test_what_wecom_does_not_see_is_not_pushed(company: Company) -> None:
    channel = company.make_channel()
    tags = company.make_tags("护肤")

    changes = {"tags": tags, "source": "直播间", "welcome": {"text": "欢迎回来"}, "remark_rule": "{source}"}
    patch(company, channel, {**changes, "name": channel["name"], "staff": ["zhang"]})
    company.settle_later(70, step=35)

    assert not company.simulator.calls.of(UPDATE)
    external_userid = scan(company, channel)
    assert company.tags_here(external_userid) == {"护肤"}
    assert sent(company) == ["欢迎回来"]


def test_a_channel_named_only_by_its_source_follows_a_new_one(company: Company) -> None:
    channel = company.make_channel(source="门店")

    patch(company, channel, {"source": "直播间"})

    assert company.tags_here(scan(company, channel)) == {"直播间"}


def test_an_unknown_member_is_refused_and_nothing_changes(company: Company) -> None:
    channel = company.make_channel()
    before = read(company, channel), there(company, channel)

    refusal = patch(company, channel, {"staff": ["zhang", "nobody"], "name": "改名"}, expect=422)

    assert refusal["details"]["errcode"] == 40003
    company.settle_later(70, step=35)
    assert (read(company, channel), there(company, channel)) == before
    assert len(company.simulator.calls.of(UPDATE)) == 1


def test_a_refused_edit_leaves_another_persons_edit_alone(company: Company) -> None:
    channel = company.make_channel()
    company.crash_hook = once("channel.before_update", lambda: patch(company, channel, {"source": "直播间"}))

    patch(company, channel, {"staff": ["nobody"], "remark_rule": "{source}"}, expect=422)

    after = read(company, channel)
    assert (after["source"], after["staff"], after["remark_rule"]) == ("直播间", ["zhang"], None)


def test_of_two_edits_at_once_the_last_saved_stands_on_both_sides(company: Company) -> None:
    channel = company.make_channel()
    company.crash_hook = once("channel.before_update", lambda: patch(company, channel, {"staff": ["chen"]}))

    patch(company, channel, {"staff": ["wang"]})
    company.settle_later(70, step=35)

    assert read(company, channel)["staff"] == there(company, channel)["user"] == ["chen"]


def test_while_one_push_is_under_way_another_waits_for_its_turn(company: Company) -> None:
    channel = company.make_channel()
    company.crash_hook = once("channel.after_update", lambda: patch(company, channel, {"staff": ["chen"]}))

    patch(company, channel, {"staff": ["wang"]})

    assert len(company.simulator.calls.of(UPDATE)) == 1
    assert read(company, channel)["sync"]["state"] == "pending"
    company.settle_later(70, step=35)
    assert there(company, channel)["user"] == ["chen"]
    assert read(company, channel)["sync"]["state"] == "synced"


def once(point: str, act: Any) -> Any:
    """Return a crash hook that acts when the point is first reached."""
    reached: list[str] = []

    def hook(name: str) -> None:
        if name == point and not reached:
            reached.append(name)
            act()

    return hook


def test_edits_while_wecom_is_down_are_kept_and_the_last_one_arrives(company: Company) -> None:
    channel = company.make_channel()
    company.simulator.faults.add("*", "down", for_s=60)

    first = patch(company, channel, {"staff": ["wang"]})
    patch(company, channel, {"staff": ["wang", "chen"]})

    assert (first["sync"]["state"], first["staff"]) == ("pending", ["wang"])
    company.settle_later(200, step=20)
    assert there(company, channel)["user"] == ["wang", "chen"]
    assert read(company, channel)["sync"] == {"state": "synced", "reason": None}


def test_an_update_whose_reply_is_lost_ends_equal(company: Company) -> None:
    channel = company.make_channel()
    company.simulator.faults.add(UPDATE, "lost_reply", times=1)

    patch(company, channel, {"staff": ["wang"]})
    company.settle_later(30)

    assert there(company, channel)["user"] == ["wang"]
    assert read(company, channel)["sync"]["state"] == "synced"


def test_an_edit_taken_back_after_a_lost_reply_is_taken_back_at_wecom_too(company: Company) -> None:
    channel = company.make_channel()
    company.simulator.faults.add(UPDATE, "lost_reply", times=1)
    patch(company, channel, {"staff": ["wang"]})

    patch(company, channel, {"staff": ["zhang"]})
    company.settle_later(30)

    assert there(company, channel)["user"] == ["zhang"]


@pytest.mark.parametrize("point", ["channel.before_update", "channel.after_update"])
def test_an_edit_cut_short_by_a_crash_is_finished(company: Company, point: str) -> None:
    channel = company.make_channel()
    company.settle_later(70, step=70)
    company.crash_hook = once(point, crash)

    with pytest.raises(SimulatedCrash):
        patch(company, channel, {"staff": ["wang"]})
    company.restart()
    company.settle_later(130, step=65)

    assert read(company, channel)["staff"] == there(company, channel)["user"] == ["wang"]
    assert read(company, channel)["sync"]["state"] == "synced"


def crash() -> None:
    raise SimulatedCrash("here")


def test_a_code_deleted_elsewhere_is_shown_with_what_to_do_and_made_anew(company: Company) -> None:
    channel = company.make_channel(tags=company.make_tags("护肤"))
    company.runtime.wecom.delete_contact_way(channel["config_id"])

    edited = patch(company, channel, {"staff": ["wang"]})

    assert (edited["staff"], edited["sync"]["state"]) == (["wang"], "failed")
    assert "重新生成" in edited["sync"]["reason"]
    renewed = company.post(f"/channels/{channel['id']}/restore", {"new_code": True}, expect=200)
    assert renewed["config_id"] != channel["config_id"]
    assert (renewed["state"], renewed["sync"]["state"]) == (channel["state"], "synced")
    assert company.tags_here(scan(company, renewed)) == {"护肤"}


def test_the_state_of_a_channel_cannot_be_changed(company: Company) -> None:
    channel = company.make_channel(state="spring01")

    refusal = patch(company, channel, {"state": "spring02"}, expect=422)

    assert "state" in refusal["details"]
    assert read(company, channel)["state"] == "spring01"


def test_an_archived_channel_is_hidden_and_goes_on_tagging_and_welcoming(company: Company) -> None:
    channel = company.make_channel(tags=company.make_tags("护肤"))

    company.post(f"/channels/{channel['id']}/archive", {}, expect=200)

    assert company.get("/channels")["items"] == []
    assert [item["id"] for item in company.get("/channels?archived=true")["items"]] == [channel["id"]]
    assert company.tags_there(scan(company, channel)) == {"护肤"}
    assert sent(company) == ["您好"]
    assert not company.simulator.calls.of(DELETE)


def test_an_archived_channel_can_lose_its_code_and_keeps_its_state(company: Company) -> None:
    channel = company.make_channel(state="spring01")

    gone = company.post(f"/channels/{channel['id']}/archive", {"delete_code": True}, expect=200)

    assert codes(company) == {}
    assert (gone["config_id"], gone["sync"]["state"]) == (channel["config_id"], "local")
    again = {"name": "另一个", "source": "门店", "staff": ["zhang"], "state": "spring01"}
    assert company.post("/channels", again, expect=409)["error"] == "name_taken"


def test_a_code_is_deleted_once_wecom_can_be_reached(company: Company) -> None:
    channel = company.make_channel()
    company.simulator.faults.add(DELETE, "down", for_s=30)

    asked = company.post(f"/channels/{channel['id']}/archive", {"delete_code": True}, expect=200)

    assert asked["sync"]["state"] == "pending"
    company.settle_later(120, step=20)
    assert codes(company) == {}
    assert read(company, channel)["sync"]["state"] == "local"


def test_archiving_and_restoring_need_no_body(company: Company) -> None:
    channel = company.make_channel()

    for act, is_archived in (("archive", True), ("restore", False)):
        answer = company.client.post(f"/api/v1/channels/{channel['id']}/{act}", headers=company.headers)
        assert answer.status_code == 200, answer.get_data(as_text=True)
        assert (answer.get_json()["archived_at"] is not None) is is_archived


def test_a_refused_deletion_leaves_the_channel_as_it_was(company: Company) -> None:
    channel = company.make_channel()
    before = read(company, channel)
    company.simulator.faults.add(DELETE, "errcode", errcode=48002)

    company.post(f"/channels/{channel['id']}/archive", {"delete_code": True}, expect=422)

    assert read(company, channel) == before


def test_a_restored_channel_is_listed_again(company: Company) -> None:
    channel = company.make_channel()
    company.post(f"/channels/{channel['id']}/archive", {}, expect=200)

    restored = company.post(f"/channels/{channel['id']}/restore", {}, expect=200)

    assert restored["archived_at"] is None
    assert company.get("/channels")["items"] == [restored]


def test_channels_are_found_by_a_part_of_their_name(company: Company) -> None:
    for name in ("春季海报A", "春季海报b", "100%折扣"):
        company.make_channel(name=name)

    def named(query: str) -> list[str]:
        return [item["name"] for item in company.get(f"/channels?q={query}")["items"]]

    assert named("海报B") == ["春季海报b"]
    assert named("%25") == ["100%折扣"]
    page = company.get("/channels?q=春季&limit=1")
    assert [item["name"] for item in company.get(f"/channels?q=春季&cursor={page['next_cursor']}")["items"]] == [
        "春季海报A"
    ]


def test_the_migration_goes_both_ways_with_channels_in_place(database: Database) -> None:
    moment = 0 if database.is_sqlite else "2026-01-01T00:00:00Z"
    config = runner._config()

    def migrate(act: Any, revision: str) -> None:
        with database.engine.connect() as connection, connection.begin():
            config.attributes["connection"] = connection
            act(config, revision)

    migrate(command.downgrade, "0001")
    with database.write() as session:
        session.execute(
            text(
                "INSERT INTO channel (id, name, source, state, attachments, sync_state, created_at)"
                " VALUES (1, '海报', '门店', 's1', '[]', 'synced', :moment)"
            ),
            {"moment": moment},
        )
        session.execute(
            text("INSERT INTO staff (id, userid, userid_key, name, created_at) VALUES (1, 'A', 'a', '', :moment)"),
            {"moment": moment},
        )
        session.execute(text("INSERT INTO channel_staff VALUES (1, 1, 0)"))
    migrate(command.upgrade, "head")
    migrate(command.downgrade, "0001")
    migrate(command.upgrade, "head")

    with database.read() as session:
        row = session.execute(text("SELECT name, skip_verify, exclusive, code, remark_rule FROM channel")).one()
        assert tuple(row) == ("海报", True, False, "ours", None)
        assert session.execute(text("SELECT count(*) FROM channel_staff")).scalar_one() == 1
