"""Two-way sync under random histories. `make sync-soak` plays the same at length."""

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.stateful.machine import TwoWaySync

pytestmark = pytest.mark.slow


def test_whatever_happens_both_sides_come_together_and_nothing_is_lost() -> None:
    """150 histories of 30 steps, always the same ones."""
    run_state_machine_as_test(
        TwoWaySync,
        settings=settings(
            max_examples=150,
            stateful_step_count=30,
            derandomize=True,
            database=None,
            deadline=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        ),
    )
