"""The document of the proof says what is there; `tests/test_documents.py` looks whether the tests it names exist."""

import pytest

from tests.stateful.definitions_judge import DefinitionsJudge
from tests.stateful.definitions_mutants import MUTANTS as LIBRARY_MUTANTS
from tests.stateful.judge import Judge
from tests.stateful.mutants import MUTANTS
from tests.test_documents import CODE, TEST, names_of_tests, table_of

PROOF = "docs/engineering/sync-proof.md"
INVARIANT = "absence from a page ends nothing"
OF_THE_LIBRARY = "nothing that lives in WeCom is taken for deleted"


def test_every_mutant_stands_beside_the_history_that_kills_it() -> None:
    ways = {True: "yes", False: "no"}
    wanted = [[m.name, f"`{m.history.__name__}`", "the decision" if m.decide else ways[bool(m.merge)]] for m in MUTANTS]

    assert table_of(PROOF, MUTANTS[0].name) == wanted


def test_every_mutant_of_the_library_stands_beside_the_history_that_kills_it() -> None:
    wanted = [[mutant.name, f"`{mutant.history.__name__}`"] for mutant in LIBRARY_MUTANTS]

    assert table_of(PROOF, LIBRARY_MUTANTS[0].name) == wanted


@pytest.mark.parametrize("first", [INVARIANT, OF_THE_LIBRARY, "the process ends at any step"])
def test_every_invariant_and_every_fault_has_a_test(first: str) -> None:
    for row in table_of(PROOF, first):
        named = [name for name in CODE.findall(row[-1]) if TEST.fullmatch(name)]
        assert named, row[0]
        assert names_of_tests().issuperset(named), row[0]


def test_every_check_that_is_named_is_one_of_the_judges() -> None:
    named = {name for row in table_of(PROOF, INVARIANT) for name in CODE.findall(row[1])}

    assert all(hasattr(Judge, name) for name in named)


def test_every_check_of_the_library_that_is_named_is_one_of_its_judges() -> None:
    named = {name for row in table_of(PROOF, OF_THE_LIBRARY) for name in CODE.findall(row[1])}

    assert all(hasattr(DefinitionsJudge, name) for name in named)
