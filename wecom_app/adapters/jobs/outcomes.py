"""How a run of a job ends: done, tried again later, or dead; the rules that both engines share."""

import random
import re
from dataclasses import dataclass
from datetime import timedelta

from wecom_app.errors import AppError
from wecom_app.services.runtime import JobKind

LONGEST_BACKOFF_S = 60.0
ERROR_LENGTH = 300
LOST_LIMIT = 5
"""A job whose process ended this often in a row is taken for the cause and given up."""
LOST = "WorkerLost: the process ended while the job ran"
SUPERSEDED = "superseded: another job of the same unique name is waiting"

_SECRET = re.compile(r"((?:access_token|corpsecret|secret|password|ticket)=)[^&\s'\"]+", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What is written about a finished run; `delay_s` counts from the end of the run."""

    state: str
    delay_s: float = 0.0
    error: str | None = None


DONE = Outcome("done")


def judge(error: Exception, kind: JobKind, *, attempts: int, age: timedelta) -> Outcome:
    """Decide about a failed run; `attempts` counts it, `age` runs from the job's creation."""
    text = describe(error)
    if isinstance(error, AppError):
        given_up = not error.retryable or age >= kind.give_up_after
    else:
        given_up = attempts >= kind.max_attempts
    if given_up:
        return Outcome("dead", error=text)
    told = error.retry_after_s if isinstance(error, AppError) else None
    return Outcome("retrying", back_off(attempts) if told is None else max(0.0, told), text)


def judge_unknown(kind_name: str, *, attempts: int, age: timedelta) -> Outcome:
    """Decide about a job whose kind this program does not know: another version's worker may."""
    text = f"UnknownKind: {kind_name} is not known to this version"
    if age >= timedelta(days=3):
        return Outcome("dead", error=text)
    return Outcome("retrying", back_off(attempts), text)


def judge_lost(last_error: str | None) -> Outcome:
    """Decide about a job whose worker vanished; at once the first times, since that is usually a restart."""
    times = _times_lost(last_error) + 1
    text = f"{LOST} ({times})"
    if times >= LOST_LIMIT:
        return Outcome("dead", error=text)
    return Outcome("retrying", 0.0 if times <= 2 else back_off(times), text)


def back_off(attempts: int) -> float:
    """Return 1, 2, 4, … seconds, at most 60, each 20 % more or less so that failures do not march in step."""
    seconds = float(2 ** min(max(attempts, 1) - 1, 6))
    return min(LONGEST_BACKOFF_S, seconds * random.uniform(0.8, 1.2))  # noqa: S311  jitter, not a secret


def describe(error: BaseException) -> str:
    """Return class and first line of the message: later lines of a database error hold row contents."""
    lines = str(error).splitlines()
    message = _SECRET.sub(r"\1…", lines[0]) if lines else ""
    return f"{type(error).__name__}: {message}"[:ERROR_LENGTH]


def _times_lost(last_error: str | None) -> int:
    if last_error is None or not last_error.startswith(LOST):
        return 0
    return int(last_error.rpartition("(")[2].rstrip(")"))
