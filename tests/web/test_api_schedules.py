"""`/api/v1/schedules`: read, made, changed, run, stopped, removed and brought back."""

from typing import Any

import pytest

from tests.flows.company import Company
from wecom_app.services import schedules

pytestmark = pytest.mark.both
MAKE = {"kind": "library", "name": "核对标签库", "cron": "30 9 * * 1-5"}


def change(company: Company, path: str, body: Any) -> Any:
    return company.client.patch(f"/api/v1{path}", json=body, headers=company.headers)


def test_a_schedule_is_made_seen_with_its_words_and_times_and_changed(company: Company) -> None:
    made = company.post("/schedules", MAKE)
    assert (made["words"], made["time_zone"], made["enabled"], made["version"]) == (
        "每周一至周五 09:30",
        "Asia/Shanghai",
        True,
        1,
    )
    assert made["upcoming"][:2] == ["2026-11-24T01:30:00.000Z", "2026-11-25T01:30:00.000Z"]
    assert len(made["upcoming"]) == 5
    one = f"/schedules/{made['id']}"
    changed = change(company, one, {"version": 1, "cron": "@monthly", "jitter_s": 900})
    assert changed.get_json()["words"] == "每月 1 日 00:00"
    assert company.get(one) == changed.get_json() == company.get("/schedules")["items"][-1]
    stale = change(company, one, {"version": 1, "name": "旧"})
    assert (stale.status_code, stale.get_json()["error"]) == (409, "stale_edit")


def test_a_run_by_hand_is_followed_to_its_counts(company: Company) -> None:
    company.make_tags("护肤")
    one = f"/schedules/{company.post('/schedules', MAKE)['id']}"
    begun = company.post(f"{one}/run", {}, expect=200)
    assert (begun["last_run"]["state"], begun["last_run"]["asked_by"]) == ("waiting", "tests")
    assert company.post(f"{one}/run", {}, expect=409)["message"] == "正在执行，等这一次结束后再试"
    company.settle()
    (run,) = company.get(f"{one}/runs")["items"]
    assert (run["state"], run["counts"], run["errors"]) == ("done", {"groups": 1, "tags": 1}, [])
    assert company.get(one)["last_run"] == run


def test_a_waiting_run_is_stopped(company: Company) -> None:
    one = f"/schedules/{company.post('/schedules', MAKE)['id']}"
    company.post(f"{one}/stop", {}, expect=409)
    company.post(f"{one}/run", {}, expect=200)
    assert company.post(f"{one}/remove", {}, expect=409)["message"] == "正在执行，请先停止再删除"
    assert company.post(f"{one}/stop", {}, expect=200)["last_run"]["state"] == "stopped"


def test_pausing_resuming_removing_and_restoring(company: Company) -> None:
    made = company.post("/schedules", MAKE)
    one = f"/schedules/{made['id']}"
    paused = company.post(f"{one}/pause", {}, expect=200)
    assert (paused["enabled"], paused["next_at"], paused["upcoming"]) == (False, None, [])
    assert company.post(f"{one}/resume", {}, expect=200)["next_at"] == made["next_at"]
    company.post(f"{one}/remove", {}, expect=200)
    assert company.client.get(f"/api/v1{one}", headers=company.headers).status_code == 404
    assert company.post(f"{one}/restore", {}, expect=200)["next_at"] == made["next_at"]
    company.post("/schedules/999/restore", {}, expect=404)


def test_runs_are_paged_newest_first(company: Company) -> None:
    one = f"/schedules/{company.post('/schedules', {**MAKE, 'cron': '0 * * * *'})['id']}"
    for _ in range(3):
        company.clock.advance(3600)
        schedules.fire_due(company.runtime)
        company.settle()
    first = company.get(f"{one}/runs?limit=2")
    rest = company.get(f"{one}/runs?limit=2&cursor={first['next_cursor']}")
    times = [run["fire_at"][11:16] for run in [*first["items"], *rest["items"]]]
    assert (times, rest["next_cursor"]) == (["05:00", "04:00", "03:00"], None)


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"cron": "61 * * * *"}, "cron"),
        ({"kind": "poem"}, "kind"),
        ({"time_zone": "Mars/Base"}, "time_zone"),
        ({"cron": "* * * * *", "jitter_s": 60}, "jitter_s"),
    ],
)
def test_a_wrong_schedule_is_refused_by_field(company: Company, wrong: dict[str, Any], field: str) -> None:
    assert list(company.post("/schedules", {**MAKE, **wrong}, expect=422)["details"]) == [field]


def test_an_expression_is_explained_before_it_is_used(company: Company) -> None:
    found = company.get("/schedules/preview?cron=0 9 * * 7&time_zone=UTC")
    assert (found["words"], found["upcoming"][0]) == ("每周日 09:00", "2026-11-29T09:00:00.000Z")
    kinds = {kind["key"]: kind for kind in company.get("/schedules/kinds")["items"]}
    assert kinds["digest"]["words"] == "每周五 17:45"
