"""The long run's bookkeeping; what it plays are `machine.py` and `definitions_machine.py`."""

from pathlib import Path

import pytest

from tests.stateful import soak
from tests.stateful.course import Course
from tests.stateful.definitions_life import DefinitionsLife
from tests.stateful.life import Life
from tests.stateful.soak import Done, Part, Result

FIRST, SECOND = Result("marks", 0, 50, {"one": 3, "several": 1}), Result("marks", 1, 49, {"one": 2})
OF_THE_LIBRARY = Result("definitions", 0, 50, {"acts": 700})


def test_the_figure_adds_up_in_whatever_order_seeds_end() -> None:
    done, other = Done("p", 30), Done("p", 30)
    for one, results in ((done, (FIRST, SECOND, OF_THE_LIBRARY)), (other, (OF_THE_LIBRARY, SECOND, FIRST))):
        for result in results:
            one.add(result)

    marks, definitions = Part([0, 1], 99, {"one": 5, "several": 1}), Part([0], 50, {"acts": 700})
    assert done == other == Done("p", 30, 0, {"marks": marks, "definitions": definitions})
    assert soak.figure(done, {"marks": 5000, "definitions": 1000}) == (
        "99 of 5000 histories of marks and 50 of 1000 histories of definitions, of 30 steps, 0 violations, 0 s; "
        "marks: one 5, several 1; definitions: acts 700"
    )


def test_a_run_goes_on_from_the_seeds_that_are_done(tmp_path: Path) -> None:
    state = tmp_path / "var" / "soak.json"
    done = soak.load(state, 30)
    done.add(SECOND)
    done.add(OF_THE_LIBRARY)
    soak.save(state, done)

    assert soak.load(state, 30) == done
    assert soak.load(state, 31) == Done(done.program, 31), "longer histories are others"
    soak.save(state, Done("another program", 30, 0, {"marks": Part([5], 50), "definitions": Part()}))
    assert soak.load(state, 30) == Done(done.program, 30)


def test_a_fifth_as_many_histories_of_definitions_are_played_unless_a_number_is_set() -> None:
    assert soak.how_many({}) == {"marks": 5000, "definitions": 1000}
    assert soak.how_many({"SYNC_SOAK_EXAMPLES": "100"}) == {"marks": 100, "definitions": 20}
    assert soak.how_many({"SYNC_SOAK_EXAMPLES": "0", "SYNC_SOAK_DEFINITIONS": "7"}) == {"marks": 0, "definitions": 7}


def test_both_machines_come_forward_side_by_side_until_each_has_its_number() -> None:
    done, wanted, course = Done("p", 30), {"marks": 250, "definitions": 100}, list[str]()
    while name := soak.next_of(done, (), wanted):
        done.add(Result(name, len(course), 50, {}))
        course.append(name)

    assert course == ["marks", "definitions", "marks", "marks", "definitions", "marks", "marks"]


def test_seeds_under_way_are_not_missing() -> None:
    wanted = {"marks": 100, "definitions": 0}

    assert soak.next_of(Done("p", 30), ["marks"], wanted) == "marks"
    assert soak.next_of(Done("p", 30), ["marks", "marks"], wanted) is None


@pytest.mark.parametrize("machine", list(soak.MACHINES))
def test_a_seed_of_either_machine_is_played_and_counted(machine: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(soak, "EXAMPLES_A_SEED", 2)

    result = soak.play(machine, 0, 5)

    assert (result.machine, result.number, result.played, result.violation) == (machine, 0, 2, "")
    assert sum(result.judged.values()) > 0


@pytest.mark.parametrize(("machine", "life"), [("marks", Life), ("definitions", DefinitionsLife)])
def test_what_a_judge_finds_comes_back_with_the_history_to_pin(
    machine: str, life: type[Course], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(self: Course) -> None:
        raise AssertionError("found by the judge")

    monkeypatch.setattr(life, "look", fail)

    result = soak.play(machine, 0, 5)

    assert "found by the judge" in result.violation
    assert "As a pinned history:" in result.violation
    assert result.judged == {}


def test_every_source_of_the_fingerprint_is_there() -> None:
    assert [source for source in soak.SOURCES if not (soak.ROOT / source).exists()] == []
