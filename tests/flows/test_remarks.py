"""What a member notes on his friendship: saved here at once, written to WeCom, and never lost to a look."""

from collections.abc import Sequence
from typing import Any

import pytest
from sqlalchemy import select

from tests.flows.company import Company
from tests.flows.test_channels import crash, once
from wecom_app.errors import InvalidInput
from wecom_app.models import Relation, RemarkEdit, Staff
from wecom_app.services import access, cells, customers, library, remarks, rep_profile
from wecom_app.services.access import Viewer
from wecom_app.services.remarks import RemarkChange
from wecom_app.services.rep_views import RemarkView
from wecom_app.services.runtime import SimulatedCrash

pytestmark = pytest.mark.both

REMARK = "externalcontact/remark"


@pytest.fixture
def customer(company: Company) -> str:
    channel = company.make_channel(staff=["zhang"])
    found: str = company.simulator.scan(channel["config_id"], name="林晓芸")["external_userid"]
    company.settle()
    return found


def viewer(company: Company, userid: str = "zhang") -> Viewer:
    with company.runtime.read() as session:
        return access.staff_viewer(session, session.scalars(select(Staff).where(Staff.userid == userid)).one())


def write(company: Company, customer: str, /, **parts: Any) -> None:
    with company.runtime.write() as session:
        remarks.edit(session, library.context(company.runtime), viewer(company), customer, RemarkChange(**parts))


def here(company: Company, customer: str) -> RemarkView:
    with company.runtime.read() as session:
        found = rep_profile.load(session, viewer(company), customer, company.clock.now()).remark
    assert found is not None
    return found


def there(company: Company, customer: str) -> dict[str, Any]:
    (relation,) = [
        each
        for each in company.wecom_state()["relations"]
        if (each["external_userid"], each["userid"]) == (customer, "zhang")
    ]
    found = company.simulator.world.customers.relation("zhang", customer)
    assert found is not None
    assert relation["remark"] == found.remark
    return {
        "remark": found.remark,
        "description": found.description,
        "company": found.remark_company,
        "phones": found.remark_mobiles,
    }


def state(company: Company, customer: str) -> tuple[str, str | None]:
    found = here(company, customer).sync
    assert found is not None
    return found.state, found.reason


def in_wecom(company: Company, customer: str, /, **parts: Any) -> None:
    """Let zhang change it in WeCom's own client."""
    company.simulator.act("zhang", "remark", external_userid=customer, **parts)


def look(company: Company, customer: str) -> None:
    """Have the customer looked at."""
    with company.runtime.write() as session:
        cells.request_sync(session, company.runtime.queue, customers.find(session, customer).id)


def test_what_a_member_writes_shows_at_once_and_reaches_wecom(company: Company, customer: str) -> None:
    write(company, customer, remark="林姐", description="油皮，怕辣", company="示例商贸", phones=["138 0013 8000"])

    shown = here(company, customer)
    assert (shown.remark, shown.description, shown.company) == ("林姐", "油皮，怕辣", "示例商贸")
    assert shown.phones == ("13800138000",)
    assert state(company, customer) == ("pending", None)
    company.settle()
    assert there(company, customer) == {
        "remark": "林姐",
        "description": "油皮，怕辣",
        "company": "示例商贸",
        "phones": ["13800138000"],
    }
    assert state(company, customer) == ("synced", None)
    assert len(company.simulator.calls.of(REMARK)) == 1


def test_what_is_cleared_here_is_cleared_there(company: Company, customer: str) -> None:
    write(company, customer, remark="林姐", description="油皮", phones=["13800138000", "021-12345678"])
    company.settle()

    write(company, customer, remark="", description="", phones=[])
    company.settle()

    assert here(company, customer) == RemarkView("", "", (), "", here(company, customer).sync)
    assert (there(company, customer)["description"], there(company, customer)["phones"]) == ("", [])
    assert state(company, customer) == ("synced", None)


def test_nothing_new_is_nothing_to_write(company: Company, customer: str) -> None:
    write(company, customer, remark="", phones=[])
    company.settle()
    assert company.simulator.calls.of(REMARK) == []


def test_a_look_in_between_does_not_take_back_what_waits_to_be_written(company: Company, customer: str) -> None:
    company.simulator.faults.add(REMARK, "errcode", errcode=-1, times=2)
    write(company, customer, remark="林姐", phones=["13800138000"])
    company.settle()
    look(company, customer)
    company.settle()

    assert (here(company, customer).remark, here(company, customer).phones) == ("林姐", ("13800138000",))
    assert state(company, customer)[0] == "pending"
    company.settle_later(600, step=30)
    assert there(company, customer)["remark"] == "林姐"
    assert state(company, customer) == ("synced", None)


def test_a_later_edit_in_wecom_wins_even_while_ours_waits(company: Company, customer: str) -> None:
    write(company, customer, remark="这里写的", description="不变")
    company.clock.advance(30)
    in_wecom(company, customer, remark="后来在企业微信写的")
    company.settle()

    assert there(company, customer)["remark"] == here(company, customer).remark == "后来在企业微信写的"
    assert there(company, customer)["description"] == here(company, customer).description == "不变"
    assert state(company, customer)[0] == "synced"


def test_an_edit_of_ours_later_than_one_in_wecom_that_was_never_told_wins(company: Company, customer: str) -> None:
    company.simulator.faults.put({"callbacks": {"loss": 1.0}})
    in_wecom(company, customer, remark="先在企业微信写的")
    company.simulator.faults.put({})
    company.clock.advance(30)

    write(company, customer, remark="后写的")
    company.settle()

    assert there(company, customer)["remark"] == here(company, customer).remark == "后写的"


def test_a_change_in_wecom_after_ours_has_arrived_is_taken_over(company: Company, customer: str) -> None:
    write(company, customer, remark="林姐")
    company.settle()
    company.clock.advance(30)

    in_wecom(company, customer, remark="林总", remark_mobiles=["13900139000"])
    company.settle()

    shown = here(company, customer)
    assert (shown.remark, shown.phones) == ("林总", ("13900139000",))


def test_of_two_edits_in_a_row_the_last_one_stays(company: Company, customer: str) -> None:
    company.simulator.faults.add(REMARK, "errcode", errcode=-1, times=1)
    write(company, customer, remark="一", description="留着")
    company.runtime.queue.step()
    write(company, customer, remark="二")
    company.settle_later(300, step=30)

    assert there(company, customer)["remark"] == here(company, customer).remark == "二"
    assert there(company, customer)["description"] == "留着"
    assert state(company, customer) == ("synced", None)


def test_a_look_that_was_asked_for_before_the_edit_proves_nothing_about_it(company: Company, customer: str) -> None:
    in_wecom(company, customer, remark_mobiles=["13800138000"])
    done: list[str] = []

    def meanwhile(point: str) -> None:
        if point == "sync.after_look" and not done:
            done.append(point)
            in_wecom(company, customer, remark_mobiles=["13900139000"])
            write(company, customer, phones=["13800138000"])

    company.crash_hook = meanwhile
    look(company, customer)
    company.settle()

    assert done
    assert list(here(company, customer).phones) == there(company, customer)["phones"] == ["13800138000"]


@pytest.mark.parametrize("point", ["remark.before_call", "remark.after_call"])
def test_a_crash_around_the_call_loses_nothing(company: Company, customer: str, point: str) -> None:
    write(company, customer, remark="林姐")
    company.crash_hook = once(point, crash)
    with pytest.raises(SimulatedCrash):
        company.settle()
    company.restart()
    company.settle_later(300, step=30)

    assert there(company, customer)["remark"] == "林姐"
    assert state(company, customer) == ("synced", None)


def test_wecom_that_says_yes_and_does_nothing_is_asked_thrice_and_then_told_of(company: Company, customer: str) -> None:
    company.simulator.faults.add(REMARK, "silent_ok", times=3)
    write(company, customer, remark="林姐")
    company.settle_later(300, step=30)

    assert state(company, customer)[0] == "failed"
    assert (here(company, customer).remark, len(company.simulator.calls.of(REMARK))) == ("林姐", 3)
    write(company, customer, remark="林姐")
    company.settle()
    assert (there(company, customer)["remark"], state(company, customer)) == ("林姐", ("synced", None))


def test_a_refusal_is_shown_with_its_reason_and_the_words_stay(company: Company, customer: str) -> None:
    company.simulator.faults.add(REMARK, "errcode", errcode=84061, times=1)
    write(company, customer, remark="林姐")
    company.settle()

    found = state(company, customer)
    assert found[0] == "failed"
    assert found[1]
    assert here(company, customer).remark == "林姐"


def test_what_was_written_for_a_friendship_that_ended_is_not_carried_over(company: Company, customer: str) -> None:
    write(company, customer, remark="林姐")
    company.simulator.act("zhang", "delete_customer", external_userid=customer)
    company.simulator.run_until_idle()
    company.runtime.run_until_idle()
    company.clock.advance(60)
    company.simulator.act("zhang", "add", external_userid=customer)
    company.settle()

    assert company.simulator.calls.of(REMARK) == []
    with company.runtime.read() as session:
        assert session.scalars(select(RemarkEdit.state)).all() == ["void"]
    assert here(company, customer).sync is None


def test_a_channels_rule_leaves_a_members_own_remark(company: Company) -> None:
    channel = company.make_channel(staff=["zhang"], remark_rule="{source}")
    found: str = company.simulator.scan(channel["config_id"], name="林晓芸")["external_userid"]
    company.simulator.run_until_idle()
    while not company.get("/customers")["items"]:
        company.runtime.queue.step()
    write(company, found, remark="林姐")
    company.settle()

    assert there(company, found)["remark"] == "林姐"
    assert [item["status"] for item in company.get(f"/channels/{channel['id']}/remarks")["items"]] == ["kept"]


@pytest.mark.parametrize(
    ("parts", "named"),
    [
        ({"remark": "长" * 21}, "remark"),
        ({"description": "长" * 151}, "description"),
        ({"phones": ["12345"]}, "phones"),
        ({"phones": [f"1380013800{n}" for n in range(6)]}, "phones"),
        ({"company": "\x07"}, "company"),
    ],
    ids=["remark", "description", "phone", "phones", "company"],
)
def test_what_wecom_would_not_take_is_refused(
    company: Company, customer: str, parts: dict[str, str | Sequence[str]], named: str
) -> None:
    with pytest.raises(InvalidInput) as refused:
        write(company, customer, **parts)
    assert list(refused.value.details or {}) == [named]
    with company.runtime.read() as session:
        assert session.scalars(select(Relation.remark)).all() in (["林晓芸"], [None])
