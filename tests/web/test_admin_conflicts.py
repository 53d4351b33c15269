"""The console's disagreements: both sides in words, settled singly or many at once, looked up afterwards."""

from typing import Any

from sqlalchemy import insert, select

from tests.flows.company import Company
from tests.flows.test_sync_conflicts import crossed, disputed
from tests.web.browsing import Browser, local_admin, member
from wecom_app.domain.access import Role
from wecom_app.models import SyncConflict, Tag, TagGroup

HOME = "/admin/conflicts"


def text(browser: Browser, query: str = "") -> str:
    return browser.get(HOME + query).get_data(as_text=True)


def send(browser: Browser, **form: Any) -> str:
    answer = browser.send("POST", HOME, form=form, Accept="text/html")
    assert answer.status_code == 303
    return browser.get(answer.location).get_data(as_text=True)


def renamed(company: Company) -> int:
    """Write down that a tag bears two names; return the disagreement's number."""
    with company.runtime.write() as session:
        tag = session.scalars(select(Tag).join(TagGroup).where(TagGroup.name == "兴趣")).first()
        assert tag is not None
        row = SyncConflict(
            kind="name",
            tag_id=tag.id,
            ours={"value": "护肤"},
            theirs={"value": "肌肤护理"},
            created_at=company.clock.now(),
        )
        session.add(row)
        session.flush()
        return row.id


def test_a_disagreement_is_shown_with_names_and_settled_by_the_button_beside_it(company: Company) -> None:
    customer, conflict = disputed(company)
    admin = local_admin(company)
    page = text(admin)
    assert "1 条等您决定" in page
    assert "选择</th>" not in page
    assert f"/admin/customers/{customer}" in page
    assert "「护肤」· zhang 名下" in page
    assert "改了不跟随企业微信的标签" in page

    assert "已采纳企业微信的值" in send(admin, keep=f"theirs:{conflict}")
    company.settle_later(30)
    assert "护肤" not in company.tags_here(customer) | company.tags_there(customer)
    assert "两边一致" in text(admin)
    done = text(admin, "?state=settled")
    assert "采纳企业微信<br>" in done
    assert "root" in done
    assert "已经处理过了" in send(admin, keep=f"ours:{conflict}")


def test_ticked_ones_are_settled_together_about_marks_and_the_library(company: Company) -> None:
    customer, conflict = disputed(company)
    other = renamed(company)
    admin = local_admin(company)
    page = text(admin)
    assert "肌肤护理" in page
    assert "没有选中任何一条" in send(admin, keep="ours")
    assert "已保留系统里的值" in send(admin, keep="ours", ids=[conflict, other])
    company.settle_later(30)
    assert "护肤" in company.tags_there(customer)
    assert {one["resolution"] for one in company.get("/sync/conflicts")["items"]} == {"ours"}


def test_the_list_is_narrowed_by_what_it_is_about_and_by_customer(company: Company) -> None:
    crossed(company)
    renamed(company)
    admin = local_admin(company)
    assert "肌肤护理" not in text(admin, "?about=mark")
    assert "肌肤护理" in text(admin, "?about=library")
    assert "推送后又变了</td>" not in text(admin, "?about=repush")
    assert "没有符合这些条件的不一致" in text(admin, "?q=查无此人")
    assert "肌肤护理" in text(admin, "?q=护肤&about=library")
    back = admin.send("POST", HOME, form={"keep": "ours", "about": "mark", "q": "护"}, Accept="text/html")
    assert "about=mark" in back.location
    assert "还没有处理过的" in text(admin, "?state=settled")


def test_an_auditor_only_looks(company: Company) -> None:
    disputed(company)
    auditor = member(company, "chen", Role.AUDITOR)
    page = text(auditor)
    assert "「护肤」· zhang 名下" in page
    assert 'name="keep"' not in page
    assert "1 条等管理员决定" in page


def test_the_list_has_pages(company: Company) -> None:
    _, conflict = disputed(company)
    with company.runtime.write() as session:
        row = session.get_one(SyncConflict, conflict)
        columns = ("kind", "customer_id", "relation_id", "tag_id", "ours", "theirs", "created_at")
        session.execute(insert(SyncConflict), [{name: getattr(row, name) for name in columns} for _ in range(31)])
    admin = local_admin(company)
    assert text(admin).count('box" name="ids"') == 30
    assert text(admin, f"?before={conflict + 2}").count('box" name="ids"') == 2
