"""The corp of these tests, and what they ask the simulator afterwards."""

from collections.abc import Callable

from wecom_app.adapters.wecom.gateway import Gateway
from wecom_app.config import WeComSettings
from wecom_app.simulator.config import SimulatorConfig
from wecom_app.simulator.server import Simulator

SECRET_KEY = "CANARY-SECRET-KEY-0123456789abcdef"
CONFIG = SimulatorConfig(secret="CANARY-SECRET-0123456789abcdefghijklmnopqrs")
SETTINGS = WeComSettings(CONFIG.corp_id, CONFIG.agent_id, CONFIG.secret, (), CONFIG.base_url)

MakeGateway = Callable[..., Gateway]
"""Opens another gateway, as another process would, on the same database."""


def calls_of(simulator: Simulator, api: str) -> int:
    """Return how many calls of an API reached the simulator."""
    return len(simulator.calls.of(api))
