"""Tags of WeCom that the library cannot take in are listed with the reason, until nothing is in the way any more."""

import pytest

from tests.flows.company import Company
from tests.flows.definitions import call
from wecom_app.services import library, runs
from wecom_app.simulator.tags import TagGroup

LIST = "externalcontact/get_corp_tag_list"


def outside(company: Company) -> list[tuple[str, str, str, str | None]]:
    items = company.get("/sync/unlinked")["items"]
    return [(item["group"], item["name"], item["obstacle"], item["holder_key"]) for item in items]


def make_there(company: Company, group: str, *names: str) -> None:
    company.simulator.act("admin", "group_create", group=group, names=list(names))


def make_twin(company: Company) -> TagGroup:
    """Leave WeCom with two groups of one name, 兴趣; return the second, which stays outside."""
    make_there(company, "兴趣", "护肤")
    make_there(company, "爱好", "徒步")
    company.settle()
    company.simulator.faults.put({"callbacks": {"loss": 1.0}})
    make_there(company, "户外", "徒步")
    twin = company.simulator.world.tags.group_named("户外")
    assert twin is not None
    twin.name = "兴趣"
    company.simulator.faults.put({})
    library.pull(company.runtime, {})
    return twin


@pytest.mark.both
def test_a_second_group_of_one_name_is_listed_and_comes_in_once_it_has_another_name(company: Company) -> None:
    twin = make_twin(company)
    key = next(group["key"] for group in company.get("/tag-groups")["items"] if group["name"] == "兴趣")
    assert outside(company) == [("兴趣", "徒步", "group_name", key)]

    twin.name = "户外"
    library.pull(company.runtime, {})
    assert outside(company) == []
    assert {"户外", "兴趣"} <= {group["name"] for group in company.get("/tag-groups")["items"]}


@pytest.mark.both
def test_a_group_that_stands_here_alone_keeps_wecoms_of_its_name_out_until_it_is_mirrored(company: Company) -> None:
    company.make_tags("金卡", group="等级", mirror="none")
    (group,) = company.get("/tag-groups")["items"]
    key = group["key"]
    make_there(company, "等级", "金卡", "银卡")
    company.settle()
    assert outside(company) == [("等级", "金卡", "not_mirrored", key), ("等级", "银卡", "not_mirrored", key)]

    call(company, "PATCH", f"/tag-groups/{key}", {"mirror": "two_way"})
    company.settle_later(60)
    assert outside(company) == []


def test_a_group_that_is_no_longer_mirrored_leaves_its_new_tags_outside_on_purpose(company: Company) -> None:
    company.make_tags("护肤")
    (group,) = company.get("/tag-groups")["items"]
    call(company, "PATCH", f"/tag-groups/{group['key']}", {"mirror": "none"})
    company.simulator.act("admin", "tag_create", group="兴趣", names=["母婴"])
    company.settle()
    assert outside(company) == []


def test_a_tag_whose_name_a_deleted_one_holds_points_to_the_run_that_asks(company: Company) -> None:
    company.make_tags(*[f"标签{number}" for number in range(25)])
    company.simulator.faults.put({"callbacks": {"hold": True}})
    for number in range(22):
        company.simulator.act("admin", "tag_delete", group="兴趣", tag=f"标签{number}")
    company.simulator.act("admin", "tag_create", group="兴趣", names=["标签0"])
    company.simulator.faults.put({})
    company.settle()
    with company.runtime.read() as session:
        (run,) = runs.list_runs(session, company.clock.now(), state="held")
    (item,) = company.get("/sync/unlinked")["items"]
    assert (item["name"], item["obstacle"], item["run_id"]) == ("标签0", "deletion", run.id)

    with company.runtime.write() as session:
        runs.approve(session, company.runtime.queue, run.id, "admin")
    company.runtime.run_until_idle(max_steps=1)
    assert [entry[2] for entry in outside(company)] == ["none"]
    company.settle()
    assert outside(company) == []


@pytest.mark.both
@pytest.mark.parametrize("kind", ["silent_ok", "partial"])
def test_an_empty_or_short_list_takes_nothing_off(company: Company, kind: str) -> None:
    make_twin(company)
    before = company.get("/sync/unlinked")
    company.simulator.faults.add(LIST, kind, times=12)
    company.simulator.act("admin", "shuffle")
    company.settle_later(60)
    assert company.get("/sync/unlinked") == before


@pytest.mark.both
def test_what_is_deleted_there_is_no_longer_outside(company: Company) -> None:
    twin = make_twin(company)
    company.simulator.world.tags.delete_group(twin)
    library.pull(company.runtime, {})
    assert outside(company) == []


def test_a_pass_over_what_stays_outside_writes_nothing(company: Company) -> None:
    make_twin(company)
    before = company.get("/sync/unlinked")
    company.clock.advance(3600)
    library.pull(company.runtime, {})
    assert company.get("/sync/unlinked") == before
