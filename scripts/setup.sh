#!/bin/sh
# Makes the virtual environment and installs the project into it. Usage: setup.sh PYTHON VENV
set -eu
python=$1
venv=$2

if ! command -v "$python" >/dev/null 2>&1; then
    echo "setup: '$python' was not found. Install Python 3.11 or newer, or call make with PYTHON=/path/to/python3." >&2
    exit 1
fi
if ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then
    echo "setup: $("$python" --version) is too old; Python 3.11 or newer is needed (make PYTHON=/path/to/python3)." >&2
    exit 1
fi
if ! "$python" -c 'import venv, ensurepip' 2>/dev/null; then
    echo "setup: this Python cannot make virtual environments. On Debian and Ubuntu: apt install python3-venv" >&2
    exit 1
fi

# Says something every few seconds, so that a slow network does not look like a hang.
beat() {
    seconds=0
    while sleep 5; do
        seconds=$((seconds + 5))
        echo "    … $1 (${seconds} s)"
    done
}

with_beat() {
    label=$1
    shift
    echo "==> $label"
    beat "$label" &
    beat_pid=$!
    trap 'kill "$beat_pid" 2>/dev/null || true' EXIT INT TERM
    status=0
    "$@" || status=$?
    kill "$beat_pid" 2>/dev/null || true
    wait "$beat_pid" 2>/dev/null || true
    return "$status"
}

[ -x "$venv/bin/python" ] || with_beat "Making the virtual environment in $venv" "$python" -m venv "$venv"
with_beat "Installing wecom-app and what it needs" "$venv/bin/python" -m pip install -q --disable-pip-version-check -e '.[postgres,dev]'
echo "==> Ready"
