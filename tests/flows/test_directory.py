"""Members, departments and leaders follow WeCom; who leaves takes no pushes with him."""

from typing import Any

import pytest
from sqlalchemy import select

from tests.flows.company import Company
from wecom_app.models import Department, DepartmentMember, Relation, Staff, TagOperation
from wecom_app.services import directory, schedules

pytestmark = pytest.mark.both


def pull(company: Company) -> None:
    with company.runtime.write() as session:
        directory.request_pull(session, company.runtime.queue)
    company.settle()


def people(company: Company) -> dict[str, Any]:
    with company.runtime.read() as session:
        return {row.userid: row for row in session.execute(select(Staff)).scalars()}


def test_a_pull_brings_departments_members_and_leaders(company: Company) -> None:
    company.simulator.act("admin", "create_department", id=7, name="门店一部")
    company.simulator.act("admin", "update_member", userid="wang", department=[7])
    company.simulator.act("admin", "update_department", id=7, leaders=["wang"])

    pull(company)

    with company.runtime.read() as session:
        names = {row.id: row.name for row in session.execute(select(Department)).scalars()}
        leaders = session.execute(
            select(Staff.userid, DepartmentMember.department_id)
            .join(DepartmentMember, DepartmentMember.staff_id == Staff.id)
            .where(DepartmentMember.is_leader)
        ).all()
    assert names[7] == "门店一部"
    assert [tuple(row) for row in leaders] == [("wang", 7)]
    assert people(company)["zhang"].name == "张伟"


def test_a_deleted_department_disappears_with_its_places(company: Company) -> None:
    company.simulator.act("admin", "create_department", id=7, name="门店一部")
    company.settle()
    company.simulator.act("admin", "delete_department", id=7)
    company.settle()

    with company.runtime.read() as session:
        assert session.get(Department, 7) is None


def test_a_renamed_member_stays_the_same_person(company: Company) -> None:
    channel = company.make_channel(staff=["zhang"])
    company.simulator.scan(channel["config_id"])
    company.settle()

    company.simulator.act("admin", "update_member", userid="zhang", new_userid="zhangwei")
    company.settle()

    assert {userid for userid in people(company) if userid.startswith("zhang")} == {"zhangwei"}
    (customer,) = company.get("/customers")["items"]
    assert customer["relations"][0]["userid"] == "zhangwei"


def test_what_waited_for_a_member_who_leaves_is_void(company: Company) -> None:
    channel = company.make_channel(tags=company.make_tags("护肤"), staff=["zhang"])
    company.simulator.faults.add("externalcontact/mark_tag", "errcode", errcode=45009)
    company.simulator.scan(channel["config_id"])
    company.settle()

    company.simulator.act("admin", "resign", userid="zhang")
    company.settle()

    assert people(company)["zhang"].status == "left"
    with company.runtime.read() as session:
        states = set(session.execute(select(TagOperation.state)).scalars())
    assert states == {"void"}


def test_a_failed_hand_over_says_why(company: Company) -> None:
    channel = company.make_channel(staff=["zhang"])
    external_userid = company.simulator.scan(channel["config_id"])["external_userid"]
    company.settle()

    company.simulator.act(
        "admin",
        "transfer",
        external_userid=external_userid,
        handover_userid="zhang",
        takeover_userid="wang",
        result="refuse",
    )
    company.settle()

    with company.runtime.read() as session:
        assert session.execute(select(Relation.transfer_failure)).scalar_one() == "customer_refused"
    assert company.get(f"/customers/{external_userid}")["state"] == "active"


def test_a_customer_handed_over_keeps_his_source_and_gets_his_tags_on_the_new_relation(company: Company) -> None:
    channel = company.make_channel(tags=company.make_tags("护肤"), staff=["zhang"])
    external_userid = company.simulator.scan(channel["config_id"])["external_userid"]
    company.settle()
    company.clock.advance(60)

    company.simulator.act(
        "admin",
        "transfer",
        external_userid=external_userid,
        handover_userid="zhang",
        takeover_userid="wang",
        result="accept",
    )
    company.settle()

    customer = company.get(f"/customers/{external_userid}")
    by_userid = {relation["userid"]: relation for relation in customer["relations"]}
    assert by_userid["zhang"]["lost_by"] == "transfer"
    assert by_userid["wang"]["lost_at"] is None
    assert company.tags_here(external_userid) == {"护肤"}
    assert company.tags_there(external_userid, "wang") == {"护肤"}


def test_a_half_added_customer_whose_acceptance_event_is_lost_is_found_by_a_later_look(company: Company) -> None:
    channel = company.make_channel(tags=company.make_tags("护肤"))
    external_userid = company.simulator.scan(channel["config_id"], half=True, confirm=False)["external_userid"]
    company.settle()
    company.simulator.act("zhang", "confirm_add", external_userid=external_userid, silent=True)

    company.settle_later(90, step=30)

    assert company.tags_there(external_userid) == {"护肤"}


@pytest.mark.parametrize("change_type", ["balance_low", "link_unavailable", "quota_expire_soon"])
def test_acquisition_events_are_handled_and_change_nothing(company: Company, change_type: str) -> None:
    company.simulator.act("system", "unknown_event", event="customer_acquisition", change_type=change_type)
    company.settle()

    (event,) = company.get("/inbox")["items"]
    assert event["state"] == "done"


def waiting(company: Company) -> list[tuple[str, Any]]:
    with company.runtime.read() as session:
        found = company.runtime.queue.list_jobs(session, state="waiting", limit=200).items
    return sorted((job.kind, job.run_at) for job in found if job.kind.startswith("directory"))


def test_everything_is_read_at_the_first_start_and_then_every_night(company: Company) -> None:
    directory.request_first(company.runtime)
    directory.request_first(company.runtime)
    assert [kind for kind, _ in waiting(company)] == [directory.PULL_KIND]
    company.settle()
    assert people(company)["chen"].name == "陈静"

    company.simulator.act("admin", "create_department", id=9, name="新门店")
    company.hold_callbacks()
    company.simulator.run_until_idle()
    company.clock.advance(86_400)
    schedules.fire_due(company.runtime)
    company.settle()
    with company.runtime.read() as session:
        assert session.get(Department, 9) is not None


def test_a_first_pull_that_brings_nothing_is_not_asked_for_all_the_time(company: Company) -> None:
    company.simulator.faults.put({"rules": [{"api": "department/list", "kind": "errcode", "errcode": 48002}]})
    for _ in range(3):
        directory.request_first(company.runtime)
        company.settle()
    asked = [call for call in company.simulator.calls.since(0, 1000)[0] if call.api == "department/list"]
    assert len(asked) == 1
