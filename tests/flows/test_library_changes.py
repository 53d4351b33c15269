"""What happens to WeCom's tag library behind our back, and how little of it may touch a customer."""

from typing import Any

import pytest
from sqlalchemy import select

from tests.flows.company import Company
from tests.flows.test_mark_failures import ADD_TAGS, MARK, edit, known_customer, sync_states
from wecom_app.models import SyncConflict, Tag, TagGroup
from wecom_app.services import runs

LIBRARY = "externalcontact/get_corp_tag_list"


@pytest.mark.parametrize("deletion", ["tag_delete", "group_delete", "last tag"])
def test_a_tag_deleted_in_wecom_is_never_made_again_by_itself(company: Company, deletion: str) -> None:
    keys = company.make_tags("护肤") if deletion == "last tag" else company.make_tags("护肤", "母婴")
    external_userid = known_customer(company)
    edit(company, external_userid, add=keys)
    company.settle()
    company.simulator.calls.clear()

    if deletion == "group_delete":
        company.simulator.act("admin", "group_delete", group="兴趣")
    else:
        company.simulator.act("admin", "tag_delete", group="兴趣", tag="护肤")
    company.settle()
    noticed = len(company.simulator.calls.of(MARK))
    company.simulator.act("zhang", "remark", external_userid=external_userid, remark="老客")
    company.settle_later(60)

    assert company.simulator.calls.of(ADD_TAGS) == []
    assert len(company.simulator.calls.of(MARK)) == noticed
    assert "护肤" not in company.tags_there(external_userid)


def test_deleting_one_of_two_tags_of_the_same_name_leaves_the_other_alone(company: Company) -> None:
    one, other = company.make_tags("重要", group="客户等级"), company.make_tags("重要", group="线索等级")
    external_userid = known_customer(company)
    edit(company, external_userid, add=[*one, *other])
    company.settle()

    company.simulator.act("admin", "tag_delete", group="客户等级", tag="重要")
    company.settle_later(30)

    tags = {tag["key"]: tag["sync"]["state"] for tag in company.get(f"/customers/{external_userid}")["tags"]}
    assert tags[other[0]] == "synced"
    assert "重要" in company.tags_there(external_userid)


@pytest.mark.both
def test_many_deletions_at_once_are_held_and_touch_no_customer(company: Company) -> None:
    """A tool that wipes the library in WeCom: more than 20 tags are not buried without approval."""
    keys = company.make_tags(*[f"标签{number}" for number in range(25)])
    (kept,) = company.make_tags("护肤", group="保留")
    external_userid = known_customer(company)
    edit(company, external_userid, add=keys)
    company.settle()
    before = company.tags_here(external_userid)

    company.simulator.act("admin", "group_delete", group="兴趣")
    company.settle()
    company.simulator.act("zhang", "remark", external_userid=external_userid, remark="老客")
    edit(company, external_userid, add=[kept])
    company.settle_later(30)

    assert company.tags_here(external_userid) == before | {"护肤"}
    assert "护肤" in company.tags_there(external_userid)
    with company.runtime.read() as session:
        assert session.execute(select(Tag.id).where(Tag.gone_at.is_not(None))).all() == []


def test_tags_that_are_gone_count_for_nothing_where_a_tenth_is_the_limit(company: Company) -> None:
    company.make_tags(*[f"旧{number}" for number in range(220)], group="旧标签")
    company.simulator.act("admin", "group_delete", group="旧标签")
    company.settle()
    with company.runtime.write() as session:
        held = runs.unfinished(session, "library")
        assert held is not None
        runs.approve(session, company.runtime.queue, held.id, "admin")
    company.settle()
    company.make_tags(*[f"标签{number}" for number in range(21)])

    company.simulator.act("admin", "group_delete", group="兴趣")
    company.settle()

    with company.runtime.read() as session:
        held = runs.unfinished(session, "library")
        assert held is not None
        assert held.guard["deletions"]["tags"] == 21


@pytest.mark.both
def test_held_deletions_are_listed_and_happen_once_a_person_approves_them(company: Company) -> None:
    company.make_tags(*[f"标签{number}" for number in range(25)])
    with company.runtime.write() as session:
        tags = dict(session.execute(select(Tag.name, Tag.id)).all())
    deleted = [f"标签{number}" for number in range(22)]
    company.simulator.faults.put({"callbacks": {"hold": True}})
    for name in deleted:
        company.simulator.act("admin", "tag_delete", group="兴趣", tag=name)
    company.simulator.faults.put({})
    company.settle()
    with company.runtime.read() as session:
        (run,) = runs.list_runs(session, company.clock.now(), state="held")
        preview = {int(item.subject) for item in runs.list_items(session, run.id)}
    assert preview == {tags[name] for name in deleted}

    with company.runtime.write() as session:
        runs.approve(session, company.runtime.queue, run.id, "admin")
    company.settle()

    with company.runtime.read() as session:
        assert set(session.scalars(select(Tag.id).where(Tag.gone_at.is_not(None)))) == preview
        assert runs.get_run(session, run.id, company.clock.now()).counts == {"buried": 22, "kept": 0}


@pytest.mark.parametrize("kind", ["silent_ok", "partial"])
def test_an_answer_that_leaves_out_what_was_asked_about_buries_no_tag(company: Company, kind: str) -> None:
    keys = company.make_tags("护肤", "母婴")
    external_userid = known_customer(company)
    edit(company, external_userid, add=keys)
    company.settle()
    company.simulator.faults.add(LIBRARY, kind, times=4)

    company.simulator.act("admin", "shuffle")
    company.settle_later(60)

    assert company.tags_here(external_userid) >= {"护肤", "母婴"}
    with company.runtime.read() as session:
        assert session.execute(select(Tag.id).where(Tag.gone_at.is_not(None))).all() == []


@pytest.mark.both
def test_a_tag_made_anew_under_its_name_is_another_tag_of_the_same_group(company: Company) -> None:
    company.make_tags("护肤", selection="single")
    company.simulator.faults.put({"callbacks": {"hold": True}})
    company.simulator.act("admin", "tag_delete", group="兴趣", tag="护肤")
    company.simulator.act("admin", "tag_create", group="兴趣", name="护肤")
    company.simulator.faults.put({})
    company.settle_later(30)

    with company.runtime.read() as session:
        tags = session.execute(select(Tag).where(Tag.name == "护肤").order_by(Tag.id)).scalars().all()
        groups = session.execute(select(TagGroup).where(TagGroup.name == "兴趣")).scalars().all()
    assert [tag.gone_at is None for tag in tags] == [False, True]
    assert [(group.selection, group.wecom_group_id) for group in groups] == [("single", groups[0].wecom_group_id)]
    assert tags[1].group_id == groups[0].id


def conflicts(company: Company) -> list[str]:
    with company.runtime.read() as session:
        return list(session.execute(select(SyncConflict.kind).order_by(SyncConflict.id)).scalars())


def test_where_wecom_follows_us_an_edit_there_is_put_back_and_noted_once(company: Company) -> None:
    keys = company.make_tags("护肤", mirror="push")
    external_userid = known_customer(company)
    edit(company, external_userid, add=keys)
    company.settle()

    remove(company, external_userid)

    assert "护肤" in company.tags_there(external_userid) & company.tags_here(external_userid)
    assert conflicts(company) == ["policy"]


def test_where_we_follow_wecom_nothing_is_pushed_and_what_it_shows_stands(company: Company) -> None:
    company.make_tags("母婴", group="占位")
    company.simulator.act("admin", "group_create", group="兴趣", names=["护肤"])
    company.settle()
    with company.runtime.write() as session:
        group = session.execute(select(TagGroup).where(TagGroup.name == "兴趣")).scalar_one()
        group.mirror = "pull"
        key = session.execute(select(Tag.key).where(Tag.group_id == group.id)).scalar_one()
    external_userid = known_customer(company)
    company.simulator.calls.clear()

    edit(company, external_userid, add=[key])
    company.simulator.act("zhang", "remark", external_userid=external_userid, remark="老客")
    company.settle_later(30)
    here_after_an_edit = "护肤" in company.tags_here(external_userid)
    company.simulator.act("zhang", "mark", external_userid=external_userid, add=[{"group": "兴趣", "tag": "护肤"}])
    company.settle_later(30)

    assert (here_after_an_edit, "护肤" in company.tags_here(external_userid)) == (False, True)
    assert company.simulator.calls.of(MARK) == []


def remove(company: Company, external_userid: str) -> None:
    marked: Any = [{"group": "兴趣", "tag": "护肤"}]
    company.simulator.act("zhang", "mark", external_userid=external_userid, remove=marked)
    company.settle_later(30)


def test_a_push_that_had_no_effect_leaves_one_row_and_no_more(company: Company) -> None:
    keys = company.make_tags("护肤")
    external_userid = known_customer(company)
    company.simulator.faults.add(MARK, "silent_ok", times=1)

    edit(company, external_userid, add=keys)
    company.settle_later(30)

    assert conflicts(company) == ["repush"]
    assert set(sync_states(company, external_userid).values()) == {"synced"}


def test_callbacks_lost_doubled_and_shuffled_leave_nothing_that_one_pass_does_not_find(company: Company) -> None:
    names = ["护肤", "母婴", "数码"]
    company.make_tags(*names)
    customers = [known_customer(company) for _ in range(6)]
    company.simulator.faults.put({"callbacks": {"loss": 0.3, "duplicates": 2, "reorder": True}})
    for number in range(24):
        tag = {"group": "兴趣", "tag": names[number % 3]}
        turn = {"add": [tag]} if number < 18 else {"remove": [tag]}
        company.simulator.act("zhang", "mark", external_userid=customers[number % 6], **turn)
        company.clock.advance(1)
    company.settle_later(30)
    company.simulator.faults.put({})

    for external_userid in customers:
        company.simulator.act("zhang", "remark", external_userid=external_userid, remark="复查")
    company.settle_later(30)

    for external_userid in customers:
        assert company.tags_here(external_userid) == company.tags_there(external_userid)
