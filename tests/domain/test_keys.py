"""Keys of groups and tags: what is one, and how one is made from a name without ever being used twice."""

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from wecom_app.domain.keys import MAX_KEY_LENGTH, is_key, make_key, stem


@pytest.mark.parametrize("key", ["a", "basic_info.source", "a1_", "a.b.c.d", "a._", "a.1", "x" * MAX_KEY_LENGTH])
def test_a_key_is_taken(key: str) -> None:
    assert is_key(key)


@pytest.mark.parametrize(
    "key",
    ["", "1a", "_a", ".a", "a.", "a..b", "A", "a b", "a-b", "a.b.c.d.e", "标签", "a\n", "a.\u0661", "x" * 161],
    ids=ascii,
)
def test_what_is_not_a_key_is_refused(key: str) -> None:
    assert not is_key(key)


def test_a_made_key_is_the_prefix_and_the_slug() -> None:
    assert make_key("behaviour", "gao_yi_xiang", set()) == "behaviour.gao_yi_xiang"


def test_a_taken_key_gets_the_next_free_number() -> None:
    assert make_key("a", "b", {"a.b"}) == "a.b_2"
    assert make_key("a", "b", {"a.b", "a.b_2", "a.b_3"}) == "a.b_4"


@pytest.mark.parametrize("slug", ["", "...", "___", "！！"])
def test_a_slug_without_letters_becomes_tag(slug: str) -> None:
    assert make_key("a", slug, set()) == "a.tag"


def test_a_slug_is_cleaned_of_what_no_key_may_hold() -> None:
    assert make_key("a", "VIP -- Gold+", set()) == "a.vip_gold"


def test_below_a_key_of_four_parts_the_slug_is_joined_with_an_underscore() -> None:
    assert make_key("a.b.c.d", "e", set()) == "a.b.c.d_e"


PARTS = st.from_regex(r"[a-z0-9_]{1,50}", fullmatch=True)
PREFIXES = (
    st.tuples(st.from_regex(r"[a-z][a-z0-9_]{0,158}", fullmatch=True), st.lists(PARTS, max_size=3))
    .map(lambda parts: ".".join([parts[0], *parts[1]]))
    .filter(is_key)
)


@given(PREFIXES, st.text(max_size=60))
@example("a" * 151, "b")
@settings(max_examples=300, deadline=None)
def test_whatever_the_name_the_result_is_a_key(prefix: str, slug: str) -> None:
    assert is_key(make_key(prefix, slug, set()))


@given(PREFIXES, st.text(max_size=60))
@example("a" * 151 + ".b", "c")
@settings(max_examples=200, deadline=None)
def test_a_made_key_begins_with_the_stem_of_its_prefix(prefix: str, slug: str) -> None:
    assert make_key(prefix, slug, set()).startswith(stem(prefix))


@given(PREFIXES, st.lists(st.text(max_size=5), min_size=2, max_size=6))
@settings(max_examples=200, deadline=None)
def test_keys_made_one_after_another_all_differ(prefix: str, slugs: list[str]) -> None:
    taken: set[str] = set()
    for slug in slugs:
        taken.add(make_key(prefix, slug, taken))

    assert len(taken) == len(slugs)
    assert all(is_key(key) for key in taken)
