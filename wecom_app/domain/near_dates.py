"""Dates that come within the next days: birthdays and other days of every year, and dates that come once; pure."""

from calendar import isleap
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta

LEAP_DAY, EVE_OF_LEAP_DAY = "02-29", "02-28"


@dataclass(frozen=True)
class Occasion:
    """A kept date as it comes next; `years` since the first time, None where that is not known or is this one."""

    day: date
    years: int | None


def coming(today: date, days: int) -> dict[str, date]:
    """Return `MM-DD` of today and the next `days` (fewer than a year) days, each with its date.

    Who was born on 29 February has his day on the 28th in other years.
    """
    found = {f"{day:%m-%d}": day for day in (today + timedelta(days=ahead) for ahead in range(days + 1))}
    eve = found.get(EVE_OF_LEAP_DAY)
    if eve is not None and not isleap(eve.year):
        found[LEAP_DAY] = eve
    return found


def occasion(value: str, coming_days: Mapping[str, date]) -> Occasion | None:
    """Return when a kept date (YYYY-MM-DD, or --MM-DD without a year) comes in these days; None where it does not.

    A date of a later year is not there yet.
    """
    day = coming_days.get(value[-5:])
    if day is None:
        return None
    if value.startswith("--"):
        return Occasion(day, None)
    years = day.year - int(value[:4])
    return None if years < 0 else Occasion(day, years or None)
