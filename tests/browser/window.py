"""One window of a browser inside (or outside) of WeCom, and what a test looks at in it."""

import json
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Locator, Page, Route, expect

from tests.browser.client import WeComClient
from tests.browser.site import Site

HERE = Path(__file__).parent
BRIDGE = (HERE / "bridge.js").read_text(encoding="utf-8")
AXE = (HERE / "vendor/axe-4.14.1.js").read_text(encoding="utf-8")
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
PICTURE_HOSTS = ("qlogo.cn", "qpic.cn")
PATIENCE_MS = 60_000
"""Only a bug waits this long, or a machine that has stopped."""
UNHURRIED = """(() => {
  const set = window.setTimeout;
  window.setTimeout = (work, after, ...more) => set(work, after > 5000 ? 20 * after : after, ...more);
})();"""
"""A toast that offers something, a client that is given up on: a slow machine must not see what a quick one does not.
A test of such a timer sets the page's clock (`page.clock.install()`), which is not touched by this."""
EXPECTED_NOISE = "Failed to load resource"
"""Chromium's own word for an answer that is not 2xx; what the page makes of it is what tests look at."""


@dataclass
class Look:
    """How a window is."""

    width: int = 360
    height: int = 740
    dark: bool = False
    touch: bool = False
    zoom: float = 1.0
    """As a browser's own zoom: fewer CSS pixels on the same window."""


@dataclass
class Window:
    """A page with its WeCom client; `problems` holds what must never happen."""

    site: Site
    client: WeComClient
    context: BrowserContext
    page: Page
    problems: list[str] = field(default_factory=list)

    def open(self, path: str = "/sidebar") -> "Window":
        self.page.goto(f"{self.site.url}{path}")
        return self

    def find(self, selector: str) -> Locator:
        return self.page.locator(selector)

    def ready(self, element: Locator) -> Locator:
        """Return an element once the scripts of its page run: what is typed or clicked before they do is lost."""
        element.wait_for(state="attached")
        self.page.wait_for_load_state()
        return element

    def field(self, label: str, *, exact: bool = False) -> Locator:
        """Return the field with a label, ready to be filled in."""
        return self.ready(self.page.get_by_label(label, exact=exact))

    def press(self, words: str) -> None:
        """Click the one visible button that says so."""
        self.ready(self.page.get_by_role("button", name=words, exact=True)).click()

    def shows(self, words: str) -> None:
        """Wait until the words can be seen."""
        self.page.get_by_text(words).first.wait_for()

    def press_in(self, place: str, words: str) -> None:
        """Click the button that says so inside of an element."""
        self.ready(self.page.locator(place).get_by_role("button", name=words, exact=True)).click()

    def state(self) -> str:
        """Wait for the page to come to a rest; return its first heading."""
        self.page.locator("main[aria-busy=false] h1").first.wait_for()
        return self.page.locator("main h1").first.inner_text()

    def rests_at(self, heading: str) -> None:
        """Wait until the page has come to a rest under this heading."""
        expect(self.page.locator("main[aria-busy=false] h1").first).to_have_text(heading)

    def evaluates(self, script: str, expected: object) -> None:
        """Wait until a script gives this in the page."""
        self.comes_to(lambda: self.page.evaluate(script), expected)

    def comes_to(self, look: Callable[[], object], expected: object) -> None:
        """Let the page go on until a look at it, or behind it, gives what is expected."""
        deadline = time.monotonic() + PATIENCE_MS / 1000
        while (seen := look()) != expected:
            if time.monotonic() > deadline:
                raise AssertionError(f"it never came to {expected!r}, but stayed at {seen!r}")
            self.page.wait_for_timeout(20)

    def until(self, holds: Callable[[], bool]) -> None:
        """Let the page go on until something holds."""
        self.comes_to(holds, True)

    def tags(self) -> list[str]:
        """Return the tags as they can be read on the page."""
        return ["".join(text.split()) for text in self.page.locator(".tag[data-tag]").all_inner_texts()]

    def violations(self) -> list[str]:
        """Return what axe-core finds wrong, as `rule: element`."""
        self.page.evaluate(AXE)
        options = json.dumps({"runOnly": {"type": "tag", "values": RULES}})
        found: list[dict[str, Any]] = self.page.evaluate(f"axe.run(document, {options}).then((all) => all.violations)")
        return [
            f"{rule['id']}: {node['html'][:160]} {node['failureSummary'][:200]}"
            for rule in found
            for node in rule["nodes"]
        ]

    def overflow(self) -> int:
        """Return by how many pixels the page is wider than its window."""
        return int(self.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth"))

    def close(self) -> None:
        self.context.close()


def open_window(browser: Browser, site: Site, client: WeComClient, look: Look, *, session: str = "") -> Window:
    """Return a window with its client, signed in with a session's cookie where one is given."""
    context = browser.new_context(
        user_agent=client.user_agent,
        viewport={"width": round(look.width / look.zoom), "height": round(look.height / look.zoom)},
        device_scale_factor=2 * look.zoom if look.zoom != 1 else 1,
        color_scheme="dark" if look.dark else "light",
        has_touch=look.touch,
        is_mobile=look.touch,
        locale="zh-CN",
        timezone_id="Asia/Shanghai",
        reduced_motion="reduce",
    )
    context.set_default_timeout(PATIENCE_MS)
    if session:
        context.add_cookies([{"name": "session", "value": session, "url": site.url}])
    window = Window(site, client, context, context.new_page())
    context.expose_binding("__wecomClient", lambda _, message: client.answer(message))
    context.expose_binding("__pageReports", lambda _, text: window.problems.append(f"CSP {text}"))
    settings = json.dumps({"present": client.present, "late": client.late})
    context.add_init_script(UNHURRIED)
    context.add_init_script(BRIDGE.replace("__SETTINGS__", settings))
    context.route(
        re.compile(f"^(?!{re.escape(site.url)}/|{re.escape(site.wecom_url)}/)"), lambda route: _refuse(route, window)
    )
    window.page.on("pageerror", lambda error: window.problems.append(f"error {error}"))
    window.page.on("console", lambda message: _note(window, message))
    window.page.on("dialog", lambda dialog: (window.problems.append(f"dialog {dialog.message}"), dialog.dismiss()))
    return window


def _refuse(route: Route, window: Window) -> None:
    url = route.request.url
    if not any(host in url for host in PICTURE_HOSTS):
        window.problems.append(f"outside {url}")
    route.abort()


def _note(window: Window, message: ConsoleMessage) -> None:
    if message.type == "error" and EXPECTED_NOISE not in message.text:
        window.problems.append(f"console {message.text}")
