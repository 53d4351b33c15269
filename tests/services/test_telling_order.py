"""Renames told one by one: WeCom never hears a name that a neighbour of the tag still bears."""

from hypothesis import given
from hypothesis import strategies as st

from wecom_app.models import Tag
from wecom_app.services.library_telling import Telling, in_order

NAMES = ("甲", "乙", "丙", "丁", "戊", "己")


@given(st.permutations(NAMES), st.integers(1, len(NAMES)))
def test_any_exchange_of_names_is_told_without_a_clash(wanted: list[str], size: int) -> None:
    """Some tags swap names in any way, others get new ones; WeCom refuses a name that is taken (40071)."""
    there = dict(enumerate(NAMES[:size]))
    told = [
        Telling(Tag, number, 1, f"et{number}", name, wanted[number], None)
        for number, name in there.items()
        if wanted[number] != name
    ]

    for telling in in_order(told):
        assert telling.name not in there.values()
        there[telling.id] = str(telling.name)

    assert list(there.values()) == list(wanted[:size])


@given(st.lists(st.sampled_from(NAMES), min_size=1, max_size=len(NAMES)))
def test_names_that_two_are_to_get_come_to_an_end_too(wanted: list[str]) -> None:
    """One in use and an archived one may bear one name here: WeCom refuses the second, but nothing goes round."""
    told = [
        Telling(Tag, number, 1, f"et{number}", NAMES[number], name, None)
        for number, name in enumerate(wanted)
        if name != NAMES[number]
    ]

    ordered = in_order(told)

    assert sorted(one.id for one in ordered if not one.is_passing) == [one.id for one in told]
    stepped_aside = [one.id for one in ordered if one.is_passing]
    assert len(stepped_aside) == len(set(stepped_aside))
