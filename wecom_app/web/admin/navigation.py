"""What stands in the console's navigation, and for whom; a page that is not in this table is not found by clicking."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from flask import request
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from wecom_app.domain.access import Role
from wecom_app.models import SyncRun
from wecom_app.services import conflict_lines, overview
from wecom_app.services.access import Viewer
from wecom_app.services.runtime import Runtime

Badge = Callable[[Session, Runtime], int]


def things_to_do(session: Session, runtime: Runtime) -> int:
    """Return how many kinds of things wait for a person."""
    return len(overview.attention(session, runtime.queue, runtime.clock.now()))


def waiting_runs(session: Session, _runtime: Runtime) -> int:
    """Return how many runs of sync wait for a person's word."""
    return session.scalar(select(func.count()).where(SyncRun.state == "held")) or 0


def open_conflicts(session: Session, _runtime: Runtime) -> int:
    """Return how many disagreements wait for a person's word."""
    return conflict_lines.count_open(session)


@dataclass(frozen=True)
class Entry:
    """One page: its key, its words, its view, the roles that may see it, and what counts beside its name."""

    key: str
    words: str
    endpoint: str
    roles: frozenset[Role]
    badge: Badge | None = None


@dataclass(frozen=True)
class Group:
    words: str
    entries: tuple[Entry, ...]


@dataclass(frozen=True)
class ShownEntry:
    words: str
    endpoint: str
    is_current: bool
    badge: int


@dataclass(frozen=True)
class ShownGroup:
    words: str
    entries: tuple[ShownEntry, ...]

    @property
    def has_badge(self) -> bool:
        """Whether anything waits for a person, for the button that opens the navigation on a phone."""
        return any(entry.badge for entry in self.entries)


CONSOLE = (Role.ADMIN, Role.AUDITOR, Role.OPS)
"""Who has a use for the console's first page."""
GROUPS: tuple[Group, ...] = (
    Group(
        "运营",
        (
            Entry("customers", "客户", "admin.customers", frozenset({Role.ADMIN, Role.AUDITOR, Role.LEADER})),
            Entry("tags", "标签库", "admin.tags", frozenset({Role.ADMIN, Role.AUDITOR})),
            Entry("profile_fields", "客户资料字段", "admin.profile_fields", frozenset({Role.ADMIN, Role.AUDITOR})),
            Entry("content", "内容库", "admin.content", frozenset({Role.ADMIN, Role.AUDITOR})),
        ),
    ),
    Group(
        "系统",
        (
            Entry("home", "概况", "admin.home", frozenset(CONSOLE), things_to_do),
            Entry("sync", "同步", "admin.sync", frozenset(CONSOLE), waiting_runs),
            Entry("conflicts", "不一致", "admin.conflicts", frozenset({Role.ADMIN, Role.AUDITOR}), open_conflicts),
            Entry("schedules", "计划", "admin.schedules", frozenset(CONSOLE)),
            Entry("roles", "角色与权限", "admin.roles", frozenset({Role.ADMIN, Role.AUDITOR})),
        ),
    ),
)


def shown(session: Session, runtime: Runtime, viewer: Viewer, groups: Sequence[Group] = GROUPS) -> list[ShownGroup]:
    """Return what the viewer may go to; a group of which nothing is his is left out."""
    found = []
    for group in groups:
        entries = tuple(_shown(session, runtime, entry) for entry in group.entries if viewer.may(*entry.roles))
        if entries:
            found.append(ShownGroup(group.words, entries))
    return found


def _shown(session: Session, runtime: Runtime, entry: Entry) -> ShownEntry:
    endpoint = request.endpoint or ""
    # Pages under a list, such as one item of it, belong to the list's entry.
    is_current = endpoint == entry.endpoint or endpoint.startswith(f"admin.{entry.key}_")
    return ShownEntry(
        words=entry.words,
        endpoint=entry.endpoint,
        is_current=is_current,
        badge=entry.badge(session, runtime) if entry.badge else 0,
    )
