"""The state machine of the tag library: any course of edits on both sides, faults, callbacks and crashes."""

from collections.abc import Mapping
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import initialize, rule

from tests.stateful.course import CRASH
from tests.stateful.course_machine import CourseMachine
from tests.stateful.definitions_judge import ADD, DELETE, EDIT
from tests.stateful.definitions_life import DefinitionsLife

LIST = "externalcontact/get_corp_tag_list"
LONG = "名" * 30
"""A name at the limit."""
NEW = st.sampled_from(["甲", "乙", "丙", "丁", "甲", "乙", "丙", "丁", LONG])
GROUP = st.sampled_from(["爱好", "等级", "外部", "新组"])
INDEX = st.integers(0, 3)
TURN = st.integers(0, 2)
SIDE = st.sampled_from(["here", "here", "there", "there"])
POINTS = (
    *("library.before_create", "library.after_create", "library.before_edit", "library.after_edit"),
    *("library.before_delete", "library.after_delete", "library.before_burial", "library.relinking"),
)
DOWN = ({"kind": "down"}, {"kind": "html"}, {"kind": "errcode", "errcode": -1}, {"kind": "errcode", "errcode": 45009})
LOST = ({"kind": "lost_request"}, {"kind": "lost_reply"}, {"kind": "silent_ok"}, {"kind": "timeout", "applied": True})
FAULTS = {
    LIST: (*DOWN, *({"kind": kind} for kind in ("silent_ok", "partial", "doubled"))),
    EDIT: (*DOWN, *LOST, *({"kind": "errcode", "errcode": errcode} for errcode in (40058, 40068, 40071, 41048))),
    ADD: (*DOWN, *LOST, {"kind": "partial"}, *({"kind": "errcode", "errcode": code} for code in (40071, 40126, 41048))),
    DELETE: (*DOWN, *LOST, {"kind": "partial"}, *({"kind": "errcode", "errcode": code} for code in (40068, 41048))),
}
FAULT = st.sampled_from([(api, fault) for api, faults in FAULTS.items() for fault in faults])
MEANWHILE = st.one_of(
    st.just((CRASH,)),
    st.tuples(st.just("rename_there"), GROUP, NEW, NEW),
    st.tuples(st.just("rename_here"), GROUP, NEW, NEW),
    st.tuples(st.just("make_there"), GROUP, NEW),
    st.tuples(st.just("delete_there"), GROUP, NEW),
    st.tuples(st.just("order_there"), GROUP, TURN),
    st.tuples(st.just("settle_events")),
)


def chosen(names: list[str], index: int) -> str:
    """Return one of the names that there are; any where there are none."""
    return names[index % len(names)] if names else "甲"


class TwoWayDefinitions(CourseMachine):
    """Twenty steps of a library's life; the end heals everything and judges."""

    life: DefinitionsLife

    @property
    def heading(self) -> str:
        return "definitions"

    def judged(self) -> Mapping[str, int]:
        return {"acts": self.life.judge.acts}

    @initialize(
        echo=st.booleans(),
        strict=st.booleans(),
        policies=st.lists(st.sampled_from(["ours", "ask", "wecom"]), min_size=2, max_size=2),
    )
    def begin(self, echo: bool, strict: bool, policies: list[str]) -> None:
        self.life = DefinitionsLife()
        self.life.echo(on=echo)
        if strict:
            self.life.strict_guard()
        for group, policy in zip(("爱好", "等级"), policies, strict=True):
            self.life.policy(group, policy)

    def _group(self, side: str, index: int) -> str:
        return chosen(self.life.groups_here() if side == "here" else self.life.groups_there(), index)

    def _tag(self, side: str, group: str, index: int) -> str:
        return chosen(self.life.tags_here(group) if side == "here" else self.life.tags_there(group), index)

    def _do(self, act: str, side: str, *arguments: Any) -> None:
        getattr(self.life, f"{act}_{side}")(*arguments)

    @rule(side=SIDE, group=INDEX, tag=INDEX, new=NEW)
    def rename(self, side: str, group: int, tag: int, new: str) -> None:
        of = self._group(side, group)
        self._do("rename", side, of, self._tag(side, of, tag), new)

    @rule(group=INDEX, tag=INDEX, names=st.tuples(NEW, NEW))
    def rename_on_both_sides(self, group: int, tag: int, names: tuple[str, str]) -> None:
        of = self._group("here", group)
        name = self._tag("here", of, tag)
        self.life.rename_here(of, name, names[0])
        self.life.rename_there(of, name, names[1])

    @rule(side=SIDE, group=INDEX, tag=INDEX)
    def swap(self, side: str, group: int, tag: int) -> None:
        of = self._group(side, group)
        one, other = self._tag(side, of, tag), self._tag(side, of, tag + 1)
        if one != other:
            self._do("swap", side, of, one, other)

    @rule(side=SIDE, group=INDEX, new=GROUP)
    def rename_group(self, side: str, group: int, new: str) -> None:
        self._do("rename_group", side, self._group(side, group), new)

    @rule(side=SIDE, group=INDEX, name=NEW)
    def make(self, side: str, group: int, name: str) -> None:
        self._do("make", side, self._group(side, group), name)

    @rule(side=SIDE, group=GROUP, names=st.lists(NEW, min_size=1, max_size=2, unique=True))
    def make_group(self, side: str, group: str, names: list[str]) -> None:
        if side == "here":
            self.life.make_group_here(group, *names)
        else:
            self.life.make_there(group, *names)

    @rule(side=SIDE, group=INDEX, tag=INDEX)
    def delete(self, side: str, group: int, tag: int) -> None:
        of = self._group(side, group)
        self._do("delete", side, of, self._tag(side, of, tag))

    @rule(side=SIDE, group=INDEX)
    def delete_group(self, side: str, group: int) -> None:
        self._do("delete", side, self._group(side, group))

    @rule(side=SIDE, group=INDEX, turn=TURN)
    def order(self, side: str, group: int, turn: int) -> None:
        self._do("order", side, self._group(side, group), turn)

    @rule(side=SIDE, turn=TURN)
    def order_groups(self, side: str, turn: int) -> None:
        self._do("order_groups", side, turn)

    @rule(group=INDEX, tag=st.one_of(st.none(), INDEX))
    def archive(self, group: int, tag: int | None) -> None:
        of = self._group("here", group)
        self.life.archive_here(of, None if tag is None else self._tag("here", of, tag))

    @rule(group=GROUP, tag=st.one_of(st.none(), NEW), recreating=st.booleans())
    def bring_back(self, group: str, tag: str | None, recreating: bool) -> None:
        if recreating:
            self.life.recreate(group, tag)
        else:
            self.life.restore_here(group, tag)

    @rule(group=INDEX, policy=st.sampled_from(["ours", "ask", "wecom"]))
    def policy(self, group: int, policy: str) -> None:
        self.life.policy(self._group("here", group), policy)

    @rule(group=INDEX, mirror=st.sampled_from(["push", "pull", "two_way", "none"]))
    def mirror(self, group: int, mirror: str) -> None:
        self.life.mirror(self._group("here", group), mirror)

    @rule(keep=st.sampled_from(["ours", "theirs"]))
    def settle_row(self, keep: str) -> None:
        self.life.settle_row(keep)

    @rule(yes=st.booleans())
    def answer_the_guard(self, yes: bool) -> None:
        self.life.approve(yes=yes)

    @rule()
    def retry(self) -> None:
        self.life.retry()

    @rule(fault=FAULT, times=st.integers(1, 4))
    def fault(self, fault: tuple[str, dict[str, Any]], times: int) -> None:
        api, parts = fault
        self.life.fault(api, times=times, **parts)

    @rule(point=st.sampled_from(POINTS), doing=MEANWHILE)
    def interrupt(self, point: str, doing: tuple[Any, ...]) -> None:
        self.life.at(point, *doing)

    @rule(
        indexes=st.lists(st.integers(0, 7), min_size=1, max_size=3), how=st.sampled_from(["deliver", "drop", "again"])
    )
    def callbacks(self, indexes: list[int], how: str) -> None:
        if how == "deliver":
            self.life.deliver(*indexes)
        elif how == "drop":
            self.life.drop(indexes[0])
        else:
            self.life.deliver_again(indexes[0])

    @rule(jobs=st.sampled_from([1, 2, None]))
    def work(self, jobs: int | None) -> None:
        self.life.work(jobs)

    @rule(by_clock=st.booleans(), jobs=st.sampled_from([0, 1, None]))
    def read(self, by_clock: bool, jobs: int | None) -> None:
        self.life.read(by_clock=by_clock)
        if jobs != 0:
            self.life.work(jobs)
