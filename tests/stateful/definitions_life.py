"""Everything that may happen to the tag library itself, on both sides: made, renamed, put in order, deleted, recreated.

Groups and tags are named by what they are called at that moment on the side on which the act takes place; an act on
what is not there, or that is refused, changes nothing.
"""

from collections.abc import Callable, Sequence
from contextlib import suppress

from sqlalchemy import select
from sqlalchemy.orm import Session

from tests.stateful.corp import Corp
from tests.stateful.course import Course
from tests.stateful.definitions_corp import DIMENSION, open_library, read_library
from tests.stateful.definitions_judge import DefinitionsJudge
from tests.stateful.scripted import act
from wecom_app.domain.definitions import Policy
from wecom_app.domain.vocabulary import Mirror
from wecom_app.errors import AppError
from wecom_app.models import Schedule, SyncConflict, SyncRun, Tag, TagGroup
from wecom_app.services import (
    conflicts,
    library,
    library_deletions,
    library_edits,
    library_orders,
    library_recreation,
    library_restoring,
    library_retries,
    runs,
    schedules,
    taxonomy,
)
from wecom_app.services.context import Context
from wecom_app.services.taxonomy import GroupDraft, TagDraft

PATIENCE = (70, 70, 70, 3700, 70, 3700)
"""How long it may take until no job waits: WeCom shuts an API for a minute, or for an hour if it was called again."""
PASSES = 3
Edit = Callable[[Session, Context], object]


class DefinitionsLife(Course):
    """One library from its beginning; every act ends with the checks that hold at any moment."""

    def __init__(self, corp: Corp | None = None) -> None:
        super().__init__(corp or open_library())
        self.judge = DefinitionsJudge(self.corp)

    def look(self) -> None:
        self.judge.look()

    # What stands.

    def groups_here(self) -> list[str]:
        """Return the names of our live groups."""
        return [name for (name,) in self.corp.rows("SELECT name FROM tag_group WHERE archived_at IS NULL ORDER BY id")]

    def tags_here(self, group: str) -> list[str]:
        """Return the names of the live tags of one of our groups."""
        query = """SELECT t.name FROM tag t JOIN tag_group g ON g.id = t.group_id WHERE g.name = ?
                   AND g.archived_at IS NULL AND t.archived_at IS NULL AND t.gone_at IS NULL ORDER BY t.id"""
        return [name for (name,) in self.corp.rows(query, group)]

    def groups_there(self) -> list[str]:
        """Return the names of the groups in WeCom."""
        return [group.name for group in self.corp.simulator.world.tags.live_groups()]

    def tags_there(self, group: str) -> list[str]:
        """Return the names of the tags of a group in WeCom, in its order."""
        found = self.corp.simulator.world.tags.group_named(group)
        return [] if found is None else [tag.name for tag in found.live_tags()]

    # Acts here.

    def _here(self, edit: Edit) -> bool:
        """Do something as the console does; return whether it was taken."""
        self._pause()
        self.judge.acting()
        try:
            with self.corp.runtime.write() as session:
                edit(session, library.context(self.corp.runtime))
        except AppError:
            return False
        finally:
            self.judge.acted_here()
        return True

    def _key(self, group: str, tag: str | None = None, *, gone: bool = False) -> str:
        """Return the key of what bears this name here; one that nothing has where there is none."""
        with self.corp.runtime.read() as session:
            if tag is None:
                query = select(TagGroup.key).where(TagGroup.name == group).order_by(TagGroup.archived_at.is_not(None))
            else:
                query = select(Tag.key).join(TagGroup, TagGroup.id == Tag.group_id)
                query = query.where(TagGroup.name == group, Tag.name == tag, Tag.gone_at.is_not(None) == gone)
                query = query.order_by(Tag.archived_at.is_not(None), Tag.id.desc())
            return session.scalars(query.limit(1)).first() or "none.such"

    @act
    def make_group_here(self, group: str, *tags: str) -> None:
        draft = GroupDraft(group, DIMENSION, tuple(TagDraft(tag) for tag in tags))
        if self._here(lambda session, given: taxonomy.create_group(session, given, draft)):
            self.judge.asked += len(tags)

    @act
    def make_here(self, group: str, tag: str) -> None:
        def edit(session: Session, given: Context) -> None:
            found = library_edits.find_group(session, self._key(group), lock=True)
            taxonomy.add_tags(session, given, found, [TagDraft(tag)])

        if self._here(edit):
            self.judge.asked += 1

    @act
    def rename_here(self, group: str, tag: str, new: str) -> None:
        key = self._key(group, tag)
        self._here(lambda session, given: library_edits.edit_tag(session, given, key, {"name": new}))

    @act
    def swap_here(self, group: str, one: str, other: str) -> None:
        """Two tags change names, by way of a third."""
        for old, new in ((one, "暂存"), (other, one), ("暂存", other)):
            self.rename_here(group, old, new)

    @act
    def rename_group_here(self, group: str, new: str) -> None:
        key = self._key(group)
        self._here(lambda session, given: library_edits.edit_group(session, given, key, {"name": new}))

    @act
    def policy(self, group: str, policy: str) -> None:
        """Say whose value holds where both sides changed it."""
        key = self._key(group)
        change: library_edits.GroupChanges = {"conflict_policy": Policy(policy)}
        self._here(lambda session, given: library_edits.edit_group(session, given, key, change))

    @act
    def mirror(self, group: str, mirror: str) -> None:
        """Say in which direction a group is mirrored."""
        key = self._key(group)
        missing = self.judge.count_missing()
        change: library_edits.GroupChanges = {"mirror": Mirror(mirror)}
        if self._here(lambda session, given: library_edits.edit_group(session, given, key, change)):
            self.judge.asked += missing

    @act
    def order_here(self, group: str, turn: int) -> None:
        """Put a group's tags into another order: the last to the front, so many times."""

        def edit(session: Session, given: Context) -> None:
            found = library_edits.find_group(session, self._key(group), lock=True)
            keys = [tag.key for tag in taxonomy.tags_of(session, [found.id]).get(found.id, [])]
            library_orders.order_tags(session, given.queue, found.key, _turned(keys, turn))

        self._here(edit)

    @act
    def order_groups_here(self, turn: int) -> None:
        def edit(session: Session, given: Context) -> None:
            keys = [group.key for group in taxonomy.groups_of(session, DIMENSION)]
            library_orders.order_groups(session, given.queue, DIMENSION, _turned(keys, turn))

        self._here(edit)

    @act
    def archive_here(self, group: str, tag: str | None = None) -> None:
        key = self._key(group, tag)
        if tag is None:
            self._here(lambda session, given: library_edits.archive_group(session, given, key, actor="tests"))
        else:
            self._here(lambda session, given: library_edits.archive_tag(session, given, key, actor="tests"))

    @act
    def restore_here(self, group: str, tag: str | None = None) -> None:
        key, missing = self._key(group, tag), self.judge.count_missing()
        if tag is None:
            taken = self._here(lambda session, given: library_restoring.restore_group(session, given, key))
        else:
            taken = self._here(lambda session, given: library_restoring.restore_tag(session, given, key))
        if taken:
            self.judge.asked += missing

    @act
    def delete_here(self, group: str, tag: str | None = None) -> None:
        """Have a tag, or a group with its tags, deleted in WeCom."""
        key = self._key(group, tag)
        if tag is None:
            self._here(
                lambda session, given: library_deletions.request_group(session, given, key, cascade=True, actor="tests")
            )
        else:
            self._here(
                lambda session, given: library_deletions.request_tag(session, given, key, cascade=True, actor="tests")
            )

    @act
    def recreate(self, group: str, tag: str | None = None) -> None:
        """Have what was deleted in WeCom made there again."""
        key, gone = self._key(group, tag, gone=True), self.judge.count_gone()
        if tag is None:
            taken = self._here(lambda session, given: library_recreation.request_group(session, given.queue, key))
        else:
            taken = self._here(lambda session, given: library_recreation.request_tag(session, given.queue, key))
        if taken:
            self.judge.asked += gone

    @act
    def settle_row(self, keep: str) -> None:
        """Say what is to hold of the oldest disagreement that waits for a person."""
        query = select(SyncConflict.id).where(SyncConflict.state == "open").order_by(SyncConflict.id).limit(1)
        with self.corp.runtime.read() as session:
            found = session.scalars(query).all()
        gone = self.judge.count_gone()

        def edit(session: Session, given: Context) -> None:
            conflicts.settle(
                session, given.queue, found, take_theirs=keep == "theirs", by="tests", now=self.corp.clock.now()
            )

        if found and self._here(edit) and keep == "ours":
            self.judge.asked += gone

    @act
    def retry(self) -> None:
        """Have another attempt made at whatever was given up."""
        self._here(lambda session, given: library_retries.retry_all(session, given.queue))

    @act
    def approve(self, *, yes: bool = True) -> None:
        """Agree to the deletions that are held, or do not."""
        for run_id in self._held():
            with self.corp.runtime.write() as session:
                if yes:
                    runs.approve(session, self.corp.runtime.queue, run_id, "tests")
                else:
                    runs.reject(session, self.corp.runtime.queue, run_id, "tests", self.corp.clock.now())

    def _held(self) -> Sequence[int]:
        with self.corp.runtime.read() as session:
            return session.scalars(select(SyncRun.id).where(SyncRun.state == "held")).all()

    # Acts in WeCom.

    def _there(self, kind: str, **parts: object) -> None:
        self._pause()
        with suppress(AppError):
            done = self.corp.simulator.act("admin", kind, **parts)
            self.judge.acted_there(kind, done)

    @act
    def make_there(self, group: str, *tags: str) -> None:
        self._there("tag_create", group=group, names=list(tags))

    @act
    def rename_there(self, group: str, tag: str, new: str) -> None:
        self._there("tag_rename", group=group, tag=tag, name=new)

    @act
    def swap_there(self, group: str, one: str, other: str) -> None:
        for old, new in ((one, "换位"), (other, one), ("换位", other)):
            self.rename_there(group, old, new)

    @act
    def rename_group_there(self, group: str, new: str) -> None:
        self._there("group_rename", group=group, name=new)

    @act
    def delete_there(self, group: str, tag: str | None = None) -> None:
        if tag is None:
            self._there("group_delete", group=group)
        else:
            self._there("tag_delete", group=group, tag=tag)

    @act
    def order_there(self, group: str, turn: int) -> None:
        found = self.corp.simulator.world.tags.group_named(group)
        if found is not None:
            self._there("shuffle", group=group, ids=_turned([tag.id for tag in found.live_tags()], turn))

    @act
    def order_groups_there(self, turn: int) -> None:
        self._there("shuffle", ids=_turned([group.id for group in self.corp.simulator.world.tags.live_groups()], turn))

    # Passes.

    @act
    def strict_guard(self) -> None:
        """Let a tenth be the most that is buried unasked: of this library, one tag."""
        self.corp.guard_floor(0)

    @act
    def read(self, *, by_clock: bool = False) -> None:
        """Have the library read, by the button or by its schedule."""
        if by_clock:
            with suppress(AppError), self.corp.runtime.write() as session:
                schedule = session.scalars(select(Schedule.id).where(Schedule.kind == "library")).one()
                schedules.run_now(session, self.corp.runtime.queue, schedule, "tests", self.corp.clock.now())
        else:
            read_library(self.corp)

    @act
    def settle(self) -> None:
        """Deliver everything and run everything that is due."""
        self._deliver_and_work()

    @act
    def heal(self) -> None:
        """Nothing goes wrong any more: at most three passes bring both sides together, and then nothing moves."""
        self.corp.undisturb()
        self._plans.clear()
        self.retry()
        self._rest()
        for _ in range(PASSES):
            if not self.is_deaf and not self.judge.disagreements():
                break
            self.is_deaf = False
            self._pass()
        self.judge.agrees()
        self.echo(on=True)
        self.judge.stays(self._pass)
        self.echo(on=False)

    def _pass(self) -> None:
        self.read()
        self._rest()

    def _rest(self) -> None:
        self.settle()
        for seconds in PATIENCE:
            self.approve()
            if not self.judge.jobs_wait():
                break
            self.wait(seconds)
            self.settle()


def _turned(items: Sequence[str], turn: int) -> list[str]:
    """Return the items with so many of the last put to the front; the whole turned round where that changes nothing."""
    places = turn % len(items) if items else 0
    return [*items[-places:], *items[:-places]] if places else list(reversed(items))
