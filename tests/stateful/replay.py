"""Plays a history again and leaves out whatever it fails without: `python -m tests.stateful.replay FILE`.

The file holds the lines that a failing run prints: `met=…` for marks, or `definitions` for the tag library, and then
one call a line.
"""

import sys
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path

from tests.stateful import life as names
from tests.stateful.definitions_life import DefinitionsLife
from tests.stateful.life import Life

Begin = Callable[[], Life | DefinitionsLife]
BEGINNINGS: dict[str, Begin] = {
    "met=True": Life,
    "met=False": lambda: Life(met=False),
    "definitions": DefinitionsLife,
}


def failure(lines: Sequence[str], begin: Begin) -> str | None:
    """Play the lines and heal; return what failed, None if nothing did."""
    life = begin()
    try:
        for line in lines:
            exec(line, {**vars(names), "life": life})
        life.heal()
    except Exception as error:
        last = traceback.extract_tb(error.__traceback__)[-1]
        return f"{type(error).__name__} in {last.name}: {error} {error.__cause__ or ''}"
    finally:
        life.close()
    return None


def _kind(found: str | None) -> str | None:
    return found and found.split(":")[0]


def reduced(lines: Sequence[str], begin: Begin) -> list[str]:
    """Return the lines without those that the same kind of failure does not need."""
    wanted, left = _kind(failure(lines, begin)), list(lines)
    size = max(1, len(left) // 2)
    while size:
        start = 0
        while start < len(left):
            shorter = left[:start] + left[start + size :]
            if _kind(failure(shorter, begin)) == wanted:
                left = shorter
            else:
                start += size
        size //= 2
    return left


def main(path: str) -> int:
    lines = [line.strip() for line in Path(path).read_text().splitlines() if line.strip()]
    first = lines[0]
    begin = BEGINNINGS.get(first, Life)
    lines = [line for line in lines if line.startswith("life.")]
    if failure(lines, begin) is None:
        sys.stdout.write("it does not fail\n")
        return 0
    left = reduced(lines, begin)
    sys.stdout.write("\n".join([first, *left, f"{failure(left, begin)}\n"]))
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
