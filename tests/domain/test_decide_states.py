"""Who wins a tag, over histories of wishes and against a second reading of the rules."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.domain.decide_oracle import Ballot
from wecom_app.domain.tagging import Source, Unit, Wish, decide
from wecom_app.domain.vocabulary import SourceKind

TAGS = (1, 2, 3)
SOURCES = [Source(kind, "" if kind in ("manual", "wecom") else "1") for kind in SourceKind]
SOURCES += [Source(SourceKind.RULE, "2"), Source(SourceKind.CHANNEL, "2"), Source(SourceKind.API, "2")]
CHOICES = len(SOURCES) * len(TAGS) * 2


def wish(number: int) -> Wish:
    """Return the wish that a number stands for."""
    number, source = divmod(number, len(SOURCES))
    number, tag = divmod(number, len(TAGS))
    return Wish(TAGS[tag], number == 0, SOURCES[source])


@pytest.mark.slow
@given(st.lists(st.integers(0, CHOICES - 1), max_size=10))
@settings(max_examples=4_000, deadline=None, derandomize=True, database=None)
def test_whoever_wishes_what_the_holder_is_the_one_that_a_second_reading_elects(numbers: list[int]) -> None:
    unit, ballot = Unit(None), Ballot()
    for number in numbers:
        wanted = wish(number)
        before = ballot.value
        decision = decide(unit, wanted)
        ballot.wish(wanted.source.kind, wanted.source.ref, wanted.tag_id, add=wanted.add)

        unit = decision.unit
        assert (unit.held.tag_id if unit.held else None) == ballot.value
        assert decision.changed == (before != ballot.value)
        claims = {((claim.source.kind.value, claim.source.ref), claim.tag_id) for claim in unit.claims}
        assert claims == ballot.waiting
