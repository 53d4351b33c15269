"""The name that a queue writes into `lease_owner`, and the test whether the process behind a name has ended.

A name is `host:process:random`. It holds everything that tells two processes of one machine apart, because
a job is taken from an owner as soon as that owner is proved dead, and a live one must never be.
"""

import os
import secrets
import socket
from datetime import timedelta
from pathlib import Path

LEASE = timedelta(seconds=10)
"""How long a claimed job stays with its owner without a heartbeat; the welcome's 18 s must survive one."""
HEARTBEAT_S = 3.0


def name_owner() -> str:
    """Return a new owner's name for this process."""
    pid = os.getpid()
    return f"{_host()}:{pid}.{_start_of(pid) or ''}:{secrets.token_hex(4)}"


def is_ended(owner: str) -> bool:
    """Return True only if `owner` was a process of this machine and is certainly gone."""
    host, _, rest = owner.partition(":")
    pid_text, _, start = rest.partition(":")[0].partition(".")
    # os.kill would end the process on Windows; there a lease just runs out.
    if host != _host() or os.name != "posix" or not pid_text.isdigit():
        return False
    try:
        os.kill(int(pid_text), 0)
    except ProcessLookupError:
        return True
    except OSError:
        return False
    now_started = _start_of(int(pid_text))
    return now_started is not None and bool(start) and now_started != start


def _host() -> str:
    # Two containers may share a host name, and then their process ids mean nothing to each other.
    return f"{socket.gethostname()[:40]}@{_read_link('/proc/self/ns/pid')}".replace(":", "")


def _start_of(pid: int) -> str | None:
    """Return when a process started in ticks since boot ('0' for a zombie), None where that is not told."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return "0" if fields[0] in "ZX" else fields[19]


def _read_link(path: str) -> str:
    try:
        return str(Path(path).readlink()).strip("pid:[]")
    except OSError:
        return ""
