"""What can be done by the clock: a table of kinds, each with its words, its default time and what it runs.

Other work adds its line to `KINDS`; a line with a default time gets its schedule at the next start.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from wecom_app.domain.days import local
from wecom_app.models import Tag, TagGroup
from wecom_app.services import digest, directory, expiry, library, retention, revival, robots, runs
from wecom_app.services.ports import JobArgs
from wecom_app.services.progress import Progress
from wecom_app.services.runtime import Runtime

Work = Callable[[Runtime, JobArgs, Progress], bool | None]
"""Does the work; safe to run again. Returns True where more is left that another job shall go on with."""


def always(_session: Session, _now: datetime) -> bool:
    """Return that there is work whenever it is time."""
    return True


@dataclass(frozen=True)
class ScheduleKind:
    """One kind; `lane` and `job_key` are the queue's, so that it waits for the same work asked for otherwise."""

    words: str
    help: str
    work: Work
    cron: str
    lane: str = "local"
    job_key: str | None = None
    jitter_s: int = 0
    is_default: bool = True
    """Whether it gets a schedule by itself."""
    starts_enabled: bool = True
    has_work: Callable[[Session, datetime], bool] = always
    """Whether anything is to be done: where nothing is, its time passes without a run."""
    count_words: Mapping[str, str] = field(default_factory=dict)


def read_library(runtime: Runtime, args: JobArgs, progress: Progress) -> None:
    """Read WeCom's tag library, and count what it shows."""
    library.pull(runtime, args)
    with runtime.read() as session:
        groups, tags = (
            session.execute(select(func.count()).where(column.is_not(None), gone.is_(None))).scalar_one()
            for column, gone in ((TagGroup.wecom_group_id, TagGroup.gone_at), (Tag.wecom_tag_id, Tag.gone_at))
        )
    progress.advance(groups=groups, tags=tags)


def pull_everything(runtime: Runtime, _args: JobArgs, progress: Progress) -> None:
    """Begin a full pull; how far it is, and what it found, stands in the list of runs."""
    with runtime.write() as session:
        if _no_pull(session, runtime.clock.now()):
            runs.start_pull(session, runtime.queue, "计划", runtime.clock.now())
            progress.advance(runs=1)


def _no_pull(session: Session, _now: datetime) -> bool:
    """Return whether no full pull is under way or waits for a person."""
    return runs.unfinished(session, "pull") is None


def push_again(runtime: Runtime, _args: JobArgs, progress: Progress) -> None:
    """Try tags again that could not be pushed."""
    cursor: int | None = None
    while True:
        done = revival.revive_all(runtime, after_id=cursor, limit=revival.BATCH)
        progress.advance(tags=done.cells, customers=done.customers)
        cursor = done.next_cursor
        if cursor is None:
            return


def say_digest(runtime: Runtime, _args: JobArgs, progress: Progress) -> None:
    """Have the group robots say yesterday's figures, once a minute at most."""
    zone, now = runtime.settings.time_zone, runtime.clock.now()
    with runtime.read() as session:
        content = digest.words(session, runtime.queue, now, zone)
    with runtime.write() as session:
        said = robots.post(session, runtime, robots.DIGEST, f"{local(now, zone):%Y-%m-%d %H:%M}", content)
    progress.advance(messages=len(runtime.robots) if said else 0)


KINDS: Mapping[str, ScheduleKind] = {
    "directory": ScheduleKind(
        "读取通讯录",
        "读取应用可见的部门与成员；离职、停用的成员随即退出登录",
        directory.pull,
        "20 3 * * *",
        lane="bulk",
        job_key="directory",
        jitter_s=1200,
        count_words={"departments": "部门", "members": "成员"},
    ),
    "library": ScheduleKind(
        "读取标签库",
        "与企业微信核对标签和标签组：新的收进来，改名的跟着改，已删除的停用",
        read_library,
        "40 4 * * *",
        lane="push",
        job_key="library",
        jitter_s=600,
        count_words={"groups": "标签组", "tags": "标签"},
    ),
    "full_pull": ScheduleKind(
        "全量同步",
        "读取每位成员的全部客户，核对标签与好友关系；先手动做一次（sync pull）、看过预览，再启用",
        pull_everything,
        "15 2 * * *",
        lane="bulk",
        jitter_s=1200,
        starts_enabled=False,
        has_work=_no_pull,
        count_words={"runs": "次同步已开始"},
    ),
    "push_retry": ScheduleKind(
        "重推失败的标签",
        "把推送失败的标签再推一次；原因没有消除的会再次失败",
        push_again,
        "10 5 * * *",
        starts_enabled=False,
        count_words={"tags": "标签", "customers": "客户"},
    ),
    "expiry": ScheduleKind(
        "摘除到期标签",
        "有效期已到的标签，每分钟检查一次；没有到期的就不留记录",
        expiry.sweep,
        "* * * * *",
        job_key="expiry",
        has_work=expiry.has_work,
        count_words={"tags": "标签"},
    ),
    "clean_up": ScheduleKind(
        "清理过期数据",
        "删除超过保留期的回调、调用记录、任务、登录与运行记录",
        retention.sweep,
        "7 * * * *",
        job_key="retention",
        count_words=retention.WORDS,
    ),
    "digest": ScheduleKind(
        "群机器人日报",
        "把昨天的日报发到群里。每天一次的日报在机器人设置里开关，这里用来另加时间，例如每周五下班前",
        say_digest,
        "45 17 * * 5",
        is_default=False,
        count_words={"messages": "条消息"},
    ),
}
