"""The system's Chromium, and what becomes of browser tests where there is none."""

import os
import shutil
from pathlib import Path

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
)
MISSING = (
    "no Chromium was found: install it (Debian, Ubuntu: apt install chromium fonts-noto-cjk), "
    "or set CHROMIUM to the path of a Chromium or Chrome"
)


def path() -> str:
    """Return where Chromium is; without one skip the test, but fail it in CI or with REQUIRE_BROWSER."""
    given = os.environ.get("CHROMIUM")
    found = given if given and Path(given).exists() else next(filter(None, map(shutil.which, NAMES)), None)
    if found is not None:
        return found
    if os.environ.get("CI") or os.environ.get("REQUIRE_BROWSER"):
        pytest.fail(MISSING)
    pytest.skip(MISSING)
