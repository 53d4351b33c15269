"""Full pulls in tests: customers from before go-live, callbacks that never came, and a pull taken to its end."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import update

from tests.flows.company import Company
from wecom_app.models import Deployment
from wecom_app.services import runs
from wecom_app.services.runs import RunView

PAGES = "externalcontact/batch/get_by_user"
MEMBERS = "externalcontact/get_follow_user_list"
GET = "externalcontact/get"


def deafen(company: Company) -> None:
    """Let no callback through any more."""
    company.simulator.faults.put({"callbacks": {"loss": 1.0}})


def go_live(company: Company) -> None:
    """Let the deployment begin now: whatever friendship there is is older."""
    company.clock.advance(3600)
    with company.runtime.write() as session:
        session.execute(update(Deployment).values(created_at=company.clock.now()))


def befriend(company: Company, userid: str, count: int, **more: Any) -> list[str]:
    """Return so many new customers of a member."""
    return [
        company.simulator.act(userid, "add", name=f"客户{number}", **more)["external_userid"] for number in range(count)
    ]


def mark(company: Company, userid: str, external_userid: str, *names: str, group: str = "兴趣") -> None:
    """Let a member put tags on in WeCom."""
    tags = [{"group": group, "tag": name} for name in names]
    company.simulator.act(userid, "mark", external_userid=external_userid, add=tags)


def unmark(company: Company, userid: str, external_userid: str, *names: str, group: str = "兴趣") -> None:
    tags = [{"group": group, "tag": name} for name in names]
    company.simulator.act(userid, "mark", external_userid=external_userid, remove=tags)


def begin(company: Company) -> int:
    """Ask for a full pull; return its number."""
    with company.runtime.write() as session:
        return runs.start_pull(session, company.runtime.queue, "tests", company.clock.now()).id


def pull(company: Company, *, seconds: float = 0) -> RunView:
    """Run a full pull as far as it goes by itself."""
    run_id = begin(company)
    company.settle_later(seconds)
    return view(company, run_id)


def view(company: Company, run_id: int) -> RunView:
    with company.runtime.read() as session:
        return runs.get_run(session, run_id, company.clock.now())


def items(company: Company, run_id: int, kind: str) -> Sequence[runs.ItemView]:
    with company.runtime.read() as session:
        return runs.list_items(session, run_id, kind=kind, limit=1000)


def states(company: Company) -> dict[str, str]:
    """Return whether each customer is active or lost."""
    listed = company.get("/customers?limit=200")["items"]
    return {one["external_userid"]: one["state"] for one in listed}


def wiped(company: Company) -> list[str]:
    """Return 22 customers, from all of whom a tag was taken off in WeCom since the first pull, unheard."""
    company.simulator.act("admin", "group_create", group="兴趣", names=["护肤"])
    deafen(company)
    customers = befriend(company, "zhang", 22)
    for external_userid in customers:
        mark(company, "zhang", external_userid, "护肤")
    go_live(company)
    pull(company)
    for external_userid in customers:
        unmark(company, "zhang", external_userid, "护肤")
    return customers


def abandon(company: Company) -> None:
    """Let a member delete his 22 customers after a first pull, unheard: so many that a pull asks."""
    deafen(company)
    customers = befriend(company, "zhang", 22)
    go_live(company)
    pull(company)
    for external_userid in customers:
        company.simulator.act("zhang", "delete_customer", external_userid=external_userid)
