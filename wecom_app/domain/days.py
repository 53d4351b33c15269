"""Business days in the deployment's time zone; used by digests, lists of today and duty."""

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo


def day_bounds(now: datetime, time_zone: str, *, back: int = 0) -> tuple[datetime, datetime]:
    """Return begin and end (UTC) of the local day that was `back` days before the one that holds `now`."""
    zone = ZoneInfo(time_zone)
    day = now.astimezone(zone).date() - timedelta(days=back)
    begin = datetime.combine(day, time(), zone)
    end = datetime.combine(day + timedelta(days=1), time(), zone)
    return begin.astimezone(UTC), end.astimezone(UTC)


def local(moment: datetime, time_zone: str) -> datetime:
    """Return the moment as the deployment's clocks show it."""
    return moment.astimezone(ZoneInfo(time_zone))
