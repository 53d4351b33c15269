"""Every pinned history holds, and every mutant dies: by its history on the real code, and by the planner's states."""

import random

import pytest

from tests.domain.decide_oracle import Ballot
from tests.domain.merge_oracle import expected_merge
from tests.domain.merge_states import STATES, state
from tests.domain.test_decide_states import CHOICES, wish
from tests.stateful.histories import HISTORIES, live
from tests.stateful.mutants import MUTANTS, Mutant
from wecom_app.domain.merge import merge
from wecom_app.domain.tagging import Unit, decide

DECIDERS = [mutant for mutant in MUTANTS if mutant.decide is not None]
PLANNERS = [mutant for mutant in MUTANTS if mutant.merge is not None]
MOST_STATES = 3000


@pytest.mark.parametrize("name", list(HISTORIES))
def test_a_pinned_history_comes_to_its_right_end(name: str) -> None:
    live(HISTORIES[name])


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_a_broken_product_fails_its_pinned_history(mutant: Mutant, monkeypatch: pytest.MonkeyPatch) -> None:
    mutant.enter(monkeypatch)

    with pytest.raises(AssertionError):
        live(HISTORIES[mutant.history.__name__])


@pytest.mark.parametrize("mutant", PLANNERS, ids=lambda mutant: mutant.name)
def test_a_broken_merge_differs_from_the_second_reading_within_a_few_thousand_states(mutant: Mutant) -> None:
    assert mutant.merge is not None
    broken, chance = mutant.merge(merge), random.Random(0)
    questions = (state(chance.randrange(STATES)) for _ in range(MOST_STATES))

    assert any(broken(*question) != expected_merge(*question) for question in questions)


@pytest.mark.parametrize("mutant", DECIDERS, ids=lambda mutant: mutant.name)
def test_a_broken_decision_differs_from_the_second_reading_within_a_few_thousand_wishes(mutant: Mutant) -> None:
    assert mutant.decide is not None
    broken, chance = mutant.decide(decide), random.Random(0)
    unit, ballot, same = Unit(None), Ballot(), True
    for _ in range(MOST_STATES):
        wanted = wish(chance.randrange(CHOICES))
        unit = broken(unit, wanted).unit
        ballot.wish(wanted.source.kind, wanted.source.ref, wanted.tag_id, add=wanted.add)
        same = same and (unit.held.tag_id if unit.held else None) == ballot.value

    assert not same
