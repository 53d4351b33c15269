"""What the demo writes: short lines of at most 100 columns, flushed at once, coloured only on a terminal."""

import os
from collections.abc import Sequence
from typing import TextIO
from unicodedata import east_asian_width

COLUMNS = 100
BOLD, DIM, GREEN, RED, PLAIN = "1", "2", "32", "31", "0"


class Teller:
    """Writes the story."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._colours = stream.isatty() and not os.environ.get("NO_COLOR")

    def title(self, text: str) -> None:
        self._write("", text, BOLD)

    def act(self, text: str) -> None:
        """Say what happens now."""
        self._write("▸ ", text, BOLD)

    def note(self, text: str) -> None:
        self._write("  ", text, DIM)

    def sides(self, *, wecom: str, ours: str) -> None:
        """Say what came of it on each side."""
        self._write("    企业微信  ", wecom)
        self._write("    我们      ", ours)

    def verdict(self, good: bool, text: str) -> None:
        self._write("  ✓ " if good else "  ✗ ", text, GREEN if good else RED)

    def problem(self, text: str) -> None:
        """Say why it cannot go on; further lines, such as the end of a log, follow as they are."""
        first, *more = text.splitlines()
        self._write("✗ ", first, RED)
        for line in more:
            self._put(line)

    def line(self, text: str) -> None:
        """Write a line as it is: an address or a command to copy must not be broken."""
        self._put(text)

    def table(self, head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """Write columns, the first to the left, the others to the right."""
        widths = [max(width(row[number]) for row in (head, *rows)) for number in range(len(head))]
        for row in (head, *rows):
            cells = [_left(row[0], widths[0])]
            cells += [_right(cell, size) for cell, size in zip(row[1:], widths[1:], strict=True)]
            self._put("    " + "   ".join(cells), DIM if row is head else None)

    def _write(self, lead: str, text: str, colour: str | None = None) -> None:
        for number, part in enumerate(wrapped(text, COLUMNS - width(lead))):
            self._put((lead if number == 0 else " " * width(lead)) + part, colour)

    def _put(self, text: str, colour: str | None = None) -> None:
        if colour and self._colours:
            text = f"\x1b[{colour}m{text}\x1b[{PLAIN}m"
        self._stream.write(f"{text}\n")
        self._stream.flush()


def width(text: str) -> int:
    """Return how many columns a text takes on a terminal: Chinese characters take two."""
    return sum(2 if east_asian_width(character) in "WF" else 1 for character in text)


def wrapped(text: str, columns: int) -> list[str]:
    """Cut a text into lines of at most so many columns; Chinese may be cut anywhere."""
    lines, line, taken = [], "", 0
    for character in text:
        size = width(character)
        if taken + size > columns:
            lines.append(line)
            line, taken = "", 0
        line, taken = line + character, taken + size
    return [*lines, line]


def _left(text: str, columns: int) -> str:
    return text + " " * (columns - width(text))


def _right(text: str, columns: int) -> str:
    return " " * (columns - width(text)) + text
