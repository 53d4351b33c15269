"""How a member wants pages to look, from the cookies that their script sets; so a page comes drawn that way."""

from collections.abc import Mapping

from flask import request

CHOICES: Mapping[str, tuple[str, ...]] = {"theme": ("auto", "light", "dark"), "mode": ("plain", "care")}
"""The first of each is what holds without a choice."""


def looks() -> dict[str, str]:
    """Return `theme` and `mode` for the page's root element."""
    return {name: _chosen(name, values) for name, values in CHOICES.items()}


def _chosen(name: str, values: tuple[str, ...]) -> str:
    given = request.cookies.get(name, "")
    return given if given in values else values[0]
