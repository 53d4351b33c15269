"""The web application in front of a whole company: fresh for each test, or one for tests that store nothing."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import START
from tests.flows.company import CALLBACK, Company, open_company, settings_for
from tests.web.sender import Sender
from wecom_app.clock import ManualClock
from wecom_app.simulator.config import SimulatorConfig
from wecom_app.simulator.server import Simulator


@pytest.fixture
def company(database_url: str, clock: ManualClock) -> Iterator[Company]:
    opened = open_company(database_url, clock)
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def standing_company(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Company]:
    """One company on SQLite for the whole file: for requests that are refused or only read."""
    path = tmp_path_factory.mktemp("standing") / "test.db"
    shutil.copy(sqlite_template, path)
    opened = open_company(f"sqlite:///{path}", ManualClock(START))
    yield opened
    opened.close()


@pytest.fixture
def sender(company: Company) -> Sender:
    return sender_for(company)


def sender_for(company: Company) -> Sender:
    config = company.simulator.config
    return Sender(config.callback_token, config.callback_aes_key, config.corp_id)


def open_receiver(database_url: str, clock: ManualClock, *senders: Sender) -> Company:
    """Return a company that takes the callbacks of the given senders, whose receiver is its corp."""
    config = SimulatorConfig(corp_id=senders[0].receiver, callback_url=CALLBACK)
    settings = settings_for(
        config,
        database_url,
        WECOM_CALLBACK_TOKEN=",".join(sender.token for sender in senders),
        WECOM_CALLBACK_AES_KEY=",".join(sender.encoding_aes_key for sender in senders),
    )
    return Company(Simulator(config, clock), settings, clock)
