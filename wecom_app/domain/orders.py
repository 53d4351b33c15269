"""Three-way decision on the order of neighbours, as one value: ours, what both sides last agreed on, WeCom's.

An order is what numbers say of one another, equal ones included; the numbers themselves may differ.
`services.definition_orders` loads the places, asks `decide_order` and writes the answer; this module touches nothing.
"""

from collections.abc import Sequence

from wecom_app.domain.definitions import BY_POLICY, Policy, Sides, Step

Place = Sides[int]
"""Where a group or tag stands on either side; the larger number is the further to the front."""


def decide_order(places: Sequence[Place], policy: Policy, *, leads: Policy | None = None) -> Step:
    """Return what to do with the order of all that both sides have; what only one side has is no change of order.

    Where WeCom shows our own edits beside another's, theirs is not known as a whole any more: ours is insisted on.
    """
    ours, theirs = _ranks([place.ours for place in places]), _ranks([place.theirs for place in places])
    if ours == theirs:
        return Step.AGREED
    known = [place for place in places if place.base is not None]
    if leads is Policy.WECOM or not known:
        return Step.TAKE
    if not _have_moved(known):
        return Step.PUSH if _have_we_moved(known) else Step.TAKE
    if leads is Policy.OURS:
        return Step.INSIST
    if not _have_we_moved(known):
        return Step.TAKE
    is_mixed = any(place.sent is not None and place.theirs == place.sent != place.base for place in known)
    return Step.INSIST if is_mixed and policy is Policy.WECOM else BY_POLICY[policy]


def _have_moved(known: Sequence[Place]) -> bool:
    """Return whether somebody else has put WeCom's into another order: what we told there is no one else's doing."""
    is_foreign = any(place.theirs not in (place.base, place.sent) for place in known)
    return is_foreign and _ranks([place.theirs for place in known]) != _bases(known)


def _have_we_moved(known: Sequence[Place]) -> bool:
    """Return whether ours is another order than was agreed on, or WeCom was told of one since."""
    is_told = any(place.sent is not None and place.sent != place.base for place in known)
    return is_told or _ranks([place.ours for place in known]) != _bases(known)


def _bases(known: Sequence[Place]) -> tuple[int, ...]:
    return _ranks([place.base for place in known if place.base is not None])


def _ranks(numbers: Sequence[int]) -> tuple[int, ...]:
    """Return the place of each number among the others; equal numbers share one."""
    rank = {number: index for index, number in enumerate(sorted(set(numbers)))}
    return tuple(rank[number] for number in numbers)
