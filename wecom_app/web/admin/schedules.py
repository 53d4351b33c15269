"""`/admin/schedules`: what is done by the clock: seen, changed, run now, stopped, and what came of it."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, fields, replace
from datetime import datetime
from zoneinfo import ZoneInfo

from flask import Blueprint, make_response, render_template, request
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from wecom_app.domain.access import Role
from wecom_app.domain.cron_words import WEEKDAYS
from wecom_app.domain.days import local
from wecom_app.errors import Conflict, InvalidInput, StaleEdit
from wecom_app.services import audit, run_history, schedule_runs, schedule_times, schedules
from wecom_app.services.schedule_kinds import KINDS
from wecom_app.services.schedule_runs import STATE_WORDS, RunView
from wecom_app.services.schedules import ScheduleDraft, ScheduleEdit, ScheduleView
from wecom_app.web.admin import notices, stale
from wecom_app.web.session import current_viewer, signed_in
from wecom_app.web.state import runtime

READ = (Role.ADMIN, Role.AUDITOR, Role.OPS)
ACT = (Role.ADMIN, Role.OPS)
SHOWN_RUNS = 20
LARGEST = 1e6
"""Beyond any bound that a schedule has."""
GRACES = [
    (300, "5 分钟"),
    (1_800, "30 分钟"),
    (3_600, "1 小时"),
    (21_600, "6 小时"),
    (43_200, "12 小时"),
    (86_400, "1 天"),
    (604_800, "7 天"),
]
COALESCE_WORDS = {"yes": "只补一次", "no": "每次都补"}
LABELS = {
    "name": "名称",
    "cron": "执行时间",
    "time_zone": "时区",
    "misfire_grace_s": "错过时最多晚多久仍补做",
    "coalesce": "错过多次",
    "jitter": "随机推迟（分钟）",
}
EXAMPLES = ("15 2 * * *", "0 9 * * 1-5", "30 8 * * 1", "*/15 9-18 * * *", "0 6 1 * *")


@dataclass(frozen=True)
class Typed:
    """What the form shows: a schedule as it is saved, or as somebody has just written it."""

    kind: str = ""
    name: str = ""
    cron: str = ""
    time_zone: str = ""
    misfire_grace_s: str = str(schedules.GRACE_S)
    coalesce: str = "yes"
    jitter: str = "0"
    """Minutes."""
    version: str = ""


def register(blueprint: Blueprint) -> None:
    """Add the pages."""
    add = blueprint.add_url_rule
    add("/schedules", "schedules", list_all)
    add("/schedules/preview", "schedules_preview", preview)
    add("/schedules/new", "schedules_new", new)
    add("/schedules/new", "schedules_create", create, methods=["POST"])
    add("/schedules/<int:schedule_id>", "schedules_one", one)
    add("/schedules/<int:schedule_id>", "schedules_save", save, methods=["POST"])
    add("/schedules/<int:schedule_id>/last-run", "schedules_last_run", last_run)
    for name, view in (
        ("run", run_now),
        ("stop", stop),
        ("pause", pause),
        ("resume", resume),
        ("remove", remove),
        ("restore", restore),
    ):
        add(f"/schedules/<int:schedule_id>/{name}", f"schedules_{name}", view, methods=["POST"])


@signed_in(*READ)
def list_all() -> str:
    """All schedules with their words, next times and last results."""
    with runtime().read() as session:
        found = schedules.list_schedules(session, runtime().queue, runtime().clock.now())
        removed = schedules.list_removed(session)
        people = _people(session, [view.last_run for view in found])
    rows = [(view, _times(view)) for view in found]
    return render_template("admin/schedules/list.html", rows=rows, removed=removed, people=people, **_words())


@signed_in(*READ)
def last_run(schedule_id: int) -> Response:
    """What came of the last run, asked for again and again while it is under way; its end renews the page."""
    view = _view(schedule_id)
    with runtime().read() as session:
        people = _people(session, [view.last_run])
    page = render_template("admin/schedules/_last_run.html", view=view, run=view.last_run, people=people, **_words())
    answer = make_response(page)
    if not view.is_going:
        answer.headers["HX-Refresh"] = "true"
    return answer


@signed_in(*ACT)
def preview() -> str:
    """What the expression typed means, and its next five times."""
    text, zone = request.args.get("cron", "")[:200], request.args.get("time_zone", "")[:64].strip()
    return render_template("admin/schedules/_preview.html", **_preview(text, zone or runtime().settings.time_zone))


@signed_in(*ACT)
def new() -> str:
    """The form of a schedule that is yet to be made."""
    return _form(None, Typed(time_zone=runtime().settings.time_zone), {})


@signed_in(*ACT)
def create() -> str | Response | tuple[str, int]:
    """Make a schedule from the form, or show the form again with what is wrong."""
    typed = _typed()

    def act(session: Session, now: datetime) -> int:
        edit = _read(typed)
        draft = ScheduleDraft(typed.kind, **{name: value for name, value in asdict(edit).items() if value is not None})
        return schedules.create(session, draft, _actor(), now).id

    return _carry(None, typed, act, "create", "schedule.created")


@signed_in(*READ)
def one(schedule_id: int) -> str:
    """The form of a schedule, and its runs."""
    view = _view(schedule_id)
    return _form(view, _typed_of(view), {})


@signed_in(*ACT)
def save(schedule_id: int) -> str | Response | tuple[str, int]:
    """Change a schedule by the form; what it does stays what it was made for."""
    view = _view(schedule_id)
    typed = replace(_typed(), kind=view.kind)

    def act(session: Session, now: datetime) -> int:
        version = int(typed.version) if typed.version.isascii() and typed.version.isdigit() else None
        return schedules.edit(session, schedule_id, _read(typed), _actor(), now, version=version).id

    return _carry(view, typed, act, "edit", "schedule.saved")


@signed_in(*ACT)
def run_now(schedule_id: int) -> Response:
    """Begin a run at once."""
    queue = runtime().queue
    return _act(
        schedule_id,
        "run",
        "started",
        lambda session, now: schedules.run_now(session, queue, schedule_id, _actor(), now),
    )


@signed_in(*ACT)
def stop(schedule_id: int) -> Response:
    """Ask the run under way to stop."""

    def act(session: Session, now: datetime) -> None:
        schedules.get(session, schedule_id, lock=True)
        schedule_runs.stop(session, runtime().queue, schedule_id, now)

    return _act(schedule_id, "stop", "stopping", act)


@signed_in(*ACT)
def pause(schedule_id: int) -> Response:
    """Have it fire no more; the notice offers the way back."""
    return _act(
        schedule_id, "pause", "paused", lambda session, now: schedules.pause(session, schedule_id, _actor(), now)
    )


@signed_in(*ACT)
def resume(schedule_id: int) -> Response:
    """Have it fire again."""
    return _act(
        schedule_id, "resume", "resumed", lambda session, now: schedules.resume(session, schedule_id, _actor(), now)
    )


@signed_in(*ACT)
def remove(schedule_id: int) -> Response:
    """Take it away; the notice offers the way back."""
    queue = runtime().queue
    return _act(
        schedule_id,
        "remove",
        "removed",
        lambda session, now: schedules.remove(session, queue, schedule_id, _actor(), now),
    )


@signed_in(*ACT)
def restore(schedule_id: int) -> Response:
    """Bring a removed one back."""
    return _act(
        schedule_id, "restore", "restored", lambda session, now: schedules.restore(session, schedule_id, _actor(), now)
    )


def _act(schedule_id: int, verb: str, done: str, act: Callable[[Session, datetime], object]) -> Response:
    now = runtime().clock.now()
    try:
        with runtime().write() as session:
            act(session, now)
            audit.record(session, current_viewer(), f"schedule.{verb}", f"schedule:{schedule_id}", now=now)
    except Conflict:
        return notices.back_to("admin.schedules", "schedule.busy" if verb != "stop" else "schedule.idle")
    return notices.back_to("admin.schedules", f"schedule.{done}", schedule_id)


def _carry(
    view: ScheduleView | None, typed: Typed, act: Callable[[Session, datetime], int], verb: str, notice: str
) -> str | Response | tuple[str, int]:
    now = runtime().clock.now()
    try:
        with runtime().write() as session:
            audit.record(session, current_viewer(), f"schedule.{verb}", f"schedule:{act(session, now)}", now=now)
    except StaleEdit as error:
        assert view is not None, "only what is there can be outdated"
        now_there = _typed_of(_view(view.id))
        told = stale.problems(_read_out(now_there), _read_out(typed), LABELS)
        return _form(view, replace(typed, version=now_there.version), told), error.http_status
    except InvalidInput as error:
        return _form(view, typed, _problems(error)), error.http_status
    return notices.back_to("admin.schedules", notice)


def _form(view: ScheduleView | None, typed: Typed, problems: dict[str, str]) -> str:
    runs: Sequence[RunView] = ()
    people: dict[str, str] = {}
    if view is not None:
        with runtime().read() as session:
            runs = schedule_runs.list_runs(session, runtime().queue, view.id, limit=SHOWN_RUNS)
            people = _people(session, runs)
    return render_template(
        "admin/schedules/form.html",
        schedule=view,
        typed=typed,
        problems=problems,
        runs=runs,
        people=people,
        kinds=KINDS,
        graces=_graces(typed.misfire_grace_s),
        coalesce_words=COALESCE_WORDS,
        examples=[(text, schedule_times.preview(text, "UTC", runtime().clock.now()).words) for text in EXAMPLES],
        preview=_preview(typed.cron, typed.time_zone) if typed.cron else None,
        **_words(),
    )


def _people(session: Session, runs: Iterable[RunView | None]) -> dict[str, str]:
    """Return the names of those who asked for runs by hand."""
    return run_history.names_of(session, [run.asked_by for run in runs if run is not None])


def _view(schedule_id: int) -> ScheduleView:
    with runtime().read() as session:
        schedule = schedules.get(session, schedule_id)
        return schedules.view(session, runtime().queue, schedule, runtime().clock.now())


def _preview(text: str, zone: str) -> dict[str, object]:
    try:
        found = schedule_times.preview(text, zone, runtime().clock.now())
    except InvalidInput as error:
        return {"problem": error.message}
    return {"words": found.words, "times": [_time_words(time, zone) for time in found.upcoming], "zone": zone}


def _times(view: ScheduleView) -> list[str]:
    return [_time_words(time, view.time_zone) for time in view.upcoming]


def _time_words(time: datetime, zone: str) -> str:
    shown = time.astimezone(ZoneInfo(zone))
    year = "" if shown.year == local(runtime().clock.now(), zone).year else f"{shown.year}年"
    return f"{year}{shown.month}月{shown.day}日 周{WEEKDAYS[shown.weekday()]} {shown:%H:%M}"


def _typed() -> Typed:
    return Typed(**{field.name: request.form.get(field.name, "").strip()[:200] for field in fields(Typed)})


def _typed_of(view: ScheduleView) -> Typed:
    return Typed(
        kind=view.kind,
        name=view.name,
        cron=view.cron,
        time_zone=view.time_zone,
        misfire_grace_s=str(view.misfire_grace_s),
        coalesce="yes" if view.coalesce else "no",
        jitter=f"{view.jitter_s / 60:g}",
        version=str(view.version),
    )


def _problems(error: InvalidInput) -> dict[str, str]:
    """Return what is wrong by the names of the form's fields."""
    told = {name: str(words) for name, words in (error.details or {}).items()}
    return {"jitter" if name == "jitter_s" else name: words for name, words in told.items()}


def _read_out(typed: Typed) -> dict[str, str]:
    """Return what stands in the form as people read it, by the names of its fields."""
    graces = {str(value): words for value, words in GRACES}
    return {
        **vars(typed),
        "misfire_grace_s": graces.get(typed.misfire_grace_s, f"{typed.misfire_grace_s} 秒"),
        "coalesce": COALESCE_WORDS.get(typed.coalesce, ""),
    }


def _read(typed: Typed) -> ScheduleEdit:
    """Return what was typed; raise InvalidInput for what is no number."""
    grace_s, jitter_s = _seconds(typed.misfire_grace_s, 1), _seconds(typed.jitter or "0", 60)
    wrong = {
        name: "请填数字" for name, value in (("misfire_grace_s", grace_s), ("jitter_s", jitter_s)) if value is None
    }
    if wrong:
        raise InvalidInput(details=wrong)
    return ScheduleEdit(typed.name, typed.cron, typed.time_zone, grace_s, typed.coalesce == "yes", jitter_s)


def _seconds(text: str, unit_s: int) -> int | None:
    """Return so many units in seconds; None for what is no number."""
    try:
        value = float(text)
    except ValueError:
        return None
    return round(value * unit_s) if abs(value) < LARGEST else None


def _graces(chosen: str) -> list[tuple[int, str]]:
    """Return the choices, with the present one where it is none of them."""
    known = [value for value, _ in GRACES]
    if chosen.isascii() and chosen.isdigit() and int(chosen) not in known:
        return [*GRACES, (int(chosen), f"{chosen} 秒")]
    return GRACES


def _words() -> dict[str, object]:
    return {
        "state_words": STATE_WORDS,
        "zone": runtime().settings.time_zone,
        "may_act": current_viewer().may(*ACT),
    }


def _actor() -> str:
    viewer = current_viewer()
    return viewer.userid or viewer.name
