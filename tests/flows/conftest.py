"""The whole product in one process: simulator, runtime without threads, and the web application's client."""

from collections.abc import Iterator

import pytest

from tests.flows.company import Company, open_company
from wecom_app.clock import ManualClock


@pytest.fixture
def company(database_url: str, clock: ManualClock) -> Iterator[Company]:
    opened = open_company(database_url, clock)
    yield opened
    opened.close()
