"""What people and machines did, and which values may stand at the end: written from the sync design alone.

Nothing here knows the product's code or tables. A *unit* is one tag of one customer, one single-choice group of
one customer, or one tag on one friendship; its value is a tag, or None. A *window* runs from one moment of rest,
when both sides agreed and nothing was under way, to the next.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import combinations, product
from typing import Literal

Value = str | None
UNKNOWN = "?"
"""The value at the start of a window of which nothing is known: a first link, or a friendship made anew."""
MOST_COURSES = 4096
"""Beyond so many possible courses of a window every value that somebody wished is allowed."""
By = Literal["person", "machine", "member"]


@dataclass(frozen=True)
class UnitKey:
    """`friendship` is None where the customer's own value counts; `tag` is None for a single-choice group."""

    customer: str
    tag: str | None
    friendship: int | None = None


@dataclass(frozen=True)
class Deed:
    """Somebody put a tag on or took it off; a `member` did it in WeCom, on one friendship."""

    step: int
    by: By
    tag: str
    on: bool
    friendship: int | None = None


@dataclass
class Window:
    """What happened to one unit since both sides last agreed."""

    start: Value
    deeds: list[Deed] = field(default_factory=list)
    rows: int = 0
    """Conflict rows of the unit at the start."""

    def add(self, deed: Deed) -> None:
        self.deeds.append(deed)


@dataclass(frozen=True)
class Verdict:
    """`why` is counted: nobody touched the unit, one allowed value, several, excused by a row, or not judged."""

    ok: bool
    why: str
    allowed: frozenset[Value]


class Ledger:
    """Deeds in order, unit by unit."""

    def __init__(self) -> None:
        self.step = 0
        self.windows: dict[UnitKey, Window] = {}
        self.left: dict[int, list[tuple[UnitKey, str]]] = {}
        """Tags that a member put on a friendship that ended before anybody saw them: made anew, it may show them."""
        self.epochs: dict[int, list[int]] = {}
        """Steps of this window in which a friendship ended or began."""
        self.troubled: set[str] = set()
        """Customers for whom something went wrong on purpose since the last rest: an excess of rows is not judged."""
        self.member_acts: Counter[str] = Counter()
        """By customer, all acts of members, and every beginning of a friendship, since ever."""
        self.dead: set[str] = set()
        """Tags that WeCom has no longer."""
        self.unknown: set[str] = set()
        """Customers of whom nothing is known yet."""
        self.counts: Counter[str] = Counter()

    def window(self, key: UnitKey) -> Window:
        """Return the unit's window; a tag that was not there before has been on nobody."""
        return self.windows.setdefault(key, Window(UNKNOWN if key.customer in self.unknown else None))

    def begin(self) -> None:
        """Somebody acts now, after everything that is written down."""
        self.step += 1

    def note(self, key: UnitKey, by: By, tag: str, on: bool, friendship: int | None = None) -> None:
        """Write down a deed of the present step."""
        self.window(key).add(Deed(self.step, by, tag, on, friendship))

    def note_epoch(self, friendship: int) -> None:
        """A friendship ended or began: what was done on it shortly before or after may be seen late or never."""
        self.epochs.setdefault(friendship, []).append(self.step)
        for key, tag in self.left.pop(friendship, []):
            self.note(key, "member", tag, True, friendship)

    def forget_tag(self, tag: str) -> None:
        """The tag was deleted in WeCom: a unit that comes to it counts as empty."""
        self.dead.add(tag)
        for key in [key for key in self.windows if key.tag == tag]:
            del self.windows[key]

    def forget(self, key: UnitKey) -> None:
        """Nothing is known of the unit until the next rest."""
        self.windows[key] = Window(UNKNOWN)

    def judge(self, key: UnitKey, value: Value, rows: int) -> Verdict:
        """Say whether `value` may stand, now that both sides agree, with so many conflict rows of the unit."""
        window = self.window(key)
        allowed = self._allowed(window)
        if allowed is None:
            return self._count(Verdict(True, "skipped", frozenset()))
        if value in allowed:
            why = "several" if len(allowed) > 1 else "one" if window.deeds else "untouched"
            return self._count(Verdict(True, why, allowed))
        if rows > window.rows and value in _wished(window):
            return self._count(Verdict(True, "row", allowed))
        return Verdict(False, "wrong", allowed)

    def rest(self, customer: str, values: dict[UnitKey, tuple[Value, int]], friendships: Iterable[int]) -> None:
        """Begin new windows for a customer's units; `values` holds each one's value and its number of rows."""
        for key, window in self.windows.items():
            for deed in window.deeds:
                if key in values and key.friendship is None and deed.by == "member" and deed.on and self._epochs(deed):
                    self.left.setdefault(deed.friendship or 0, []).append((key, deed.tag))
        for key, (value, rows) in values.items():
            self.windows[key] = Window(value, rows=rows)
        for friendship in friendships:
            self.epochs.pop(friendship, None)
        self.troubled.discard(customer)
        self.unknown.discard(customer)

    def excuses_change(self, key: UnitKey, new: Value) -> bool:
        """Say whether the truth may have moved to `new` without an act here: somebody in WeCom must have done it."""
        window = self.window(key)
        if window.start == UNKNOWN:
            return True
        last_here = max((deed.step for deed in window.deeds if self._binds(deed, window)), default=-1)
        return any(
            (self._alive(deed.tag) == new if deed.on else deed.tag != new)
            and (deed.step > last_here or any(step > last_here for step in self._epochs(deed)))
            for deed in window.deeds
            if deed.by == "member"
        )

    def _binds(self, deed: Deed, window: Window) -> bool:
        """Say whether a person's deed here stands in the way of earlier deeds in WeCom that nobody had seen.

        Once a machine has acted after him they may win, with a row (sync design §2.6), which is asked for at rest.
        """
        is_person = deed.by == "person" and deed.tag not in self.dead
        return is_person and not any(other.by == "machine" and other.step > deed.step for other in window.deeds)

    def is_quiet(self, key: UnitKey) -> bool:
        """Say whether nobody and nothing gave reason for a conflict row in this window."""
        window = self.window(key)
        nobody = not any(deed.by == "member" for deed in window.deeds) and window.start != UNKNOWN
        return nobody and key.customer not in self.troubled and not self.epochs

    def _epochs(self, deed: Deed) -> list[int]:
        return self.epochs.get(deed.friendship, []) if deed.friendship is not None else []

    def _count(self, verdict: Verdict) -> Verdict:
        self.counts[verdict.why] += 1
        return verdict

    def _allowed(self, window: Window) -> frozenset[Value] | None:
        """Return the values that the design allows at the end of a window; None where it promises nothing."""
        if window.start == UNKNOWN:
            return None
        first_seen = min((deed.step for deed in window.deeds if deed.by == "member"), default=None)
        ours = [deed for deed in window.deeds if deed.by != "member"]
        # Of a tag that is gone nobody can say whether the act still stands in the way of others.
        unsure = [d for d in ours if d.tag in self.dead or (d.by == "machine" and _is_late(d, first_seen))]
        choices = [*self._members_courses(window), *([(), (deed,)] for deed in unsure)]
        own = [deed for deed in ours if deed not in unsure]
        size = 1
        for choice in choices:
            size *= len(choice)
        if size > MOST_COURSES:
            return _wished(window)
        return frozenset(
            self._alive(_outcome(window.start, [*own, *(deed for part in course for deed in part)]))
            for course in product(*choices)
        )

    def _alive(self, value: Value) -> Value:
        return None if value in self.dead else value

    def _members_courses(self, window: Window) -> Iterator[list[tuple[Deed, ...]]]:
        """Yield for each cell what may be seen of it: there and back between two looks is invisible."""
        cells: dict[tuple[int | None, str], list[Deed]] = {}
        for deed in window.deeds:
            if deed.by == "member":
                cells.setdefault((deed.friendship, deed.tag), []).append(deed)
        for deeds in cells.values():
            epochs = self._epochs(deeds[0])
            # Of a tag that is gone perhaps only the beginning was seen, or nothing.
            ends = range(len(deeds) + 1) if deeds[0].tag in self.dead else (len(deeds),)
            seen = {course for end in ends for course in _thinned(tuple(deeds[:end]))}
            yield sorted(_torn(deeds, epochs) if epochs else seen, key=len)


def _is_late(deed: Deed, first_seen: int | None) -> bool:
    """A machine's act after an act in WeCom that may not have been known yet: a person beats it."""
    return first_seen is not None and deed.step > first_seen


def _thinned(deeds: tuple[Deed, ...]) -> set[tuple[Deed, ...]]:
    """Return the deeds with any number of neighbours that undo each other left out."""
    found = {deeds}
    for index in range(len(deeds) - 1):
        if deeds[index].on != deeds[index + 1].on:
            found |= _thinned(deeds[:index] + deeds[index + 2 :])
    return found


def _torn(deeds: list[Deed], epochs: list[int]) -> set[tuple[Deed, ...]]:
    """Return what may be seen where the friendship ended or began: any part, when it was done or at the beginning."""
    found: set[tuple[Deed, ...]] = set()
    moments = [
        [deed, *(Deed(step, deed.by, deed.tag, deed.on, deed.friendship) for step in epochs if step > deed.step)]
        for deed in deeds
    ]
    for size in range(len(deeds) + 1):
        for part in combinations(moments, size):
            found.update(product(*part))
    return found


def _outcome(start: Value, deeds: list[Deed]) -> Value:
    value = start
    for deed in sorted(deeds, key=lambda deed: deed.step):
        if deed.on:
            value = deed.tag
        elif deed.tag == value:
            value = None
    return value


def _wished(window: Window) -> frozenset[Value]:
    return frozenset({window.start, None, *(deed.tag for deed in window.deeds if deed.on)})
