"""What the state machines of marks and of definitions have in common: rest, time, and an end that heals and judges."""

import sys
from collections.abc import Mapping

from hypothesis import note
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule

from tests.stateful.course import Course
from tests.stateful.scripted import as_lines


class CourseMachine(RuleBasedStateMachine):
    """Drives one `Course`; a subclass makes it when it begins."""

    life: Course

    @property
    def heading(self) -> str:
        """The first line of its pinned histories, which tells `replay` how to begin."""
        raise NotImplementedError

    def judged(self) -> Mapping[str, int]:
        """Return how much of what the judge has looked at, by its name."""
        raise NotImplementedError

    @rule()
    def settle(self) -> None:
        self.life.settle()

    @rule(seconds=st.sampled_from([2, 15, 70, 600]))
    def wait(self, seconds: int) -> None:
        self.life.wait(seconds)

    def teardown(self) -> None:
        if not hasattr(self, "life"):
            return
        failed = sys.exc_info()[0] is not None
        try:
            # After a failure there is nothing more to learn.
            if not failed:
                self.life.heal()
        except Exception:
            failed = True
            raise
        finally:
            if failed:
                note("\n".join(["As a pinned history:", self.heading, *as_lines(self.life.script)]))
            self.life.close()
