"""The console's sync pages: what a held run waits for, who may say yes, what came of it, and what failed."""

from typing import Any

from tests.flows.company import Company
from tests.flows.pulling import befriend, begin, deafen, go_live, mark, pull, states, view, wiped
from tests.flows.test_mark_failures import MARK, edit, known_customer
from tests.web.browsing import Browser, local_admin, member
from wecom_app.domain.access import Role

HOME = "/admin/sync"


def send(browser: Browser, path: str, **form: Any) -> Any:
    return browser.send("POST", HOME + path, form=form, Accept="text/html")


def text(browser: Browser, path: str = "") -> str:
    answer = browser.get(HOME + path)
    assert answer.status_code == 200
    return answer.get_data(as_text=True)


def test_a_held_run_shows_what_it_would_do_and_does_it_once_approved_and_undoes_it(company: Company) -> None:
    customers = wiped(company)
    admin = local_admin(company)
    run = pull(company)
    assert 'class="nav-badge">1<' in text(admin)
    page = text(admin, f"/runs/{run.id}")
    assert "<strong>22</strong> 个标签（现有 22 个" in page
    assert f"/admin/customers/{customers[0]}" in page
    assert "护肤" in page

    approved = send(admin, f"/runs/{run.id}/approve")
    assert "已确认，正在执行" in admin.get(approved.location).get_data(as_text=True)
    company.settle_later(60)
    assert company.tags_here(customers[0]) == set()
    assert "已核对" in text(admin, f"/runs/{run.id}")

    undo = send(admin, f"/runs/{run.id}/undo").location.split("?")[0].removeprefix(HOME)
    company.settle_later(60)
    assert "已恢复</dt><dd>22" in text(admin, undo)
    assert company.tags_here(customers[0]) == {"护肤"}
    assert f"{HOME}/runs/{run.id}/undo" not in text(admin, f"/runs/{run.id}")


def test_a_rejected_run_changes_nothing_and_cannot_go_on(company: Company) -> None:
    customers = wiped(company)
    ops = member(company, "zhang", Role.OPS)
    run = pull(company)
    assert send(ops, f"/runs/{run.id}/reject").status_code == 303
    assert company.tags_here(customers[0]) == {"护肤"}
    page = text(ops, f"/runs/{run.id}")
    assert "待确认的内容都没有执行" in page
    assert f"/runs/{run.id}/resume" not in page
    assert send(ops, f"/runs/{run.id}/resume").location.endswith("notice=sync.refused")
    assert view(company, run.id).state == "stopped"


def test_ops_sees_no_customer_and_an_auditor_no_button(company: Company) -> None:
    customers = wiped(company)
    run = pull(company)
    for_ops = text(member(company, "zhang", Role.OPS), f"/runs/{run.id}")
    assert "一位客户" in for_ops
    assert customers[0] not in for_ops
    assert "客户0" not in for_ops
    auditor = member(company, "chen", Role.AUDITOR)
    for path in ("", f"/runs/{run.id}"):
        page = text(auditor, path)
        assert f'action="{HOME}' not in page


def test_the_first_pull_says_what_it_would_write_before_it_does(company: Company) -> None:
    company.simulator.act("admin", "group_create", group="兴趣", names=["护肤"])
    deafen(company)
    (shared,) = befriend(company, "zhang", 1)
    company.simulator.act("wang", "add", external_userid=shared)
    mark(company, "zhang", shared, "护肤")
    go_live(company)
    run = pull(company)

    page = text(local_admin(company), f"/runs/{run.id}")
    assert "<strong>1</strong> 个标签，写到 1 条好友关系" in page
    assert "这是第一次同步" in page


def test_a_run_that_changed_nothing_offers_no_undo(company: Company) -> None:
    run = pull(company)
    assert run.state == "done"
    assert f"/runs/{run.id}/undo" not in text(local_admin(company), f"/runs/{run.id}")


def test_a_pull_is_begun_once_watched_stopped_and_gone_on_with(company: Company) -> None:
    deafen(company)
    befriend(company, "zhang", 3)
    go_live(company)
    admin = local_admin(company)
    one = send(admin, "/start").location.split("?")[0].removeprefix(HOME)
    assert send(admin, "/start").location.endswith("notice=sync.busy")
    assert "等待开始" in text(admin, f"{one}/progress")
    assert send(admin, f"{one}/stop").status_code == 303
    assert admin.get(f"{HOME}{one}/progress").headers["HX-Refresh"] == "true"
    company.settle()
    assert states(company) == {}
    assert send(admin, f"{one}/resume").status_code == 303
    company.settle()
    assert len(states(company)) == 3
    assert "读到的好友关系</dt><dd>3" in text(admin, one)


def test_failed_tags_are_listed_by_reason_and_tried_again(company: Company) -> None:
    (key,) = company.make_tags("护肤")
    customer = known_customer(company)
    company.simulator.faults.add(MARK, "silent_ok", times=3)
    edit(company, customer, add=[key])
    company.settle_later(600, step=30)
    admin = local_admin(company)
    page = text(admin)
    (failure,) = company.get("/sync/failures")["items"]
    assert failure["reason"] in page
    assert send(admin, "/revive", reason=failure["reason"]).location.endswith("notice=sync.revived")
    company.settle_later(60)
    assert "护肤" in company.tags_there(customer)
    assert send(admin, "/revive").location.endswith("notice=sync.none_failed")


def test_what_waits_is_pushed_at_once(company: Company) -> None:
    (key,) = company.make_tags("护肤")
    customer = known_customer(company)
    admin = local_admin(company)
    assert send(admin, "/push").location.endswith("notice=sync.none_waiting")
    edit(company, customer, add=[key])
    assert f'action="{HOME}/push"' in text(admin)
    assert send(admin, "/push").location.endswith("notice=sync.pushed")
    company.settle()
    assert "护肤" in company.tags_there(customer)
    assert f'action="{HOME}/push"' not in text(admin)


def test_the_history_has_pages_and_an_unknown_run_is_not_found(company: Company) -> None:
    admin = local_admin(company)
    assert "还没有同步过" in text(admin)
    for _ in range(21):
        run_id = begin(company)
        send(admin, f"/runs/{run_id}/stop")
    page = text(admin)
    assert f"全量同步 {run_id}<" in page
    assert "全量同步 1<" not in page
    assert "全量同步 1<" in text(admin, "?before=2")
    assert admin.get(f"{HOME}/runs/99").status_code == 404


def test_source_tags_are_counted_given_and_taken_back(company: Company) -> None:
    deafen(company)
    (customer,) = befriend(company, "zhang", 1, add_way=3)
    befriend(company, "wang", 1, add_way=202)
    go_live(company)
    admin, auditor = local_admin(company), member(company, "chen", Role.AUDITOR)
    assert "没有接入之前的客户" in text(admin, "/sources/preview")
    pull(company)
    page = text(admin, "/sources/preview")
    assert "名片分享" in page
    assert "同事转来 1，还没读到来源 0" in page
    assert "开始补打" not in text(auditor, "/sources/preview")

    run = send(admin, "/sources").location.split("?")[0].removeprefix(HOME)
    assert send(admin, "/sources").location.endswith("notice=sync.busy")
    assert "查看进度" in text(admin, "/sources/preview")
    company.settle_later(30)
    assert "补打标签</dt><dd>1" in text(admin, run)
    assert company.tags_there(customer) == {"名片分享"}
    send(admin, f"{run}/undo")
    company.settle_later(30)
    assert company.tags_there(customer) == set()


def test_tags_that_wecom_has_and_the_library_has_not_are_listed_with_what_to_do(company: Company) -> None:
    admin = local_admin(company)
    assert "没有落下的标签" in text(admin, "/unlinked")
    company.make_tags("金卡", group="等级", mirror="none")
    company.simulator.act("admin", "group_create", group="等级", names=["金卡", "<b>银卡</b>"])
    company.settle()
    assert "有 2 个标签没有收进标签库" in text(admin)
    page = text(admin, "/unlinked")
    assert "&lt;b&gt;银卡" in page
    assert "改为同步后，两边就接上" in page
    (group,) = company.get("/tag-groups")["items"]
    assert f"/admin/tags/groups/{group['key']}" in page
    assert "/admin/tags/groups" not in text(member(company, "zhang", Role.OPS), "/unlinked")
