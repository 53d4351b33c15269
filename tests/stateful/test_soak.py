"""The long run's bookkeeping; what it plays is `machine.py`."""

from pathlib import Path

from tests.stateful import soak
from tests.stateful.soak import Done, Result

FIRST, SECOND = Result(0, 50, {"one": 3, "several": 1}), Result(1, 49, {"one": 2})


def test_the_figure_adds_up_in_whatever_order_seeds_end() -> None:
    done, other = Done("p", 30), Done("p", 30)
    for one, results in ((done, (FIRST, SECOND)), (other, (SECOND, FIRST))):
        for result in results:
            one.add(result)

    assert done == other == Done("p", 30, [0, 1], 99, 0, {"one": 5, "several": 1})


def test_a_run_goes_on_from_the_seeds_that_are_done(tmp_path: Path) -> None:
    state = tmp_path / "var" / "soak.json"
    done = soak.load(state, 30)
    done.add(SECOND)
    soak.save(state, done)

    assert soak.load(state, 30) == done
    assert soak.load(state, 31).seeds == [], "longer histories are others"
    soak.save(state, Done("another program", 30, [5], 50))
    assert soak.load(state, 30).seeds == []


def test_every_source_of_the_fingerprint_is_there() -> None:
    assert [source for source in soak.SOURCES if not (soak.ROOT / source).exists()] == []
