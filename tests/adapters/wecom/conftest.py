"""A gateway on a real database, towards the simulator or towards a scripted far side."""

from collections.abc import Iterator

import pytest
import requests

from tests.adapters.wecom.far_side import FarSide
from tests.adapters.wecom.support import CONFIG, SECRET_KEY, SETTINGS, MakeGateway
from tests.wsgi_transport import WsgiAdapter
from wecom_app.adapters.wecom.gateway import Gateway
from wecom_app.adapters.wecom.limits import Limits
from wecom_app.clock import Clock, ManualClock
from wecom_app.config import WeComSettings
from wecom_app.db import Database
from wecom_app.services.metrics import Metrics
from wecom_app.simulator.server import Simulator
from wecom_app.simulator.world import World


@pytest.fixture
def simulator(clock: ManualClock) -> Iterator[Simulator]:
    simulator = Simulator(CONFIG, clock, threads=False)
    yield simulator
    simulator.stop()


@pytest.fixture
def world(simulator: Simulator) -> World:
    """The small cast: zhang has the customer li; wang is a colleague without customers."""
    world = simulator.world
    world.add_member("zhang", "张敏")
    world.add_member("wang", "王磊")
    world.add_customer("李女士", external_userid="wm_li")
    world.add_relation("zhang", "wm_li", state="spring")
    return world


@pytest.fixture
def far_side() -> FarSide:
    return FarSide()


@pytest.fixture
def make_gateway(database: Database, clock: ManualClock) -> MakeGateway:
    """Return a function that opens another gateway, as another process would, on the same database."""

    def make(
        application: object,
        *,
        settings: WeComSettings = SETTINGS,
        secret_key: str = SECRET_KEY,
        limits: Limits | None = None,
        own_clock: Clock | None = None,
        metrics: Metrics | None = None,
    ) -> Gateway:
        session = requests.Session()
        session.mount(settings.api_base_url, WsgiAdapter(application))
        own = own_clock or clock
        return Gateway(settings, secret_key, database, own, metrics or Metrics(), session=session, limits=limits)

    return make


@pytest.fixture
def gateway(make_gateway: MakeGateway, simulator: Simulator, world: World) -> Gateway:
    """A gateway to the simulator with the small cast."""
    return make_gateway(simulator.wsgi)


@pytest.fixture
def scripted(make_gateway: MakeGateway, far_side: FarSide) -> Gateway:
    """A gateway to the scripted far side."""
    return make_gateway(far_side)
