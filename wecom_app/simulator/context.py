"""The parts of one running simulator, handed to everything that answers or acts."""

from dataclasses import dataclass

from wecom_app.clock import ShiftedClock
from wecom_app.simulator.callbacks import Callbacks
from wecom_app.simulator.calls import CallLog
from wecom_app.simulator.config import AppConfig, SimulatorConfig
from wecom_app.simulator.faults import Faults
from wecom_app.simulator.limits import Limits
from wecom_app.simulator.members import Member, key_of
from wecom_app.simulator.world import World


@dataclass(frozen=True)
class Context:
    """The corp, its time, what goes wrong in it, and what it has been asked and has told."""

    config: SimulatorConfig
    clock: ShiftedClock
    world: World
    faults: Faults
    limits: Limits
    callbacks: Callbacks
    calls: CallLog

    def is_main(self, app: AppConfig) -> bool:
        """Whether this is the first app, whose range and rights can be switched while running."""
        return app.agent_id == self.config.agent_id

    def visible_to(self, app: AppConfig) -> frozenset[str] | None:
        """Return the keys of the members in an app's visible range; None means everybody."""
        members = self.faults.settings.visible_members if self.is_main(app) else app.visible_members
        return None if members is None else frozenset(map(key_of, members))

    def sees(self, app: AppConfig, userid: str) -> bool:
        """Whether a member is in an app's visible range."""
        visible = self.visible_to(app)
        return visible is None or key_of(userid) in visible

    def may_contact(self, app: AppConfig) -> bool:
        """Whether an app may call the customer APIs."""
        return self.faults.settings.customer_contact if self.is_main(app) else app.customer_contact

    def seen_members(self, app: AppConfig) -> list[Member]:
        """Return the members in an app's visible range."""
        visible = self.visible_to(app)
        return [item for item in self.world.members if visible is None or key_of(item.userid) in visible]
