"""The long run of two-way sync: `make sync-soak` plays histories seed by seed, and goes on where it was stopped.

SYNC_SOAK_EXAMPLES says how many of marks (5,000), SYNC_SOAK_DEFINITIONS how many of names, orders and groups (a fifth
of that), SYNC_SOAK_STEPS how long each is (30), SYNC_SOAK_WORKERS how many processes play (1). Finished seeds stand in
SYNC_SOAK_STATE (`var/sync-soak.json`), which this process alone writes; a changed program begins anew.
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
from collections.abc import Iterable, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import asdict, dataclass, field
from itertools import count
from pathlib import Path
from typing import Any, Self

import structlog
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.stateful.course_machine import CourseMachine
from tests.stateful.definitions_machine import TwoWayDefinitions
from tests.stateful.machine import TwoWaySync

ROOT = Path(__file__).parents[2]
EXAMPLES_A_SEED = 50
MACHINES: Mapping[str, type[CourseMachine]] = {"marks": TwoWaySync, "definitions": TwoWayDefinitions}
"""What is played, by the word that the figure has for it."""
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
    """What the histories of one seed of one machine came to."""

    machine: str
    number: int
    played: int
    judged: Mapping[str, int]
    violation: str = ""
    """What the judge found, with the history to pin."""


@dataclass
class Part:
    """What has been played of one machine."""

    seeds: list[int] = field(default_factory=list)
    played: int = 0
    judged: dict[str, int] = field(default_factory=dict)

    def add(self, result: Result) -> None:
        self.seeds = sorted([*self.seeds, result.number])
        self.played += result.played
        self.judged = dict(Counter(self.judged) + Counter(result.judged))


@dataclass
class Done:
    """What has been played of one program; `seconds` is the time that somebody waited for it."""

    program: str
    steps: int
    seconds: float = 0
    parts: dict[str, Part] = field(default_factory=lambda: {name: Part() for name in MACHINES})

    @classmethod
    def kept(cls, parts: Mapping[str, Mapping[str, Any]], **kept: Any) -> Self:
        """Return what `asdict` made a document of."""
        return cls(**kept, parts={name: Part(**part) for name, part in parts.items()})

    def add(self, result: Result) -> None:
        self.parts[result.machine].add(result)


def program() -> str:
    """Return the fingerprint of what is proved."""
    digest = hashlib.sha256()
    for source in SOURCES:
        place = ROOT / source
        for path in [place] if place.is_file() else sorted(place.rglob("*.py")):
            digest.update(path.relative_to(ROOT).as_posix().encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def play(machine: str, number: int, steps: int) -> Result:
    """Play the histories of one seed; what the judge finds comes back as text, since not every error can travel."""
    part = Part()
    try:
        run_state_machine_as_test(
            seed(number)(_counted(MACHINES[machine], part)),
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
        return Result(machine, number, part.played, {}, "".join(traceback.format_exception(error)))
    return Result(machine, number, part.played, part.judged)


def _counted(machine: type[CourseMachine], part: Part) -> type[CourseMachine]:
    """Return the same machine, which adds up what was played and judged."""

    def teardown(self: CourseMachine) -> None:
        machine.teardown(self)
        part.played += 1
        part.judged = dict(Counter(part.judged) + Counter(self.judged()))

    return type(machine.__name__, (machine,), {"teardown": teardown})


def main(environ: Mapping[str, str] = os.environ) -> int:
    """Run until the figure is reached; print it. Return 1 where a history broke a promise."""
    wanted, steps = how_many(environ), int(environ.get("SYNC_SOAK_STEPS", 30))
    state = Path(environ.get("SYNC_SOAK_STATE", ROOT / "var" / "sync-soak.json"))
    done = load(state, steps)
    before, began, violation = done.seconds, time.monotonic(), ""
    workers = int(environ.get("SYNC_SOAK_WORKERS", 1))
    with _processes(workers) as pool:
        numbers = {
            name: (number for number in count() if number not in part.seeds) for name, part in done.parts.items()
        }
        under_way: dict[Future[Result], str] = {}
        while True:
            while not violation and len(under_way) < workers and (name := next_of(done, under_way.values(), wanted)):
                under_way[pool.submit(play, name, next(numbers[name]), steps)] = name
            if not under_way:
                break
            finished, _ = wait(under_way, return_when=FIRST_COMPLETED)
            for future in finished:
                del under_way[future]
                result = future.result()
                if result.violation:
                    violation = violation or f"\nseed {result.number} of {result.machine}:\n{result.violation}"
                    continue
                done.add(result)
                done.seconds = round(before + time.monotonic() - began, 1)
                save(state, done)
                sys.stdout.write("\r" + figure(done, wanted))
                sys.stdout.flush()
    sys.stdout.write(violation or "\r" + figure(done, wanted) + "\n")
    return 1 if violation else 0


def how_many(environ: Mapping[str, str]) -> dict[str, int]:
    """Return how many histories of each machine are wanted."""
    marks = int(environ.get("SYNC_SOAK_EXAMPLES", 5000))
    return {"marks": marks, "definitions": int(environ.get("SYNC_SOAK_DEFINITIONS", marks // 5))}


def next_of(done: Done, under_way: Iterable[str], wanted: Mapping[str, int]) -> str | None:
    """Return the machine that is furthest behind, so that a run that is stopped has played some of each."""
    begun = {name: done.parts[name].played + EXAMPLES_A_SEED * list(under_way).count(name) for name in wanted}
    missing = [name for name in wanted if begun[name] < wanted[name]]
    return min(missing, key=lambda name: begun[name] / wanted[name], default=None)


def figure(done: Done, wanted: Mapping[str, int]) -> str:
    """Return the run so far in one line."""
    played = " and ".join(
        f"{done.parts[name].played} of {number} histories of {name}" for name, number in wanted.items()
    )
    judged = "".join(f"; {name}: {_listed(part.judged)}" for name, part in done.parts.items() if part.judged)
    return f"{played}, of {done.steps} steps, 0 violations, {round(done.seconds)} s{judged}"


def _listed(judged: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {number}" for name, number in sorted(judged.items()))


def load(state: Path, steps: int) -> Done:
    """Return what this program has played already."""
    new = Done(program(), steps)
    if state.exists():
        kept = json.loads(state.read_text())
        if (kept["program"], kept["steps"]) == (new.program, new.steps):
            return Done.kept(**kept)
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


if __name__ == "__main__":
    sys.exit(main())
