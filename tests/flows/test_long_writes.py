"""What concerns everybody at once is written a page at a time, and a crash between two pages loses none."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from sqlalchemy import Engine, event, func, select

from tests.flows.company import Company
from tests.flows.definitions import call, names_there, open_row, rows, settle_row
from tests.flows.pulling import abandon, befriend, deafen, go_live, items, mark, pull, view
from tests.flows.test_mark_failures import edit, known_customer
from wecom_app.models import SyncRunItem, Tag, TagOperation
from wecom_app.services import library_burial, operation_voiding, run_items, runs
from wecom_app.services.runtime import SimulatedCrash

pytestmark = pytest.mark.both


def waiting_marks(company: Company, scans: int = 5) -> None:
    """Customers whose tag WeCom does not take now."""
    channel = company.make_channel(tags=company.make_tags("护肤"), staff=["zhang"])
    company.simulator.faults.add("externalcontact/mark_tag", "errcode", errcode=45009)
    for _ in range(scans):
        company.simulator.scan(channel["config_id"])
    company.settle()


def operations(company: Company) -> dict[str, int]:
    with company.runtime.read() as session:
        return dict(session.execute(select(TagOperation.state, func.count()).group_by(TagOperation.state)).all())


def ran(company: Company, kind: str) -> int:
    """Return how many jobs of a kind were done."""
    return len([job for job in company.get(f"/jobs?kind={kind}")["items"] if job["state"] == "done"])


@pytest.mark.parametrize("deed", ["tag deleted", "member left"])
def test_what_is_void_for_many_customers_is_closed_page_by_page(company: Company, monkeypatch: Any, deed: str) -> None:
    waiting_marks(company)
    monkeypatch.setattr(operation_voiding, "PAGE", 2)

    if deed == "tag deleted":
        company.simulator.act("admin", "group_delete", group="兴趣")
    else:
        company.simulator.act("admin", "resign", userid="zhang")
    company.settle()

    assert operations(company) == {"void": 5}
    assert ran(company, operation_voiding.KIND) == 2, "the first page went with the deed"


def test_pages_that_are_left_when_a_tag_lives_again_do_not_close_what_is_new(
    company: Company, monkeypatch: Any
) -> None:
    waiting_marks(company)
    monkeypatch.setattr(operation_voiding, "PAGE", 2)
    with company.runtime.write() as session:
        tag_id = session.scalars(select(Tag.id).where(Tag.name == "护肤")).one()
        now, queue = company.clock.now(), company.runtime.queue
        operation_voiding.begin(session, queue, tag_ids=[tag_id], reason="标签已在企业微信中删除", now=now)
        old = session.scalars(select(TagOperation).where(TagOperation.state == "pending")).all()
        for operation in old:
            operation.state, operation.closed_at = "superseded", now
        session.flush()
        session.add_all(
            TagOperation(
                customer_id=one.customer_id,
                relation_id=one.relation_id,
                tag_id=one.tag_id,
                ver=one.ver,
                state="pending",
                created_at=now,
            )
            for one in old
        )
    company.settle()

    assert operations(company) == {"void": 2, "superseded": 3, "pending": 3}


def test_an_approved_burial_goes_on_after_a_crash_between_two_parts(company: Company, monkeypatch: Any) -> None:
    monkeypatch.setattr(library_burial, "PART", 10)
    for group in ("甲组", "乙组", "丙组"):
        company.make_tags(*[f"{group}{number}" for number in range(8)], group=group)
    company.simulator.faults.put({"callbacks": {"hold": True}})
    for group in ("甲组", "乙组", "丙组"):
        company.simulator.act("admin", "group_delete", group=group)
    company.simulator.faults.put({})
    company.settle()
    with company.runtime.write() as session:
        (run,) = runs.list_runs(session, company.clock.now(), state="held")
        runs.approve(session, company.runtime.queue, run.id, "admin")
    met = list[str]()

    def crash(name: str) -> None:
        if name == "library.before_burial":
            met.append(name)
            if len(met) == 2:
                raise SimulatedCrash(name)

    company.crash_hook = crash
    with pytest.raises(SimulatedCrash):
        company.settle()
    with company.runtime.read() as session:
        assert session.execute(select(func.count()).where(Tag.gone_at.is_not(None))).scalar_one() == 8
    company.crash_hook = None
    company.restart()
    company.settle_later(900, step=60)

    assert view(company, run.id).counts == {"buried": 24, "kept": 0}
    assert view(company, run.id).state == "done"


ONE_ROW = [("deletion", "group", "兴趣", ("兴趣",), (), None)]


def deleted_group_to_be_buried(company: Company, monkeypatch: Any) -> str:
    """A group deleted in WeCom whose approved burial has stopped between two parts; return one of two who have tags."""
    monkeypatch.setattr(library_burial, "PART", 10)
    keys = company.make_tags(*[f"标签{number}" for number in range(24)])
    first, second = known_customer(company), known_customer(company)
    edit(company, first, add=[keys[0], keys[23]])
    edit(company, second, add=[keys[0]])
    company.settle_later(30)
    company.simulator.faults.put({"callbacks": {"hold": True}})
    company.simulator.act("admin", "group_delete", group="兴趣")
    company.simulator.faults.put({})
    company.settle()
    with company.runtime.write() as session:
        (run,) = runs.list_runs(session, company.clock.now(), state="held")
        runs.approve(session, company.runtime.queue, run.id, "admin")
    company.crash_hook = Nth("library.before_burial", 2)
    with pytest.raises(SimulatedCrash):
        company.settle()
    company.crash_hook = None
    return first


class Nth:
    """Stops the process at a crash point that is met the nth time."""

    def __init__(self, name: str, number: int) -> None:
        self.name, self.left = name, number

    def __call__(self, name: str) -> None:
        self.left -= name == self.name
        if self.left == 0:
            raise SimulatedCrash(name)


def gone(company: Company) -> int:
    with company.runtime.read() as session:
        return session.execute(select(func.count()).where(Tag.gone_at.is_not(None))).scalar_one()


def uses(company: Company) -> list[str]:
    """Return what relies on what was deleted, of every row about the library."""
    return [use for row in company.get("/sync/conflicts?subject=library")["items"] for use in row["uses"]]


def test_a_large_group_is_buried_in_parts_and_told_of_in_one_row_however_often_it_stops(
    company: Company, monkeypatch: Any
) -> None:
    deleted_group_to_be_buried(company, monkeypatch)
    assert (gone(company), rows(company), uses(company)) == (10, ONE_ROW, ["2 位客户"])

    company.restart()
    company.crash_hook = Nth("library.before_burial", 2)
    with pytest.raises(SimulatedCrash):
        company.settle_later(900, step=60)
    assert (gone(company), rows(company), uses(company)) == (20, ONE_ROW, ["2 位客户"])

    company.crash_hook = None
    company.restart()
    company.settle_later(900, step=60)
    assert (gone(company), rows(company), uses(company)) == (24, ONE_ROW, ["2 位客户"])


@pytest.mark.parametrize(("keep", "back"), [("ours", 24), ("theirs", 0)])
def test_a_word_on_a_large_group_that_is_said_between_its_parts_holds_for_all_of_it(
    company: Company, monkeypatch: Any, keep: str, back: int
) -> None:
    customer = deleted_group_to_be_buried(company, monkeypatch)

    settle_row(company, open_row(company), keep)
    company.restart()
    company.settle_later(900, step=60)

    assert len(names_there(company)) == back
    assert company.tags_there(customer) - {"来源未识别"} == ({"标签0", "标签23"} if back else set())
    assert [row[-1] for row in rows(company)] == [keep]


def test_a_group_made_anew_and_deleted_again_is_told_of_again(company: Company, monkeypatch: Any) -> None:
    deleted_group_to_be_buried(company, monkeypatch)
    company.restart()
    company.settle_later(900, step=60)
    settle_row(company, open_row(company), "ours")
    company.settle_later(60)
    assert len(names_there(company)) == 24

    company.simulator.act("admin", "group_delete", group="兴趣")
    company.settle()
    (held,) = company.get("/sync/runs?state=held")["items"]
    call(company, "POST", f"/sync/runs/{held['id']}/approve")
    company.settle_later(60)

    assert [row[-1] for row in rows(company)] == ["ours", None]
    assert uses(company) == ["2 位客户", "2 位客户"]


def test_a_long_list_is_rejected_page_by_page(company: Company, monkeypatch: Any) -> None:
    monkeypatch.setattr(run_items, "PAGE", 10)
    abandon(company)
    run = pull(company)
    assert len(items(company, run.id, "absent")) == 22

    with company.runtime.write() as session:
        runs.reject(session, company.runtime.queue, run.id, "admin", company.clock.now())
    company.settle()

    with company.runtime.read() as session:
        states = session.scalars(select(SyncRunItem.state).where(SyncRunItem.kind == "absent")).all()
    assert set(states) == {"rejected"}
    assert ran(company, runs.REJECT_KIND) == 2


@pytest.fixture
def written(company: Company) -> Iterator[list[str]]:
    """Every statement executed meanwhile in a write transaction."""
    found = list[str]()

    def note(connection: Any, _cursor: Any, text: str, _parameters: Any, _context: Any, _many: bool) -> None:
        if connection.engine is company.runtime.database.engine:
            found.append(text)

    event.listen(Engine, "before_cursor_execute", note)
    yield found
    event.remove(Engine, "before_cursor_execute", note)


def link_first(company: Company) -> None:
    company.simulator.act("admin", "group_create", group="渠道", names=["老客"])
    deafen(company)
    (shared,) = befriend(company, "zhang", 1)
    company.simulator.act("wang", "add", external_userid=shared)
    mark(company, "zhang", shared, "老客", group="渠道")
    go_live(company)
    assert pull(company, seconds=30).guard["first_link"]["push_marks"] == 1


def merge(company: Company) -> None:
    one, other = company.make_tags("护肤", "母婴")
    edit(company, known_customer(company), add=[one])
    assert call(company, "POST", f"/tags/{one}/merge", {"into": other}, 202)["expected"] == 1


def turn_single(company: Company) -> None:
    keys = company.make_tags("护肤", "母婴")
    edit(company, known_customer(company), add=keys)
    group = keys[0].rpartition(".")[0]
    refused = call(company, "PATCH", f"/tag-groups/{group}", {"selection": "single"}, 409)
    assert refused["details"] == {"customers": 1}
    assert call(company, "POST", f"/tag-groups/{group}/single", {}, 202)["expected"] == 1


def take_to_wecom(company: Company) -> None:
    keys = company.make_tags("护肤", mirror="none")
    edit(company, known_customer(company), add=keys)
    group = keys[0].rpartition(".")[0]
    refused = call(company, "PATCH", f"/tag-groups/{group}", {"scope": "relation"}, 409)
    assert refused["details"] == {"customers": 1}
    assert call(company, "POST", f"/tag-groups/{group}/mirror", {"mirror": "two_way"}, 202)["expected"] == 1


def delete_in_wecom(company: Company) -> None:
    keys = company.make_tags("护肤")
    edit(company, known_customer(company), add=keys)
    company.settle_later(30)
    company.simulator.act("admin", "tag_delete", group="兴趣", tag="护肤")
    company.settle_later(30)
    assert uses(company) == ["1 位客户"]


def archive(company: Company) -> None:
    (key,) = company.make_tags("护肤")
    edit(company, known_customer(company), add=[key])
    call(company, "POST", f"/tags/{key}/archive")


@pytest.mark.parametrize("deed", [link_first, merge, turn_single, take_to_wecom, delete_in_wecom, archive])
def test_nobody_waits_for_the_writer_while_customers_are_counted(
    company: Company, written: list[str], deed: Callable[[Company], None]
) -> None:
    deed(company)
    company.settle()

    assert [text for text in written if "count(" in text and "FROM customer_tag" in text] == []
