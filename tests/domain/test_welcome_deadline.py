"""Until when a welcome message may be sent: 18 seconds from receipt, less what the callback took on its way."""

from datetime import UTC, datetime, timedelta

import pytest

from wecom_app.services.welcome import deadline_of

RECEIVED = datetime(2026, 11, 23, 2, 0, 0, 500_000, tzinfo=UTC)


def deadline_after(delay_s: float) -> float:
    """Return the seconds left at receipt of an event that happened `delay_s` before."""
    found = deadline_of(RECEIVED, RECEIVED - timedelta(seconds=delay_s))
    return (found.at - RECEIVED).total_seconds()


@pytest.mark.parametrize(("delay_s", "left_s"), [(0, 18), (0.5, 17.5), (5, 13), (18, 0), (20, -2)])
def test_a_believable_delay_is_taken_off(delay_s: float, left_s: float) -> None:
    assert deadline_after(delay_s) == pytest.approx(left_s)


@pytest.mark.parametrize("delay_s", [20.001, 60, 86_400, -0.5, -1, -2, -86_400])
def test_any_other_difference_is_ignored(delay_s: float) -> None:
    assert deadline_after(delay_s) == 18


@pytest.mark.parametrize(
    ("delay_s", "credible"),
    [(0, True), (20, True), (20.001, False), (86_400, False), (-1, True), (-1.001, False), (-86_400, False)],
)
def test_clock_skew_is_told_from_delay(delay_s: float, credible: bool) -> None:
    found = deadline_of(RECEIVED, RECEIVED - timedelta(seconds=delay_s))

    assert (found.credible, found.difference_s) == (credible, pytest.approx(delay_s))


def test_an_event_without_a_time_gets_the_whole_span() -> None:
    found = deadline_of(RECEIVED, None)

    assert (found.at, found.credible) == (RECEIVED + timedelta(seconds=18), True)
