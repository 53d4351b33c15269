"""The long run of two-way sync: `make sync-soak` plays histories seed by seed, and goes on where it was stopped.

SYNC_SOAK_EXAMPLES says how many in all (5,000), SYNC_SOAK_STEPS how long each is (30), SYNC_SOAK_WORKERS how many
processes play (1). Finished seeds stand in SYNC_SOAK_STATE (`var/sync-soak.json`), which this process alone writes; a
changed program begins anew.
"""

import hashlib
import json
import logging
import multiprocessing
import os
import sys
import time
import traceback
from collections import Counter
from collections.abc import Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import asdict, dataclass, field
from itertools import count
from pathlib import Path
from typing import ClassVar

import structlog
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.stateful.machine import TwoWaySync

ROOT = Path(__file__).parents[2]
EXAMPLES_A_SEED = 50
SOURCES = (
    "wecom_app/adapters",
    "wecom_app/bootstrap.py",
    "wecom_app/clock.py",
    "wecom_app/config.py",
    "wecom_app/db.py",
    "wecom_app/domain",
    "wecom_app/errors.py",
    "wecom_app/migrations",
    "wecom_app/models",
    "wecom_app/prepared.py",
    "wecom_app/services",
    "wecom_app/simulator",
    "wecom_app/web/api",
    "wecom_app/writers.py",
    "tests/conftest.py",
    "tests/flows/company.py",
    "tests/stateful",
    "tests/wsgi_transport.py",
)
"""What the histories run: pages and commands are no part of them."""


@dataclass(frozen=True)
class Result:
    """What the histories of one seed came to."""

    number: int
    played: int
    judged: Mapping[str, int]
    violation: str = ""
    """What the judge found, with the history to pin."""


@dataclass
class Done:
    """What has been played of one program; `seconds` is the time that somebody waited for it."""

    program: str
    steps: int
    seeds: list[int] = field(default_factory=list)
    played: int = 0
    seconds: float = 0
    judged: dict[str, int] = field(default_factory=dict)

    def add(self, result: Result) -> None:
        self.seeds = sorted([*self.seeds, result.number])
        self.played += result.played
        self.judged = dict(Counter(self.judged) + Counter(result.judged))


class Counted(TwoWaySync):
    """The same machine, which adds up what was judged."""

    judged: ClassVar[Counter[str]] = Counter()
    played: ClassVar[int] = 0

    def teardown(self) -> None:
        super().teardown()
        Counted.played += 1
        Counted.judged.update(self.life.ledger.counts)


def program() -> str:
    """Return the fingerprint of what is proved."""
    digest = hashlib.sha256()
    for source in SOURCES:
        place = ROOT / source
        for path in [place] if place.is_file() else sorted(place.rglob("*.py")):
            digest.update(path.relative_to(ROOT).as_posix().encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def play(number: int, steps: int) -> Result:
    """Play the histories of one seed; what the judge finds comes back as text, since not every error can travel."""
    Counted.judged, Counted.played = Counter(), 0
    machine = seed(number)(type("TwoWaySync", (Counted,), {}))
    try:
        run_state_machine_as_test(
            machine,
            settings=settings(
                max_examples=EXAMPLES_A_SEED,
                stateful_step_count=steps,
                database=None,
                deadline=None,
                phases=[Phase.generate],
                suppress_health_check=list(HealthCheck),
            ),
        )
    except Exception as error:
        return Result(number, Counted.played, {}, "".join(traceback.format_exception(error)))
    return Result(number, Counted.played, dict(Counted.judged))


def main(environ: Mapping[str, str] = os.environ) -> int:
    """Run until the figure is reached; print it. Return 1 where a history broke a promise."""
    wanted, steps = int(environ.get("SYNC_SOAK_EXAMPLES", 5000)), int(environ.get("SYNC_SOAK_STEPS", 30))
    state = Path(environ.get("SYNC_SOAK_STATE", ROOT / "var" / "sync-soak.json"))
    done = load(state, steps)
    before, began, violation = done.seconds, time.monotonic(), ""
    workers = int(environ.get("SYNC_SOAK_WORKERS", 1))
    with _processes(workers) as pool:
        numbers = (number for number in count() if number not in done.seeds)
        under_way = set[Future[Result]]()
        while under_way or (done.played < wanted and not violation):
            while not violation and len(under_way) < workers and _are_missing(done, under_way, wanted):
                under_way.add(pool.submit(play, next(numbers), steps))
            finished, under_way = wait(under_way, return_when=FIRST_COMPLETED)
            for result in (future.result() for future in finished):
                if result.violation:
                    violation = violation or f"\nseed {result.number}:\n{result.violation}"
                    continue
                done.add(result)
                done.seconds = round(before + time.monotonic() - began, 1)
                save(state, done)
                sys.stdout.write("\r" + figure(done, wanted))
                sys.stdout.flush()
    sys.stdout.write(violation or "\r" + figure(done, wanted) + "\n")
    return 1 if violation else 0


def figure(done: Done, wanted: int) -> str:
    """Return the run so far in one line."""
    judged = ", ".join(f"{name} {number}" for name, number in sorted(done.judged.items()))
    return f"{done.played} of {wanted} histories of {done.steps} steps, 0 violations, {round(done.seconds)} s; {judged}"


def load(state: Path, steps: int) -> Done:
    """Return what this program has played already."""
    new = Done(program(), steps)
    if state.exists():
        kept = json.loads(state.read_text())
        if (kept["program"], kept["steps"]) == (new.program, new.steps):
            return Done(**kept)
    return new


def save(state: Path, done: Done) -> None:
    """Write the place down, whole or not at all."""
    state.parent.mkdir(parents=True, exist_ok=True)
    beside = state.with_name(f"{state.name}.new")
    beside.write_text(json.dumps(asdict(done)))
    beside.replace(state)


def _processes(workers: int) -> ProcessPoolExecutor:
    return ProcessPoolExecutor(workers, multiprocessing.get_context("spawn"), initializer=_be_quiet)


def _be_quiet() -> None:
    """What the application logs of each injected fault would bury the figure."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))


def _are_missing(done: Done, under_way: set[Future[Result]], wanted: int) -> bool:
    return done.played + EXAMPLES_A_SEED * len(under_way) < wanted


if __name__ == "__main__":
    sys.exit(main())
