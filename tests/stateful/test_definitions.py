"""The tag library under random histories, its pinned histories, and the product broken on purpose.

`make sync-soak` plays the machine at length.
"""

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.stateful.definitions_histories import HISTORIES, live
from tests.stateful.definitions_machine import TwoWayDefinitions
from tests.stateful.definitions_mutants import MUTANTS, Mutant


@pytest.mark.slow
def test_whatever_happens_to_names_orders_and_groups_both_sides_come_together() -> None:
    """60 histories of 20 steps, always the same ones."""
    run_state_machine_as_test(
        TwoWayDefinitions,
        settings=settings(
            max_examples=60,
            stateful_step_count=20,
            derandomize=True,
            database=None,
            deadline=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        ),
    )


@pytest.mark.parametrize("name", list(HISTORIES))
def test_a_pinned_history_of_the_library_comes_to_its_right_end(name: str) -> None:
    live(HISTORIES[name])


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_a_broken_library_fails_its_pinned_history(mutant: Mutant, monkeypatch: pytest.MonkeyPatch) -> None:
    mutant.breaks(monkeypatch)

    with pytest.raises(AssertionError):
        live(mutant.history)
