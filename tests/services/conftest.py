"""A shop on a fresh database, for services that join a transaction."""

from collections.abc import Iterator

import pytest

from tests.services.shop import Shop
from wecom_app.bootstrap import open_store
from wecom_app.clock import ManualClock
from wecom_app.config import load_settings


@pytest.fixture
def shop(database_url: str, clock: ManualClock) -> Iterator[Shop]:
    store = open_store(load_settings({"DATABASE_URL": database_url}), clock)
    yield Shop(store, clock)
    store.database.close()
