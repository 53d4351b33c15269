"""The console's frame and first page: who gets in, what needs a person, and the figures of the day."""

import pytest
from sqlalchemy import update

from tests.flows.company import Company
from tests.web.browsing import local_admin, member
from wecom_app.domain.access import Role
from wecom_app.models import Alert, CustomerTag
from wecom_app.services.ports import ContactWayDraft


def text_of(company: Company, path: str) -> str:
    page = local_admin(company).get(path)
    assert page.status_code == 200, page.get_data(as_text=True)
    return page.get_data(as_text=True)


def scan(company: Company) -> None:
    company.simulator.scan(company.make_channel(tags=company.make_tags("高意向"))["config_id"])
    company.settle()


def test_an_unknown_state_waits_for_a_person(company: Company) -> None:
    code = company.runtime.wecom.add_contact_way(ContactWayDraft(("zhang",), "old-tool-7", "旧工具"))
    company.simulator.scan(code.config_id)
    company.settle()
    shown = text_of(company, "/admin")
    assert "个渠道 state 不认识" in shown
    assert '<span class="nav-badge">1<' in shown


def test_what_alerts_say_and_what_cannot_be_pushed_is_on_the_first_page(company: Company) -> None:
    scan(company)
    now = company.clock.now()
    with company.runtime.write() as session:
        session.execute(update(CustomerTag).values(dead=True))
        session.add_all(
            Alert(key=key, firing=firing, told_level=0, level=1, words=words, since=now, seen_at=now)
            for key, firing, words in (
                ("disk", True, "磁盘只剩 3%"),
                ("token", False, "已经好了"),
                ("dead_cells", True, "重复的"),
            )
        )
    shown = text_of(company, "/admin")
    assert "磁盘空间：磁盘只剩 3%" in shown
    assert "位客户的标签同步失败" in shown
    assert '<span class="nav-badge">2<' in shown
    assert "已经好了" not in shown
    assert "重复的" not in shown


def test_the_first_page_counts_the_day_and_nothing_needs_a_person_while_all_is_well(company: Company) -> None:
    scan(company)
    shown = text_of(company, "/admin")
    assert "<dt>今日新客户</dt><dd>1<" in shown
    assert "一切正常" in shown
    assert "nav-badge" not in shown


def test_yesterdays_customers_are_not_counted_today(company: Company) -> None:
    scan(company)
    company.clock.advance(86_400)
    assert "<dt>今日新客户</dt><dd>0<" in text_of(company, "/admin")


@pytest.mark.parametrize(("roles", "status"), [((), 403), ((Role.OPS,), 200), ((Role.AUDITOR,), 200)])
def test_the_console_is_for_those_who_run_the_system(company: Company, roles: tuple[Role, ...], status: int) -> None:
    assert member(company, "zhang", *roles).get("/admin").status_code == status
