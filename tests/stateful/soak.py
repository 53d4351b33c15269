"""The long run of two-way sync: `make sync-soak` plays histories seed by seed, and goes on where it was stopped.

SYNC_SOAK_EXAMPLES says how many in all (5,000), SYNC_SOAK_STEPS how long each is (30). Finished seeds stand in
SYNC_SOAK_STATE (`var/sync-soak.json`); a changed program begins anew.
"""

import hashlib
import json
import logging
import os
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any, ClassVar

import structlog
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.stateful.machine import TwoWaySync

ROOT = Path(__file__).parents[2]
EXAMPLES_A_SEED = 50
SOURCES = ("wecom_app/domain", "wecom_app/services", "wecom_app/simulator", "tests/stateful")


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
    for path in sorted(path for source in SOURCES for path in (ROOT / source).rglob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def play(number: int, steps: int) -> None:
    """Play the histories of one seed; raises what the judge found, with the history to pin."""
    machine = seed(number)(type("TwoWaySync", (Counted,), {}))
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


def main(environ: Any = os.environ) -> int:
    """Run until the figure is reached; print it."""
    wanted, steps = int(environ.get("SYNC_SOAK_EXAMPLES", 5000)), int(environ.get("SYNC_SOAK_STEPS", 30))
    state = Path(environ.get("SYNC_SOAK_STATE", ROOT / "var" / "sync-soak.json"))
    # What the application logs of each injected fault would bury the figure.
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    done = _load(state, steps)
    number = done["seeds"]
    while done["played"] < wanted:
        began, Counted.judged, Counted.played = time.monotonic(), Counter(), 0
        play(number, steps)
        number += 1
        done["seeds"], done["played"] = number, done["played"] + Counted.played
        done["judged"] = dict(Counter(done["judged"]) + Counted.judged)
        done["seconds"] = round(done["seconds"] + time.monotonic() - began)
        state.parent.mkdir(exist_ok=True)
        state.write_text(json.dumps(done))
        sys.stdout.write("\r" + figure(done, wanted))
        sys.stdout.flush()
    sys.stdout.write("\r" + figure(done, wanted) + "\n")
    return 0


def figure(done: dict[str, Any], wanted: int) -> str:
    """Return the run so far in one line."""
    judged = ", ".join(f"{name} {count}" for name, count in sorted(done["judged"].items()))
    return (
        f"{done['played']} of {wanted} histories of {done['steps']} steps, 0 violations, {done['seconds']} s; {judged}"
    )


def _load(state: Path, steps: int) -> dict[str, Any]:
    new = {"program": program(), "steps": steps, "seeds": 0, "played": 0, "seconds": 0, "judged": {}}
    if state.exists():
        kept: dict[str, Any] = json.loads(state.read_text())
        if (kept["program"], kept["steps"]) == (new["program"], steps):
            return kept
    return new


if __name__ == "__main__":
    sys.exit(main())
