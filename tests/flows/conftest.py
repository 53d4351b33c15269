"""The whole product in one process: simulator, runtime without threads, and the web application's client."""

from collections.abc import Iterator

import pytest

from tests.flows.company import Company, open_company
from tests.flows.scheduling import Work, only_work
from wecom_app.clock import ManualClock


@pytest.fixture
def company(database_url: str, clock: ManualClock) -> Iterator[Company]:
    opened = open_company(database_url, clock)
    yield opened
    opened.close()


@pytest.fixture
def work(company: Company, monkeypatch: pytest.MonkeyPatch) -> Work:
    return only_work(company, monkeypatch)
