"""The console's schedules: written with a preview, run, paused with a way back, and what a run came to."""

from typing import Any

from tests.flows.company import Company
from tests.web.browsing import Browser, form_on, local_admin, member
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
    before = company.get("/schedules")["items"]
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
    assert company.get("/schedules")["items"] == before


def test_who_saves_second_sees_what_the_first_saved_and_may_save_over_it(company: Company) -> None:
    admin = local_admin(company)
    one = f"/{company.get('/schedules')['items'][0]['id']}"
    assert send(admin, one, **{**FORM, **MORE, "coalesce": "no"}, version="1").status_code == 303
    late = send(admin, one, **{**FORM, **MORE, "name": "旧", "cron": "0 6 * * *"}, version="1")
    page = late.get_data(as_text=True)
    assert (late.status_code, "已被他人修改" in page) == (409, True)
    for told in ("名称：现在是「核对标签库」", "执行时间：现在是「30 9 * * 1-5」", "错过多次：现在是「每次都补」"):
        assert told in page
    assert "时区：现在是" not in page
    assert send(admin, one, **form_on(late, "schedule-form")).status_code == 303
    saved = company.get(f"/schedules{one}")
    assert (saved["name"], saved["cron"], saved["coalesce"]) == ("旧", "0 6 * * *", True)


def test_saving_a_form_as_it_is_shown_changes_nothing(company: Company) -> None:
    admin = local_admin(company)
    for before in company.get("/schedules")["items"]:
        one = f"/{before['id']}"
        assert send(admin, one, **form_on(admin.get(HOME + one), "schedule-form")).status_code == 303
        assert company.get(f"/schedules{one}") == before
    delay = {**FORM, **MORE, "jitter": "999"}
    assert 'id="error-jitter">随机推迟 0 到 6 小时' in send(admin, **delay).get_data(as_text=True)


def test_an_auditor_sees_schedules_and_their_runs_and_can_change_nothing(company: Company) -> None:
    auditor, admin = member(company, "zhang", Role.AUDITOR), local_admin(company)
    one = company.get("/schedules")["items"][0]
    send(admin, f"/{one['id']}/run")
    company.settle()
    send(admin, f"/{company.get('/schedules')['items'][-1]['id']}/remove")
    for path, shown in (("", one["words"]), (f"/{one['id']}", "执行记录")):
        page = text(auditor, path)
        assert shown in page
        navigation, main = page.split("<main")
        assert 'href="/admin/schedules"' in navigation
        main = main.split("</main>")[0]
        assert ("<button" in main, "新建" in main) == (False, False), path
    assert '<fieldset class="stack plain" disabled>' in text(auditor, f"/{one['id']}")
    assert "完成" in text(auditor, f"/{one['id']}/last-run")


def test_a_removed_schedule_can_be_brought_back_after_its_notice_has_gone(company: Company) -> None:
    admin = local_admin(company)
    one = company.get("/schedules")["items"][0]
    assert "已删除" not in text(admin)
    send(admin, f"/{one['id']}/remove")
    page = text(admin)
    assert "已删除 1 个" in page
    assert f'aria-label="恢复「{one["name"]}」"' in page
    send(admin, f"/{one['id']}/restore")
    assert "已删除" not in text(admin)


def test_times_typed_in_full_width_are_understood_and_kept_as_cron(company: Company) -> None:
    admin = local_admin(company)
    assert "每周一至周五 09:30" in text(admin, "/preview?cron=３０　９ ＊ ＊ １-５&time_zone=")
    assert send(admin, **{**FORM, **MORE, "cron": "３０　９ ＊ ＊ １，３"}).status_code == 303
    made = company.get("/schedules")["items"][-1]
    assert made["cron"] == "30 9 * * 1,3"
    assert send(admin, f"/{made['id']}", **{**FORM, **MORE, "cron": "０ ８ ＊ ＊ ＊"}, version="1").status_code == 303
    assert company.get(f"/schedules/{made['id']}")["cron"] == "0 8 * * *"


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
