"""The three-way decision on an order as one value: it ends in one of the two orders, and never in a mixture."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from hypothesis import given, settings
from hypothesis import strategies as st

from wecom_app.domain.definitions import Policy, Sides, Step
from wecom_app.domain.orders import decide_order

NUMBERS = st.integers(0, 9)
LEADS = st.sampled_from((None, Policy.WECOM, Policy.OURS))
TAGS = "ABCDE"
ORDERS = st.permutations(TAGS).map("".join)
TELLING = (Step.PUSH, Step.INSIST)


def ranked(numbers: Sequence[int]) -> list[int]:
    return [sorted(set(numbers)).index(number) for number in numbers]


@given(st.lists(st.tuples(NUMBERS, NUMBERS, NUMBERS), min_size=1, max_size=6), st.sampled_from(Policy), LEADS)
def test_an_order_that_one_side_alone_changed_is_no_dispute(
    numbers: list[tuple[int, int, int]], policy: Policy, leads: Policy | None
) -> None:
    ours, theirs, bases = ([one[side] for one in numbers] for side in range(3))
    step = decide_order([Sides(*one) for one in numbers], policy, leads=leads)

    if ranked(ours) == ranked(theirs):
        assert step is Step.AGREED
    elif leads is Policy.WECOM:
        assert step is Step.TAKE
    elif ranked(theirs) == ranked(bases):
        assert step is Step.PUSH
    elif leads is Policy.OURS:
        assert step is Step.INSIST
    elif ranked(ours) == ranked(bases):
        assert step is Step.TAKE
    else:
        assert step is {Policy.WECOM: Step.YIELD, Policy.OURS: Step.INSIST, Policy.ASK: Step.ASK}[policy]


@dataclass
class Both:
    """The two sides of one group; WeCom's order is set whole by its people, and number by number by us."""

    here: dict[str, int]
    there: dict[str, int]
    base: dict[str, int | None]
    sent: dict[str, int | None] = field(default_factory=lambda: dict.fromkeys(TAGS))

    def look(self, policy: Policy) -> list[str]:
        """Merge; return the tags of which WeCom must be told."""
        places = {tag: Sides(self.here[tag], self.there[tag], self.base[tag], self.sent[tag]) for tag in self.here}
        step = decide_order(list(places.values()), policy)
        assert step is not Step.ASK
        for tag in places:
            if step not in TELLING:
                self.here[tag] = self.there[tag]
            if step is not Step.PUSH or self.there[tag] != self.base[tag]:
                self.base[tag], self.sent[tag] = self.there[tag], None
        return [tag for tag in places if self.here[tag] != self.there[tag]]

    @staticmethod
    def order(side: dict[str, int]) -> str:
        return "".join(sorted(TAGS, key=lambda tag: -side[tag]))


def numbered(order: str, first: int = 1) -> dict[str, int]:
    return {tag: number for number, tag in enumerate(reversed(order), first)}


ACTS = st.lists(
    st.tuples(st.integers(0, 6), st.sampled_from(("here", "there")), ORDERS, st.integers(1, 9)), min_size=2, max_size=5
)
"""How many moments pass before each; a moment is a look, or an edit told."""


@settings(max_examples=400)
@given(st.sampled_from((Policy.WECOM, Policy.OURS)), ORDERS, ACTS)
def test_whatever_comes_between_our_edits_an_order_ends_as_somebody_has_put_it(
    policy: Policy, first: str, acts: list[tuple[int, str, str, int]]
) -> None:
    both = Both(numbered(first), numbered(first), dict(numbered(first)))
    whole, due = {first}, [act for wait, *done in acts for act in (*[None] * wait, done)]

    def moment() -> None:
        act = due.pop(0) if due else None
        if act is not None:
            side, order, number = act
            (both.here if side == "here" else both.there).update(numbered(order, number))
            whole.add(order)

    for _ in range(60):
        moment()
        for tag in both.look(policy):
            number = both.here[tag]
            both.sent[tag] = number
            moment()
            both.there[tag] = number

    assert both.order(both.here) == both.order(both.there)
    assert both.order(both.here) in whole
    assert both.look(policy) == []


@given(st.sampled_from(Policy), ORDERS, st.integers(1, 20), st.sets(st.sampled_from(TAGS), max_size=4))
def test_tags_that_only_one_side_has_are_no_change_of_order(
    policy: Policy, order: str, number: int, missing: set[str]
) -> None:
    shown = list(_places(order, number, missing))

    assert not shown or decide_order(shown, policy) is Step.AGREED


def _places(order: str, number: int, missing: set[str]) -> Iterator[Sides[int]]:
    """Return the places of those that are left, which WeCom has numbered anew."""
    base, theirs = numbered(order), numbered("".join(tag for tag in order if tag not in missing), number)
    yield from (Sides(base[tag], theirs[tag], base[tag]) for tag in theirs)


def test_a_tag_just_linked_stands_where_wecom_has_it_unless_ours_is_told_anyway() -> None:
    linked = Sides(9, 1, None)
    assert decide_order([Sides(3, 3, 3), Sides(2, 2, 2), linked], Policy.ASK) is Step.TAKE
    assert decide_order([Sides(2, 3, 3), Sides(3, 2, 2), linked], Policy.ASK) is Step.PUSH


def test_where_wecom_shows_our_edit_beside_anothers_ours_is_insisted_on() -> None:
    places = [Sides(1, 1, 3, 1), Sides(2, 9, 2), Sides(3, 8, 1, 3)]
    assert decide_order(places, Policy.WECOM) is Step.INSIST
    assert decide_order(places, Policy.ASK) is Step.ASK, "a person sees for himself"
