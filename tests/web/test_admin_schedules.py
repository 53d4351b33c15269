"""The console's schedules: written with a preview, run, paused with a way back, and what a run came to."""

from typing import Any

from tests.flows.company import Company
from tests.web.browsing import Browser, local_admin, member
from wecom_app.domain.access import Role
from wecom_app.services import schedules

HOME = "/admin/schedules"
FORM = {"kind": "library", "name": "核对标签库", "cron": "30 9 * * 1-5", "time_zone": "Asia/Shanghai"}
MORE = {"misfire_grace_s": "3600", "coalesce": "yes", "jitter": "0"}


def send(browser: Browser, path: str = "/new", **form: Any) -> Any:
    return browser.send("POST", HOME + path, form=form, Accept="text/html")


def text(browser: Browser, path: str = "") -> str:
    return browser.get(HOME + path).get_data(as_text=True)


def test_a_schedule_is_made_edited_and_fires_at_its_new_time(company: Company) -> None:
    admin = local_admin(company)
    assert send(admin, **FORM, **MORE).status_code == 303
    made = company.get("/schedules")["items"][-1]
    assert (made["words"], made["misfire_grace_s"], made["coalesce"]) == ("每周一至周五 09:30", 3600, True)

    one = f"/{made['id']}"
    assert "每周一至周五 09:30" in text(admin, one)
    assert send(admin, one, **{**FORM, **MORE, "cron": "5 10 * * *", "coalesce": "no"}, version="1").status_code == 303
    company.clock.advance(300)
    schedules.fire_due(company.runtime)
    company.settle()
    assert company.get(f"/schedules{one}")["last_run"]["state"] == "done"
    page = text(admin, one)
    assert "11月23日 10:05" in page
    assert "标签 0" in page


def test_a_refused_form_is_shown_again_with_what_to_change(company: Company) -> None:
    admin = local_admin(company)
    for wrong, told in (
        ({"cron": "0 9 * *"}, "现在有 4 段"),
        ({"cron": ""}, "请填写执行时间"),
        ({"jitter": "soon"}, "请填数字"),
        ({"jitter": "nan"}, "请填数字"),
        ({"jitter": "1e999"}, "请填数字"),
        ({"misfire_grace_s": "-1"}, "允许晚 0 到 7 天"),
        ({"name": ""}, "名称要有 1 到 40 个字"),
    ):
        refused = send(admin, **{**FORM, **MORE, **wrong})
        assert refused.status_code == 422, wrong
        assert told in refused.get_data(as_text=True)
    before = company.get("/schedules")["items"]
    one = f"/{before[0]['id']}"
    assert send(admin, one, **{**FORM, **MORE}, version="1").status_code == 303
    stale = send(admin, one, **{**FORM, **MORE, "name": "旧"}, version="1")
    assert (stale.status_code, "已被他人修改" in stale.get_data(as_text=True)) == (409, True)


def test_what_was_paused_or_removed_is_offered_back(company: Company) -> None:
    ops = member(company, "zhang", Role.OPS)
    one = company.get("/schedules")["items"][0]["id"]
    for verb, back, told in (("pause", "resume", "计划已暂停"), ("remove", "restore", "计划已删除")):
        done = send(ops, f"/{one}/{verb}")
        page = ops.get(done.location).get_data(as_text=True)
        assert told in page
        assert f'action="{HOME}/{one}/{back}"' in page
        assert send(ops, f"/{one}/{back}").status_code == 303
    assert company.get(f"/schedules/{one}")["enabled"]


def test_a_run_is_seen_while_it_lasts_and_its_end_renews_the_page(company: Company) -> None:
    admin = local_admin(company)
    one = next(item["id"] for item in company.get("/schedules")["items"] if item["kind"] == "directory")
    assert send(admin, f"/{one}/run").location.endswith(f"notice=schedule.started&of={one}")
    assert send(admin, f"/{one}/run").location.endswith("notice=schedule.busy")
    waiting = admin.get(f"{HOME}/{one}/last-run")
    assert "等待执行" in waiting.get_data(as_text=True)
    assert "HX-Refresh" not in waiting.headers
    company.settle()
    ended = admin.get(f"{HOME}/{one}/last-run")
    assert ended.headers["HX-Refresh"] == "true"
    assert "成员 3" in ended.get_data(as_text=True)
    assert send(admin, f"/{one}/stop").location.endswith("notice=schedule.idle")


def test_a_time_that_found_nothing_to_do_is_told_apart_from_never_and_a_hand_from_the_clock(company: Company) -> None:
    admin = local_admin(company)
    (one,) = [each for each in company.get("/schedules")["items"] if each["kind"] == "expiry"]
    before = text(admin, f"/{one['id']}/last-run")
    assert "还没有执行过" in before
    company.clock.advance(120)
    schedules.fire_due(company.runtime)
    after = text(admin, f"/{one['id']}/last-run")
    assert "11月23日 10:02 看过，没有要处理的" in after
    assert "还没有执行过" not in after

    company.client.post(f"/api/v1/schedules/{one['id']}/run", json={}, headers=company.headers)
    company.settle()
    assert "看过" not in text(admin, f"/{one['id']}/last-run")


def test_the_preview_says_what_is_meant_and_what_is_wrong(company: Company) -> None:
    admin = local_admin(company)
    assert "每周日 09:00" in text(admin, "/preview?cron=0 9 * * 0&time_zone=Asia/Shanghai")
    assert "2028年2月29日 周二 09:00" in text(admin, "/preview?cron=0 9 29 2 *&time_zone=")
    assert "11月29日 周日 09:00" in text(admin, "/preview?cron=0 9 * * 7&time_zone=")
    assert "「分钟」要在 0 到 59 之间" in text(admin, "/preview?cron=99 9 * * 7")
    assert "没有这个时区" in text(admin, "/preview?cron=0 9 * * 7&time_zone=Mars")


def test_without_schedules_the_page_says_what_they_are_for(company: Company) -> None:
    admin = local_admin(company)
    for item in company.get("/schedules")["items"]:
        send(admin, f"/{item['id']}/remove")
    assert "新建第一个计划" in text(admin)
