"""A tag has one colour wherever it is seen: console, sidebar, one's own customers; readable on both grounds."""

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import OpenWindow
from tests.browser.site import Site
from tests.browser.window import Look, Window
from tests.flows.definitions import call
from tests.flows.test_sync_conflicts import crossed

CONSOLE = ("/admin/customers", "/admin/customers/{customer}", "/admin/conflicts", "/admin/tags")


def draws(page: Window, place: str) -> None:
    """Wait until the tag is drawn in the colour of its group, and in no other."""
    drawn = page.find(f"{place} [class*='chip-']").filter(has_text="护肤")
    expect(drawn.first).to_be_visible()
    others = page.find(f"{place} [class*='chip-']:not(.chip-purple)").filter(has_text="护肤")
    expect(others).to_have_count(0)


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_a_tag_is_drawn_in_the_colour_of_its_group_on_every_page(site: Site, window: OpenWindow, dark: bool) -> None:
    customer, _ = crossed(site)
    (group,) = [one for one in site.get("/tag-groups")["items"] if one["name"] == "兴趣"]
    call(site, "PATCH", f"/tag-groups/{group['key']}", {"colour": "purple"})
    site.settle()

    desk = window(roles=("admin",), look=Look(1280, 900, dark=dark))
    for path in CONSOLE:
        desk.open(path.format(customer=customer))
        draws(desk, "main")
        assert desk.violations() == [], path
    desk.open("/admin/content/new").find('[data-choice="all"]').get_by_role("searchbox").focus()
    draws(desk, '[data-choice="all"]')
    desk.find('[data-choice="all"]').get_by_role("button", name="＋ 护肤").click()
    draws(desk, "[data-chips]")

    phone = window(customer, look=Look(dark=dark)).open()
    draws(phone, "main")
    phone.press("编辑")
    draws(phone, ".sheet")
    assert phone.violations() == []
    mine = window(entry="normal", look=Look(dark=dark)).open("/sidebar/mine")
    mine.page.get_by_role("tab", name="全部").click()
    draws(mine, "#rows")
    assert mine.violations() == []
