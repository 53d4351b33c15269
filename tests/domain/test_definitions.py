"""The three-way decision on a name or an order: every combination of sides, policies and leaders."""

from itertools import product

import pytest

from wecom_app.domain.definitions import Policy, Sides, Step, canonical, decide

VALUES = ("a", "b", "c")


def expected(sides: Sides[str], policy: Policy, leads: Policy | None) -> Step:
    """Say it once more, in the words of the decision and not of the code."""
    if sides.ours == sides.theirs:
        return Step.AGREED
    if sides.base is None or leads is Policy.WECOM:
        return Step.TAKE
    they_changed = sides.theirs not in (sides.base, sides.sent)
    we_changed = sides.ours != sides.base
    if not they_changed:
        return Step.PUSH
    if leads is Policy.OURS:
        return Step.INSIST
    if not we_changed:
        return Step.TAKE
    return {Policy.WECOM: Step.YIELD, Policy.OURS: Step.INSIST, Policy.ASK: Step.ASK}[policy]


def test_every_combination_of_sides_is_decided_as_said() -> None:
    cases = product(VALUES, VALUES, (None, *VALUES), (None, *VALUES), Policy, (None, Policy.WECOM, Policy.OURS))
    for ours, theirs, base, sent, policy, leads in cases:
        sides = Sides(ours, theirs, base, sent)
        assert decide(sides, policy, leads=leads) is expected(sides, policy, leads), (sides, policy, leads)


@pytest.mark.parametrize(
    ("one", "other", "is_same"),
    [
        ("Café", "Cafe\u0301", True),
        (" VIP ", "VIP", True),
        ("VIP", "vip", False),
        ("VIP", "ＶＩＰ", False),
        ("👩‍👧", "👩👧", False),
        ("护肤\u3000", "护肤", True),
    ],
)
def test_names_are_one_by_composition_and_outer_space_alone(one: str, other: str, is_same: bool) -> None:
    assert (canonical(one) == canonical(other)) is is_same
    assert (decide(Sides(one, other, "前"), Policy.ASK) is Step.AGREED) is is_same
