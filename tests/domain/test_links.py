"""Paths that may come from a stranger, and origins as browsers spell them."""

import re
from urllib.parse import unquote, urljoin, urlsplit

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from wecom_app.domain.links import is_own_path, origin_of

HERE = "https://ours.example/auth/callback"
PIECES = st.sampled_from(
    ["/", "//", "\\", "e.com", "@", ":", "%2f", "%5c", "%252f", "\t", "\n", "?", "#", ".", "..", "／", "a"]
)


def host_in_a_browser(path: str) -> str | None:
    """Return where a browser goes from a page of ours: it drops tabs and line breaks, and reads \\ as /."""
    seen = re.sub("[\t\r\n]", "", path).strip().replace("\\", "/")
    return urlsplit(urljoin(HERE, seen)).netloc


@given(st.one_of(st.text(max_size=40), st.lists(PIECES, max_size=8).map("".join)))
@example("/\t/e.com")
@example("/%2f/e.com")
def test_a_path_that_is_taken_for_ours_leads_nowhere_else(path: str) -> None:
    if is_own_path(path):
        for seen in (path, unquote(path), unquote(unquote(path))):
            assert host_in_a_browser(seen) == "ours.example"
        assert "\r" not in path
        assert "\n" not in path


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("https://Ours.Example:443/a?b#c", "https://ours.example"),
        ("http://ours.example:80", "http://ours.example"),
        ("http://ours.example:443", "http://ours.example:443"),
        ("http://[::1]:8000/", "http://[::1]:8000"),
        ("https://user@ours.example/", None),
        ("https://", None),
        ("ftp://ours.example", None),
        ("//ours.example", None),
        ("https://[ours", None),
        ("https://ours.example:port", None),
        ("", None),
    ],
)
def test_an_origin_is_read_as_browsers_spell_it(url: str, origin: str | None) -> None:
    assert origin_of(url) == origin
