"""Which kept dates come within the next days: over the turn of a year, on 29 February, and dates of a later year."""

from datetime import date

import pytest

from wecom_app.domain.near_dates import Occasion, coming, occasion


@pytest.mark.parametrize(
    ("today", "value", "expected"),
    [
        (date(2026, 11, 25), "1990-11-25", Occasion(date(2026, 11, 25), 36)),
        (date(2026, 11, 25), "--12-02", Occasion(date(2026, 12, 2), None)),
        (date(2026, 11, 25), "--12-03", None),
        (date(2026, 11, 25), "1990-11-24", None),
        (date(2026, 12, 30), "1990-01-01", Occasion(date(2027, 1, 1), 37)),
        (date(2026, 11, 25), "2026-11-27", Occasion(date(2026, 11, 27), None)),
        (date(2026, 11, 25), "2027-11-27", None),
        (date(2026, 2, 25), "2000-02-29", Occasion(date(2026, 2, 28), 26)),
        (date(2028, 2, 25), "2000-02-29", Occasion(date(2028, 2, 29), 28)),
        (date(2028, 2, 20), "2000-02-29", None),
    ],
)
def test_a_date_comes_within_a_week(today: date, value: str, expected: Occasion | None) -> None:
    assert occasion(value, coming(today, 7)) == expected
