"""The state machine: any course of acts, faults, callbacks and crashes, on the real code."""

from collections.abc import Mapping
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import initialize, precondition, rule

from tests.stateful.corp import FRIENDSHIPS, HOBBIES, LEVELS, NOTES
from tests.stateful.course import CRASH
from tests.stateful.course_machine import CourseMachine
from tests.stateful.life import (
    AFTER_LOOK,
    AFTER_MERGE,
    AFTER_PUSH,
    BEFORE_PUSH,
    GET,
    LIBRARY,
    MARK,
    MEMBERS,
    PAGES,
    POINTS,
    PULL_POINTS,
    Life,
)

# Some come up more often than others, so that histories meet on the same tag of the same customer.
CUSTOMER = st.sampled_from([0, 0, 0, 1])
FRIENDSHIP = st.sampled_from([0, 1, 0, 1, 2])
SHARED = st.sampled_from([*HOBBIES[:1] * 4, *LEVELS[:2] * 2, *LEVELS, *HOBBIES[1:]])
NOTE = st.sampled_from(NOTES)
MACHINES = st.sampled_from(["rule", "channel", "api", "import"])
PLACE = st.integers(0, 7)
MARK_FAULTS = (
    *({"kind": kind} for kind in ("down", "lost_request", "lost_reply", "timeout", "html", "silent_ok", "partial")),
    *({"kind": "errcode", "errcode": errcode} for errcode in (-1, 40014, 45009, 45033, 45035)),
    {"kind": "timeout", "applied": True},
    {"kind": "partial_lost"},
    {"kind": "http_502"},
)
GET_FAULTS = (
    *({"kind": kind} for kind in ("down", "lost_reply", "html", "silent_ok", "partial")),
    *({"kind": "errcode", "errcode": errcode} for errcode in (-1, 40014, 45009, 84061)),
)
LIBRARY_FAULTS = (
    *({"kind": kind} for kind in ("down", "html", "silent_ok", "partial")),
    {"kind": "errcode", "errcode": -1},
)
PAGE_FAULTS = (
    *({"kind": kind} for kind in ("down", "lost_reply", "html", "silent_ok", "partial", "doubled", "circle")),
    *({"kind": "errcode", "errcode": errcode} for errcode in (-1, 40014, 45009, 50100, 84061, 701008)),
)
MEMBER_FAULTS = (
    *({"kind": kind} for kind in ("down", "html", "silent_ok", "partial", "doubled")),
    {"kind": "errcode", "errcode": -1},
)
FAULTS = st.one_of(
    st.tuples(st.just(PAGES), st.sampled_from(PAGE_FAULTS)),
    st.tuples(st.just(MEMBERS), st.sampled_from(MEMBER_FAULTS)),
    st.tuples(st.just(MARK), st.sampled_from(MARK_FAULTS)),
    st.tuples(st.just(GET), st.sampled_from(GET_FAULTS)),
    st.tuples(st.just(LIBRARY), st.sampled_from(LIBRARY_FAULTS)),
)
TANGLES = st.one_of(
    st.tuples(st.just("member"), FRIENDSHIP, SHARED, st.fixed_dictionaries({"add": st.booleans()})),
    st.tuples(st.just("person"), CUSTOMER, SHARED, st.fixed_dictionaries({"add": st.booleans()})),
    st.tuples(st.just("machine"), CUSTOMER, SHARED, st.fixed_dictionaries({"kind": MACHINES})),
    st.tuples(st.just("settle_events")),
)


BETWEEN_PAGES = st.one_of(
    TANGLES,
    st.tuples(st.just("lose"), FRIENDSHIP, st.fixed_dictionaries({"by_staff": st.booleans()})),
    st.tuples(st.just("meet"), FRIENDSHIP, st.fixed_dictionaries({"keep": st.sampled_from([True, False])})),
    st.tuples(st.just("delete_tag"), SHARED),
    st.tuples(st.just("stop_pull")),
)
INTERRUPTIONS = st.one_of(
    st.tuples(st.sampled_from(PULL_POINTS), st.just((CRASH,))),
    st.tuples(st.sampled_from(PULL_POINTS), BETWEEN_PAGES),
    st.tuples(st.sampled_from(POINTS), st.just((CRASH,))),
    st.tuples(st.sampled_from([BEFORE_PUSH, AFTER_PUSH, AFTER_LOOK, AFTER_MERGE]), TANGLES),
)


class TwoWaySync(CourseMachine):
    """Thirty steps of a corp's life; the end heals everything and judges."""

    life: Life
    met: bool
    healed = False
    """Whether it was healed in mid-course; once is enough, it takes long."""

    @property
    def heading(self) -> str:
        return f"met={self.met}"

    def judged(self) -> Mapping[str, int]:
        return self.life.ledger.counts

    @initialize(
        met=st.sampled_from([True, True, True, False]),
        old=st.lists(st.tuples(FRIENDSHIP, st.lists(SHARED, max_size=3)), max_size=3),
        echo=st.booleans(),
        strict=st.sampled_from([False, False, True]),
        pulled=st.booleans(),
    )
    def begin(self, met: bool, old: list[tuple[int, list[str]]], echo: bool, strict: bool, pulled: bool) -> None:
        self.met, self.life = met, Life(met=met)
        self.life.echo(on=echo)
        if strict:
            self.life.strict_guard()
        if not met:
            for friendship, names in old:
                self.life.was_there(friendship, names)
            for friendship in range(len(FRIENDSHIPS)):
                self.life.meet(friendship)
            # A customer of whom no event tells is found by a full pull only.
            if pulled:
                self.life.pull()
            else:
                self.life.remark(0)
                self.life.remark(2)
            self.life.settle()

    @rule(customer=CUSTOMER, name=SHARED)
    def person(self, customer: int, name: str) -> None:
        self.life.person(customer, name, add=not self.life.judge.has(customer, name))

    @rule(customer=CUSTOMER, name=SHARED)
    def person_says_it_again(self, customer: int, name: str) -> None:
        self.life.person(customer, name, add=self.life.judge.has(customer, name))

    @rule(friendship=FRIENDSHIP, name=NOTE, add=st.booleans(), in_wecom=st.booleans())
    def note_on_friendship(self, friendship: int, name: str, add: bool, in_wecom: bool) -> None:
        if in_wecom:
            self.life.member(friendship, name, add=add)
        else:
            self.life.person(0 if friendship < 2 else 1, name, add=add, friendship=friendship)

    @rule(customer=CUSTOMER, name=SHARED, kind=MACHINES)
    def machine(self, customer: int, name: str, kind: str) -> None:
        self.life.machine(customer, name, kind=kind)

    @rule(friendship=FRIENDSHIP, name=SHARED, replacing=st.booleans())
    def member(self, friendship: int, name: str, replacing: bool) -> None:
        self._member(friendship, name, replacing)

    @rule(friendship=FRIENDSHIP, name=SHARED)
    def member_again(self, friendship: int, name: str) -> None:
        self._member(friendship, name, replacing=True)

    def _member(self, friendship: int, name: str, replacing: bool) -> None:
        there = self.life.judge.sight.there(friendship) or frozenset()
        add = self.life.judge.sight.tag_id(name) not in there
        self.life.member(friendship, name, add=add, replacing=replacing)

    @rule(friendship=FRIENDSHIP, by_staff=st.booleans(), keep=st.sampled_from([None, True, False]))
    def part_or_meet(self, friendship: int, by_staff: bool, keep: bool | None) -> None:
        if self.life.judge.sight.there(friendship) is None:
            self.life.meet(friendship, keep=keep)
        else:
            self.life.lose(friendship, by_staff=by_staff)

    @rule(name=SHARED)
    def delete_or_make_tag(self, name: str) -> None:
        if self.life.judge.sight.tag_id(name) is None:
            self.life.make_tag(name)
        else:
            self.life.delete_tag(name)

    @rule(fault=FAULTS, times=st.integers(1, 4))
    def fault(self, fault: tuple[str, dict[str, Any]], times: int) -> None:
        api, parts = fault
        self.life.fault(api, times=times, **parts)

    @rule(interruption=INTERRUPTIONS)
    def interrupt(self, interruption: tuple[str, tuple[Any, ...]]) -> None:
        point, act = interruption
        self.life.at(point, *act)

    @rule(indexes=st.lists(PLACE, min_size=1, max_size=3), how=st.sampled_from(["deliver", "deliver", "drop", "again"]))
    def callbacks(self, indexes: list[int], how: str) -> None:
        if how == "deliver":
            self.life.deliver(*indexes)
        elif how == "drop":
            self.life.drop(indexes[0])
        else:
            self.life.deliver_again(indexes[0])

    @rule(jobs=st.sampled_from([1, 1, 2, None, None]))
    def work(self, jobs: int | None) -> None:
        self.life.work(jobs)

    @rule(by_clock=st.booleans(), jobs=st.sampled_from([0, 1, 2, 3, 4, None]))
    def pull(self, by_clock: bool, jobs: int | None) -> None:
        self.life.pull(by_clock=by_clock)
        if jobs != 0:
            self.life.work(jobs)

    @rule(act=st.sampled_from(["approve", "reject", "stop_pull", "resume_pull", "undo_pull"]))
    def steer(self, act: str) -> None:
        getattr(self.life, act)()

    @precondition(lambda self: not self.healed)
    @rule()
    def heal(self) -> None:
        self.healed = True
        self.life.heal()
