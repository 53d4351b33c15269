"""One Chromium for all tests of a process; a fresh site and fresh windows for each."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect, sync_playwright

from tests.browser import chromium
from tests.browser.client import WeComClient
from tests.browser.site import Site, open_site
from tests.browser.window import PATIENCE_MS, Look, Window, open_window
from tests.conftest import START
from wecom_app.clock import ManualClock

OpenWindow = Callable[..., Window]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.slow)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    path = chromium.path()
    expect.set_options(timeout=PATIENCE_MS)
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=path, args=list(chromium.FLAGS), timeout=PATIENCE_MS)
        yield started
        started.close()


@pytest.fixture
def site(browser: Browser, database_url: str, clock: ManualClock) -> Iterator[Site]:
    with open_site(database_url, clock) as opened:
        yield opened


@pytest.fixture(scope="module")
def standing_site(browser: Browser, sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """One site for a whole file of tests that do not change it."""
    path = tmp_path_factory.mktemp("standing") / "test.db"
    shutil.copy(sqlite_template, path)
    with open_site(f"sqlite:///{path}", ManualClock(START)) as opened:
        yield opened


@pytest.fixture
def window(browser: Browser, site: Site) -> Iterator[OpenWindow]:
    """Return a function that opens a window; at the end nothing may have gone wrong in any of them."""
    opened: list[Window] = []

    def make(
        customer: str = "",
        *,
        userid: str = "zhang",
        roles: tuple[str, ...] = (),
        look: Look | None = None,
        signed_in: bool = True,
        **client: object,
    ) -> Window:
        wecom = WeComClient(site.simulator, userid=userid, external_userid=customer, **client)
        session = site.session_of(userid, *roles) if signed_in else ""
        opened.append(open_window(browser, site, wecom, look or Look(), session=session))
        return opened[-1]

    yield make
    problems = [problem for each in opened for problem in each.problems]
    for each in opened:
        each.close()
    assert problems == []
