"""The invariants of the tag library on both sides, checked from outside: SQL on the file, WeCom's state, its calls."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select

from tests.stateful.corp import Corp
from tests.stateful.sight import WAITING_JOBS
from wecom_app.domain.definitions import canonical
from wecom_app.domain.vocabulary import PUSHED, Lifecycle, Mirror
from wecom_app.models import SyncConflict, SyncRunItem, Tag, TagGroup
from wecom_app.services import definition_conflicts
from wecom_app.services.definition_merge import ASKING, HELD_WORDS
from wecom_app.services.library_states import state_of
from wecom_app.simulator import tags as wecom

ADD, EDIT, DELETE = (f"externalcontact/{name}_corp_tag" for name in ("add", "edit", "del"))
WRITES = frozenset({ADD, EDIT, DELETE})
MOST_REFUSED = 2
"""How often WeCom may have to say that something is another app's: once for an edit, once for a deletion."""
EXPLAINED = frozenset({"asking", "blocked", "failed"})
"""States that a person sees, with a reason, where the sides differ."""
EVERYTHING = (
    """SELECT id, key, name, position, owner, wecom_tag_id, base_name, base_order, sent_name, sent_order, blocked_by,
       tries, version, aliases, archived_at, gone_at, deleting_at FROM tag""",
    """SELECT id, key, name, position, owner, wecom_group_id, base_name, base_order, sent_name, sent_order, blocked_by,
       tries, version, aliases, archived_at, gone_at, deleting_at FROM tag_group""",
    "SELECT id, kind, state, resolution FROM sync_conflict",
    "SELECT id, state FROM sync_run",
)
NAMES = """
SELECT 'tag', t.id, t.name, t.wecom_tag_id, t.key, g.mirror FROM tag t JOIN tag_group g ON g.id = t.group_id
UNION ALL SELECT 'tag_group', id, name, wecom_group_id, key, mirror FROM tag_group
"""
ROWS = "SELECT id FROM sync_conflict WHERE customer_id IS NULL AND kind = 'name' AND ifnull({}, 0) = ?"
OPEN = """
SELECT kind, group_id, tag_id, count(*) FROM sync_conflict WHERE customer_id IS NULL AND state = 'open' GROUP BY 1, 2, 3
"""
Subject = tuple[str, int]


@dataclass(frozen=True)
class Standing:
    """One of our groups or tags, as last looked at."""

    name: str
    wecom_id: str | None
    key: str
    mirror: str


class DefinitionsJudge:
    """Fails by AssertionError, with what it saw."""

    def __init__(self, corp: Corp) -> None:
        self.corp = corp
        self.standing: dict[Subject, Standing] = self._read()
        self.asked = len(self._made_by_us())
        """How many tags anybody here has asked for at WeCom; a tag comes into being only so."""
        self.acts = 0
        self._renames: Counter[tuple[str, str]] = Counter()
        """Names given in WeCom by somebody there, by id; each is taken over once."""
        self._rows: dict[Subject, set[int]] = {}
        self._calls = 0
        self._writes = 0
        self._refused: Counter[str] = Counter()

    # What the acts tell.

    def acting(self) -> None:
        """Somebody is about to act here: what moved until now moved without him."""
        self._nothing_reverts()

    def acted_here(self) -> None:
        """Take what stands now for what he wants."""
        self.acts += 1
        self.standing = self._read()

    def acted_there(self, kind: str, done: dict[str, Any]) -> None:
        """Write down an act in WeCom."""
        self.acts += 1
        library = self.corp.simulator.world.tags
        for item_id in (done.get("id"), done.get("group_id"), *done.get("tag_ids", ())):
            found = None if item_id is None else library.find_tag(item_id) or library.find_group(item_id)
            if found is not None and kind in ("tag_rename", "group_rename"):
                self._renames[found.id, canonical(found.name)] += 1

    def count_gone(self) -> int:
        """Return how many of our tags are deleted at WeCom."""
        return int(self.corp.rows("SELECT count(*) FROM tag WHERE gone_at IS NOT NULL")[0][0])

    def count_missing(self) -> int:
        """Return how many of our tags WeCom has not got."""
        return int(self.corp.rows("SELECT count(*) FROM tag WHERE gone_at IS NULL AND wecom_tag_id IS NULL")[0][0])

    def questions(self) -> int:
        """Return how many disagreements wait for a person."""
        return int(self.corp.rows("SELECT count(*) FROM sync_conflict WHERE state = 'open'")[0][0])

    def rows(self, kind: str) -> int:
        """Return how many rows of a kind there are, settled ones too."""
        return int(self.corp.rows("SELECT count(*) FROM sync_conflict WHERE kind = ?", kind)[0][0])

    def held_back(self) -> int:
        """Return how many tags do not go to WeCom for a reason that is shown."""
        return int(self.corp.rows("SELECT count(*) FROM tag WHERE blocked_by IS NOT NULL")[0][0])

    # At any moment.

    def look(self) -> None:
        """Check what must hold after every act."""
        self._keys()
        self._nothing_reverts()
        self._only_the_dead_are_buried()
        self._nothing_comes_into_being_unasked()
        self._calls_are_few()
        doubled = [row for row in self.corp.rows(OPEN) if row[3] > 1]
        assert not doubled, f"several rows about one disagreement: {doubled}"

    def _keys(self) -> None:
        now = self._read()
        for subject, was in self.standing.items():
            assert subject in now, f"{subject} {was} vanished"
            assert now[subject].key == was.key, f"{subject}: key {was.key} became {now[subject].key}"
        keys = Counter((kind, one.key) for (kind, _), one in now.items())
        assert max(keys.values()) == 1, keys

    def _nothing_reverts(self) -> None:
        """A name here moves only by an act here, for a rename in WeCom, or with a row that says so."""
        now = self._read()
        for subject, one in now.items():
            was = self.standing.get(subject)
            if was is None or was.name == one.name or one.mirror == Mirror.PULL:
                # Where we follow WeCom, a name of ours that it has not got goes.
                continue
            renamed = (one.wecom_id or was.wecom_id or "", canonical(one.name))
            new_rows = self._rows_about(subject) - self._rows.get(subject, set())
            assert self._renames[renamed] or new_rows, f"{subject} went from {was.name} to {one.name} by itself"
            if self._renames[renamed]:
                self._renames[renamed] -= 1
        self.standing = now
        self._rows = {subject: self._rows_about(subject) for subject in now}

    def _only_the_dead_are_buried(self) -> None:
        """Nothing is taken for deleted that WeCom has; nothing is buried that a person is asked about."""
        library = self.corp.simulator.world.tags
        for tag_id, name, wecom_id in self.corp.rows(
            "SELECT id, name, wecom_tag_id FROM tag WHERE gone_at IS NOT NULL"
        ):
            found = library.find_tag(wecom_id) if wecom_id is not None else None
            assert found is None or found.deleted, f"tag {tag_id} {name} is buried and lives in WeCom"
        waiting = select(SyncRunItem.subject).where(SyncRunItem.kind == "tag_gone", SyncRunItem.state == "waiting")
        with self.corp.runtime.read() as session:
            held = [int(subject) for subject in session.scalars(waiting)]
            buried = session.scalars(
                select(Tag.id).where(Tag.id.in_(held), Tag.gone_at.is_not(None), Tag.deleting_at.is_(None))
            ).all()
            running = self.corp.rows("SELECT 1 FROM sync_run WHERE kind = 'library' AND state = 'running'")
        assert running or not buried, f"buried while a person is being asked: {buried}"

    def _nothing_comes_into_being_unasked(self) -> None:
        made = self._made_by_us()
        assert len(made) <= self.asked, f"{len(made)} tags made at WeCom, {self.asked} asked for: {made[-3:]}"

    def _calls_are_few(self) -> None:
        """Writes are bounded by acts; what is another app's is tried once at most."""
        library = self.corp.simulator.world.tags
        for call in list(self.corp.simulator.calls):
            if call.seq <= self._calls or call.api not in WRITES:
                continue
            self._writes += 1
            if call.errcode == 81011 and call.fault is None:
                for item_id in (call.request.get("id"), *call.request.get("tag_id", ())):
                    item = None if item_id is None else library.find_tag(item_id) or library.find_group(item_id)
                    if item is not None and item.made_by == wecom.CONSOLE:
                        self._refused[item_id] += 1
                        assert self._refused[item_id] <= MOST_REFUSED, f"tried again on another's {item.name}"
        self._calls = max((call.seq for call in self.corp.simulator.calls), default=self._calls)
        assert self._writes <= 12 * self.acts + 12, f"{self._writes} writes for {self.acts} acts"

    # At rest.

    def jobs_wait(self) -> bool:
        return bool(self.corp.rows(WAITING_JOBS)[0][0])

    def agrees(self) -> None:
        """Check that both sides agree, or say why not, and that no row stands without a disagreement."""
        assert not (found := self.disagreements()), found
        jobs = self.corp.rows(
            "SELECT kind, state, last_error FROM job WHERE state IN ('waiting', 'retrying', 'running')"
        )
        assert not jobs, jobs

    def disagreements(self) -> list[str]:
        """Return where the sides differ without anything here that says why."""
        found: list[str] = []
        with self.corp.runtime.read() as session:
            groups = {group.id: group for group in session.scalars(select(TagGroup))}
            tags = session.scalars(select(Tag)).all()
            rows = session.execute(select(SyncConflict.kind, SyncConflict.group_id).where(SyncConflict.state == "open"))
            asked = {(kind, group_id) for kind, group_id in rows}
        live_groups = [group for group in groups.values() if group.archived_at is None and group.gone_at is None]
        live_tags = [
            tag
            for tag in tags
            if tag.archived_at is None and tag.gone_at is None and groups[tag.group_id] in live_groups
        ]
        for one in (*live_groups, *live_tags):
            group = one if isinstance(one, TagGroup) else groups[one.group_id]
            there = [tag for tag in tags if tag.group_id == group.id and tag.gone_at is None]
            found += self._difference(one, group, there)
        for group in live_groups:
            if ("order", group.id) not in asked and group.mirror != Mirror.NONE:
                found += self._order_difference(group.name, [tag for tag in live_tags if tag.group_id == group.id])
        found += self._order_difference(
            "groups",
            [group for group in live_groups if group.mirror != Mirror.NONE and group.dimension == "basic_info"],
        )
        found += [f"{tag.name} was to be deleted in WeCom" for tag in tags if self._is_kept_in_silence(tag)]
        # One that is archived, or no longer mirrored, is buried too.
        found += [f"{tag.name} is deleted in WeCom" for tag in tags if self._is_to_bury(tag)]
        return found + self._unknown(groups, tags) + self._rows_without_reason()

    def _is_to_bury(self, tag: Tag) -> bool:
        there = self._there(tag)
        return tag.gone_at is None and there is not None and there.deleted and not self._was_refused([tag])

    def _is_kept_in_silence(self, tag: Tag) -> bool:
        """Say whether a deletion that a person asked for was not carried out, and nothing says that WeCom refused."""
        return tag.deleting_at is not None and tag.gone_at is None and tag.blocked_by in (None, ASKING)

    def _difference(self, one: Tag | TagGroup, group: TagGroup, tags: Sequence[Tag]) -> list[str]:
        if group.mirror == Mirror.NONE or group.lifecycle == Lifecycle.DRAFT:
            return []
        if state_of(one, group).state in EXPLAINED:
            assert one.blocked, f"{one.name} is held back without a reason"
            return [] if one.blocked != HELD_WORDS or self._is_taken(one) else [f"{one.name} waits for a free name"]
        there = self._there(one)
        if (there is None or there.deleted) and self._was_refused([one] if isinstance(one, Tag) else tags):
            return []
        if there is None:
            # A group is there with its first tag; of those none may be on its way.
            is_empty = isinstance(one, TagGroup) and all(tag.blocked_by or tag.archived_at for tag in tags)
            return [] if group.mirror not in PUSHED or is_empty else [f"{one.name} is not in WeCom"]
        if there.deleted:
            return [f"{one.name} is deleted in WeCom"]
        return [] if canonical(there.name) == canonical(one.name) else [f"{one.name} is {there.name} in WeCom"]

    def _is_taken(self, one: Tag | TagGroup) -> bool:
        """Say whether the name that it bears in WeCom is a neighbour's here."""
        there = self._there(one)
        with self.corp.runtime.read() as session:
            return there is not None and definition_conflicts.is_name_held(session, one, there.name)

    def _was_refused(self, tags: Sequence[Tag]) -> bool:
        """Say whether a person refused to have these tags buried: the run shows it, and he is not asked again."""
        refused = {
            int(subject)
            for (subject,) in self.corp.rows(
                "SELECT subject FROM sync_run_item WHERE kind = 'tag_gone' AND state = 'rejected'"
            )
        }
        return bool(tags) and refused.issuperset(tag.id for tag in tags)

    def _there(self, one: Tag | TagGroup) -> wecom.Tag | wecom.TagGroup | None:
        library = self.corp.simulator.world.tags
        if isinstance(one, TagGroup):
            return None if one.wecom_group_id is None else library.find_group(one.wecom_group_id)
        return None if one.wecom_tag_id is None else library.find_tag(one.wecom_tag_id)

    def _order_difference(self, name: str, found: Sequence[Tag] | Sequence[TagGroup]) -> list[str]:
        """Say where those that both sides have stand in another order there; equal numbers leave it open."""
        both = [(one, there) for one in found if (there := self._there(one)) is not None and not there.deleted]
        if any(one.blocked_by for one, _ in both):
            return []
        for one, there in both:
            for other, beside in both:
                if one.position > other.position and there.order < beside.order:
                    return [f"{name}: {one.name} stands before {other.name} here and behind it there"]
        return []

    def _unknown(self, groups: dict[int, TagGroup], tags: Sequence[Tag]) -> list[str]:
        """Say what is in WeCom and unknown here, unless its name is another's here, so that the two are told apart."""
        known = {tag.wecom_tag_id for tag in tags}
        by_wecom = {group.wecom_group_id: group for group in groups.values() if group.wecom_group_id}
        found: list[str] = []
        for there in self.corp.simulator.world.tags.live_groups():
            group = by_wecom.get(there.id)
            if group is None:
                if not any(one.name == there.name and one.archived_at is None for one in groups.values()):
                    found.append(f"group {there.name} is unknown here")
                continue
            if group.mirror == Mirror.NONE:
                continue
            for shown in there.live_tags():
                holders = [
                    tag
                    for tag in tags
                    if tag.group_id == group.id and tag.name == shown.name and not tag.archived_at and not tag.gone_at
                ]
                if shown.id not in known and not holders:
                    found.append(f"{there.name}/{shown.name} is unknown here")
        return found

    def _rows_without_reason(self) -> list[str]:
        """Say which open rows are about a name on which both sides agree."""
        found: list[str] = []
        with self.corp.runtime.read() as session:
            query = select(SyncConflict).where(SyncConflict.state == "open", SyncConflict.kind == "name")
            for row in session.scalars(query):
                one: Tag | TagGroup = (
                    session.get_one(Tag, row.tag_id)
                    if row.group_id is None
                    else session.get_one(TagGroup, row.group_id)
                )
                there = self._there(one)
                if one.archived_at is None and (there is None or canonical(there.name) == canonical(one.name)):
                    found.append(f"an open row about {one.name}, on which both agree")
        return found

    def stays(self, make_pass: Callable[[], None]) -> None:
        """Check that a further pass, with its echoes, writes nothing and moves nothing."""
        before = [self.corp.rows(query) for query in EVERYTHING]
        calls = self.corp.simulator.calls
        calls.clear()
        make_pass()
        assert not [call for call in calls if call.api in WRITES], list(calls)
        after = [self.corp.rows(query) for query in EVERYTHING]
        moved = [sorted(set(now) ^ set(then), key=repr) for then, now in zip(before, after, strict=True)]
        assert after == before, f"moved at rest: {moved}"

    # Looking.

    def _read(self) -> dict[Subject, Standing]:
        return {(table, number): Standing(*values) for table, number, *values in self.corp.rows(NAMES)}

    def _rows_about(self, subject: Subject) -> set[int]:
        table, number = subject
        return {row for (row,) in self.corp.rows(ROWS.format("tag_id" if table == "tag" else "group_id"), number)}

    def _made_by_us(self) -> list[str]:
        library = self.corp.simulator.world.tags
        return [tag.name for tag in library._tags.values() if tag.made_by != wecom.CONSOLE]
