#!/bin/sh
# Gives the browser tests a Chromium: installs Debian's where that is possible, else says exactly what is missing.
set -eu

for name in "${CHROMIUM:-}" chromium chromium-browser google-chrome google-chrome-stable; do
    if [ -n "$name" ] && command -v "$name" >/dev/null 2>&1; then
        exit 0
    fi
done

packages="chromium fonts-noto-cjk"
if command -v apt-get >/dev/null 2>&1 && [ "$(id -u)" = 0 ]; then
    echo "==> Installing $packages for the browser tests"
    if DEBIAN_FRONTEND=noninteractive apt-get -q -o DPkg::Lock::Timeout=300 update >/dev/null \
        && DEBIAN_FRONTEND=noninteractive apt-get -q -y -o DPkg::Lock::Timeout=300 install --no-install-recommends $packages >/dev/null; then
        exit 0
    fi
    echo "browser: apt-get could not install $packages; the tests in tests/browser need them." >&2
else
    echo "browser: no Chromium was found, so the tests in tests/browser cannot run. Install it:" >&2
    echo "    Debian, Ubuntu: sudo apt install $packages" >&2
    echo "    elsewhere: any Chromium or Chrome, and CHROMIUM=/path/to/it" >&2
fi
if [ -n "${CI:-}${REQUIRE_BROWSER:-}" ]; then
    exit 1
fi
echo "browser: going on without; those tests will be skipped." >&2
