"""Plays a history again and leaves out whatever it fails without: `python -m tests.stateful.replay FILE`.

The file holds the lines that a failing run prints: `met=…` and then one call a line.
"""

import sys
import traceback
from collections.abc import Sequence
from pathlib import Path

from tests.stateful import life as names
from tests.stateful.life import Life


def failure(lines: Sequence[str], *, met: bool) -> str | None:
    """Play the lines and heal; return what failed, None if nothing did."""
    life = Life(met=met)
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


def reduced(lines: Sequence[str], *, met: bool) -> list[str]:
    """Return the lines without those that the same kind of failure does not need."""
    wanted, left = _kind(failure(lines, met=met)), list(lines)
    size = max(1, len(left) // 2)
    while size:
        start = 0
        while start < len(left):
            shorter = left[:start] + left[start + size :]
            if _kind(failure(shorter, met=met)) == wanted:
                left = shorter
            else:
                start += size
        size //= 2
    return left


def main(path: str) -> int:
    lines = [line.strip() for line in Path(path).read_text().splitlines() if line.strip()]
    met = lines[0] != "met=False"
    lines = [line for line in lines if line.startswith("life.")]
    if failure(lines, met=met) is None:
        sys.stdout.write("it does not fail\n")
        return 0
    left = reduced(lines, met=met)
    sys.stdout.write("\n".join([f"met={met}", *left, f"{failure(left, met=met)}\n"]))
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
