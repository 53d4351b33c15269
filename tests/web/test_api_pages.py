"""Lists of the API page by page: full pages, no line twice or left out, whatever comes in meanwhile."""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import START
from tests.flows.company import Company, open_company
from tests.web.asking import add_customer, ask
from wecom_app.clock import ManualClock


@dataclass(frozen=True)
class Busy:
    """A company with five and more of everything."""

    company: Company
    customer: str


@pytest.fixture(scope="module")
def busy(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Busy]:
    path = tmp_path_factory.mktemp("busy") / "test.db"
    shutil.copy(sqlite_template, path)
    company = open_company(f"sqlite:///{path}", ManualClock(START))
    keys = company.make_tags("一", "二", "三", "四", "五")
    for number in range(5):
        company.make_tags("甲", group=f"组{number}")
        customer = add_customer(company)
    company.post(f"/customers/{customer}/tags", {"add": keys}, 200)
    company.settle()
    yield Busy(company, customer)
    company.close()


LISTS = ["/tag-groups", "/tags", "/channels", "/customers", "/customers/{}/history", "/inbox", "/jobs"]


def pages_of(busy: Busy, path: str, limit: int) -> list[list[Any]]:
    """Follow the cursors to the end."""
    pages, cursor = [], None
    while True:
        after = "" if cursor is None else f"&cursor={cursor}"
        page = busy.company.get(f"{path.format(busy.customer)}?limit={limit}{after}")
        pages.append(page["items"])
        cursor = page["next_cursor"]
        if cursor is None:
            return pages
        assert isinstance(cursor, str)
        assert len(pages) < 200, "the cursors lead in a circle"


@pytest.mark.parametrize("path", LISTS)
def test_pages_are_full_and_together_give_the_whole_list_once(busy: Busy, path: str) -> None:
    (whole,) = pages_of(busy, path, 200)
    pages = pages_of(busy, path, 2)

    assert len(pages) >= 3
    assert [len(page) for page in pages[:-1]] == [2] * (len(pages) - 1)
    assert [item for page in pages for item in page] == whole


@pytest.mark.parametrize("path", LISTS)
def test_a_page_that_ends_the_list_exactly_names_no_next_one(busy: Busy, path: str) -> None:
    (whole,) = pages_of(busy, path, 200)

    assert pages_of(busy, path, len(whole)) == [whole]


@pytest.mark.parametrize("path", ["/channels", "/customers", "/inbox", "/jobs", "/customers/{}/history"])
def test_what_comes_in_while_pages_are_read_shifts_nothing(busy: Busy, path: str) -> None:
    """Lists that show the newest first go on below what was shown, whatever has come on top meanwhile."""
    path = path.format(busy.customer)
    (whole,) = pages_of(busy, path, 200)
    cursor = busy.company.get(f"{path}?limit=2")["next_cursor"]
    (key,) = busy.company.make_tags("新", group=f"新{len(busy.company.get('/tag-groups?limit=200')['items'])}")
    add_customer(busy.company)
    busy.company.post(f"/customers/{busy.customer}/tags", {"add": [key]}, 200)

    following = busy.company.get(f"{path}?limit=2&cursor={cursor}")["items"]
    assert [name_of(item) for item in following] == [name_of(item) for item in whole[2:4]]


def name_of(item: Any) -> Any:
    return item["external_userid"] if "external_userid" in item else item["id"]


@pytest.mark.parametrize("path", LISTS)
def test_a_cursor_beyond_everything_is_no_error(busy: Busy, path: str) -> None:
    assert ask(busy.company, "GET", f"{path.format(busy.customer)}?cursor={2**63 - 1}").status_code == 200
    assert ask(busy.company, "GET", f"{path.format(busy.customer)}?cursor=1").status_code == 200
