"""Which schedules are live and which of their runs are not over; read by schedules, their runs and the alerts."""

from collections.abc import Sequence
from typing import Any

from wecom_app.models import Schedule

LIVE: Sequence[Any] = (Schedule.enabled, Schedule.deleted_at.is_(None))
"""Conditions of a query for schedules that fire."""
OPEN_STATES = ("waiting", "running")
"""Of a run."""
