"""Tables for a terminal: columns stay aligned though Chinese characters take two places."""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import click
from pydantic import BaseModel

from wecom_app.demo.telling import width, wrapped

WIDEST = 60
"""Columns of one cell; `show` and `--json` cut nothing."""
GAP = "  "


def echo_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print rows under their head; the last column is not padded."""
    shown = [[_cut(cell) for cell in row] for row in (head, *rows)]
    sizes = [max(width(row[column]) for row in shown) for column in range(len(head))]
    for row in shown:
        click.echo(GAP.join(padded(cell, size) for cell, size in zip(row, sizes, strict=True)).rstrip())


def padded(text: str, size: int) -> str:
    """Fill a text up to so many places."""
    return text + " " * max(0, size - width(text))


def echo_json(value: BaseModel | dict[str, Any]) -> None:
    """Print a shape of the API, or an object of such, for programs."""
    if isinstance(value, BaseModel):
        click.echo(value.model_dump_json(indent=2))
    else:
        click.echo(json.dumps(value, ensure_ascii=False, indent=2))


def moment(value: datetime | None, zone: str) -> str:
    """Return a time as people here read it."""
    return "" if value is None else f"{value.astimezone(ZoneInfo(zone)):%Y-%m-%d %H:%M:%S}"


def _cut(text: str) -> str:
    line = " ".join(text.split())
    return line if width(line) <= WIDEST else f"{wrapped(line, WIDEST - 2)[0]}…"
