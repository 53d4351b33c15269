"""What the merge of the library works on: groups and tags beside what WeCom shows of them, and the steps that follow.

Shared by `definition_merge`, `definition_orders` and those who tell WeCom.
"""

from dataclasses import dataclass

from wecom_app.domain.definitions import Policy, Step
from wecom_app.domain.vocabulary import PUSHED, Mirror, Owner
from wecom_app.models import TagGroup
from wecom_app.services.definition_conflicts import Definition

TAKING = (Step.TAKE, Step.YIELD)
TELLING = (Step.PUSH, Step.INSIST)


@dataclass
class Entry:
    """A group or tag with what WeCom shows of it; `merge` fills in what follows for its name and its order."""

    one: Definition
    group: TagGroup
    name: str
    order: int
    name_step: Step = Step.AGREED
    order_step: Step = Step.AGREED
    is_held: bool = False
    """Whether a neighbour keeps the name from being taken over now."""

    @property
    def final(self) -> str:
        """The name after the merge."""
        return self.name if self.name_step in TAKING and not self.is_held else self.one.name

    @property
    def leads(self) -> Policy | None:
        """The side that alone may change it."""
        if self.one.owner == Owner.FOREIGN or self.group.mirror not in PUSHED:
            return Policy.WECOM
        return Policy.OURS if self.group.mirror == Mirror.PUSH else None
