"""Long answers: every page fits, nothing is lost, and a character is never cut in two."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wecom_app.domain.pages import FOOTER, paginate

LINE = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\n"), max_size=60)
LIMIT = 120


@given(st.lists(LINE, min_size=1, max_size=40))
def test_every_page_fits_and_nothing_is_lost(lines: list[str]) -> None:
    pages = paginate(lines, LIMIT)
    assert all(len(page.encode()) <= LIMIT for page in pages)
    assert all(page.endswith(FOOTER) for page in pages[:-1])
    shown = "\n".join(page.removesuffix(f"\n{FOOTER}") for page in pages).split("\n")
    assert len(shown) == len(lines)
    for line, whole in zip(shown, lines, strict=True):
        assert line == whole or (line.endswith("…") and whole.startswith(line[:-1]))


@pytest.mark.parametrize("extra", [-1, 0, 1])
def test_an_answer_of_exactly_the_limit_is_one_page(extra: int) -> None:
    pages = paginate(["长" * 30, "a" * (LIMIT - 91 + extra)], LIMIT)
    assert (len(pages) == 1) is (extra <= 0)
