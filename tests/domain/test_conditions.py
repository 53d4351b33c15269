"""The condition language: equal to plain set logic, as strict as its schema, and able to say itself in words."""

import copy
import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from tests import random_conditions
from tests.random_conditions import NOW
from wecom_app.domain import conditions
from wecom_app.domain.condition_leaves import SOURCES, HeldTag, facts_of
from wecom_app.domain.conditions import Condition
from wecom_app.domain.durations import parse_duration
from wecom_app.errors import InvalidInput

RULES = json.loads(files("wecom_app.domain").joinpath("rule.schema.json").read_text("utf-8"))
SCHEMA = Draft202012Validator({"$ref": "#/$defs/cond", "$defs": RULES["$defs"]})
SEEDS = st.integers(0, 2**32)
PER_SEED = 50
FIELDS = ("on", "op", "tags", "source", "held_for", "min_confidence", "all", "any", "not", "atleast", "of", "more")
ODD = [None, True, 0, 2, 2.0, 1.5, 10**30, float("inf"), "", "tag", "30d", "0d", "A", "a.b", [], {}, ["a"], [1]]


@settings(max_examples=40, deadline=None)
@given(SEEDS)
def test_a_condition_holds_exactly_where_set_logic_says_so(seed: int) -> None:
    rng = Random(seed)
    for _ in range(PER_SEED):
        document, held = random_conditions.document(rng), random_conditions.held(rng)
        condition = conditions.parse(document)
        answer = conditions.ask(condition, facts_of(held, NOW))
        assert answer.holds == random_conditions.expected(document, held), (document, held)
        assert set(answer.because) <= set(held)
        needed = conditions.needed_tags(condition)
        assert not answer.holds or needed is None or needed & {tag.key for tag in held}, (document, held)


def spoil(rng: Random, document: Any) -> Any:
    """Set up to two fields somewhere in a document to something else, or take them away."""
    for _ in range(rng.randint(0, 2)):
        place = document
        while rng.random() < 0.6:
            lists = [value for value in place.values() if isinstance(value, list)]
            below = [*place.values(), *(part for value in lists for part in value)]
            place = rng.choice([part for part in below if isinstance(part, dict)] or [place])
        name = rng.choice([*FIELDS, *map(str, place)])
        if rng.random() < 0.3:
            place.pop(name, None)
        else:
            place[name] = copy.deepcopy(rng.choice(ODD))
    return document


def read(document: Any) -> tuple[Condition | None, Mapping[str, object]]:
    """Return the condition, or what is wrong with the document."""
    try:
        return conditions.parse(document), {}
    except InvalidInput as error:
        return None, error.details or {}


@settings(max_examples=20, deadline=None)
@given(SEEDS)
def test_the_parser_takes_exactly_what_the_schema_takes_and_gives_it_back(seed: int) -> None:
    rng = Random(seed)
    for _ in range(PER_SEED):
        document = spoil(rng, random_conditions.document(rng))
        condition, problems = read(document)
        assert SCHEMA.is_valid(document) == (condition is not None), (document, problems)
        assert all(path.startswith("/") for path in problems)
        if condition is not None:
            assert conditions.to_json(condition) == document
            assert conditions.words(condition, {})


def test_the_sources_that_can_be_asked_for_are_those_of_the_schema() -> None:
    (leaf,) = [
        branch for branch in RULES["$defs"]["cond"]["oneOf"] if branch["properties"].get("on") == {"const": "tag"}
    ]
    assert set(leaf["properties"]["source"]["items"]["enum"]) == set(SOURCES)


def test_every_mistake_is_named_by_its_place_with_what_to_change() -> None:
    document = {"all": [{"on": "tag", "op": "has", "tags": []}, {"any": [{"on": "tags"}]}, {"of": []}]}
    with pytest.raises(InvalidInput) as caught:
        conditions.parse(document)
    assert caught.value.details == {
        "/all/0/op": "op 请填 has_any、has_all、has_none 之一",
        "/all/0/tags": "tags 请填至少一个标签的 key，写成列表",
        "/all/1/any/0/on": "on 目前可用的是 tag",
        "/all/2": f"缺少条件：请写 {conditions.FORMS}，或以 on 开头的条件",
    }


@pytest.mark.parametrize(
    ("document", "path", "told"),
    [
        ({"not": {"not": {"not": {"not": {"not": {"not": {}}}}}}}, "/not/not/not/not/not/not", "最多 6 层"),
        ({"all": [{"any": [{"on": "tag", "op": "has_any", "tags": ["a"]}] * 50}] * 5}, "/", "最多 200 项"),
        ({"on": "tag", "op": "has_any", "tags": ["a"] * 201}, "/tags", "最多 200 个标签"),
    ],
    ids=["deep", "large", "wide"],
)
def test_what_is_too_large_is_refused_with_its_limit(document: Any, path: str, told: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        conditions.parse(document)
    assert told in str((caught.value.details or {})[path])


def test_a_condition_is_said_in_words_and_names_the_tags_that_made_it_hold() -> None:
    document = {
        "all": [
            {"on": "tag", "op": "has_any", "tags": ["a.x", "a.y"], "source": ["manual", "wecom"], "held_for": "30d"},
            {"any": [{"on": "tag", "op": "has_all", "tags": ["b.x"]}, {"on": "tag", "op": "has_all", "tags": ["c"]}]},
            {"not": {"on": "tag", "op": "has_any", "tags": ["b.y"]}},
        ]
    }
    condition = conditions.parse(document)
    names = {"a.x": "高意向", "a.y": "复购", "b.x": "到店", "b.y": "投诉", "c": "会员"}
    assert conditions.words(condition, names) == (
        "有「高意向」「复购」中的任意一个（来自导购打标或企微同步，已满 30 天），"
        "并且（有「到店」，或者有「会员」），并且不满足（有「投诉」）"
    )
    held = [
        HeldTag("c", "会员", "rule", NOW),
        HeldTag("a.y", "复购", "manual", NOW - timedelta(days=30)),
        HeldTag("a.x", "高意向", "rule", NOW - timedelta(days=60)),
    ]
    answer = conditions.ask(condition, facts_of(held, NOW))
    assert answer.holds
    assert [tag.name for tag in answer.because] == ["复购", "会员"]


def test_what_keeps_a_condition_from_holding_is_named_part_by_part() -> None:
    leaf = {"on": "tag", "op": "has_any", "tags": ["a.x"]}
    missing = {"on": "tag", "op": "has_any", "tags": ["b.x"]}
    condition = conditions.parse({"all": [leaf, {"all": [missing, {"not": leaf}]}, {"any": [missing, leaf]}]})
    facts = facts_of([HeldTag("a.x", "高意向", "rule", NOW)], NOW)
    assert [conditions.to_json(part) for part in conditions.failing(condition, facts)] == [missing, {"not": leaf}]
    assert conditions.failing(conditions.parse(leaf), facts) == []


@pytest.mark.parametrize(
    ("text", "expected_at"),
    [
        ("36h", datetime(2026, 3, 29, 20, tzinfo=UTC)),
        ("2w", datetime(2026, 3, 17, 8, tzinfo=UTC)),
        ("1m", datetime(2026, 2, 28, 8, tzinfo=UTC)),
        ("13m", datetime(2025, 2, 28, 8, tzinfo=UTC)),
        ("2y", datetime(2024, 3, 31, 8, tzinfo=UTC)),
        ("99999y", datetime(1, 1, 1, tzinfo=UTC)),
        ("99999m", datetime(1, 1, 1, tzinfo=UTC)),
    ],
)
def test_a_duration_counts_months_by_the_calendar(text: str, expected_at: datetime) -> None:
    found = parse_duration(text)
    assert found is not None
    assert found.before(NOW) == expected_at
