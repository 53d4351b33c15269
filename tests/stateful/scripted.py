"""What makes a history one that can be written down and played again: every act is a line, and ends with the checks."""

from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeVar

from tests.stateful.corp import Corp

Line = tuple[str, tuple[Any, ...], dict[str, Any]]
Parameters = ParamSpec("Parameters")


class Scripted:
    """One corp, and the acts so far, as they can be played again."""

    def __init__(self, corp: Corp) -> None:
        self.corp = corp
        self.depth = 0
        self.script: list[Line] = []

    def look(self) -> None:
        """Check what must hold after every act."""
        raise NotImplementedError


Acting = TypeVar("Acting", bound=Scripted)


def act(doing: Callable[Concatenate[Acting, Parameters], None]) -> Callable[Concatenate[Acting, Parameters], None]:
    """Write a call down as a line of the history, and let the judge look when it is over."""

    @wraps(doing)
    def written_down(life: Acting, *arguments: Parameters.args, **named: Parameters.kwargs) -> None:
        if life.depth == 0:
            life.script.append((doing.__name__, arguments, named))
        life.depth += 1
        try:
            doing(life, *arguments, **named)
        finally:
            life.depth -= 1
        if life.depth == 0:
            life.look()

    return written_down


def as_lines(script: Sequence[Line]) -> list[str]:
    """Return a history as the lines of a function of `life`."""
    return [
        f"life.{name}({', '.join([*map(repr, arguments), *(f'{key}={value!r}' for key, value in named.items())])})"
        for name, arguments, named in script
    ]
