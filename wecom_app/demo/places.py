"""Where the demo runs: its folder, which only one demo may use at a time, and its two ports."""

import errno
import fcntl
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import click
from click.core import ParameterSource

from wecom_app.errors import ConfigurationError

FOLDER = Path("var") / "demo"
DATABASE = "wecom-app.db"
PORTS_TRIED = 50
ANYWHERE = ("", "0.0.0.0", "::")  # noqa: S104  compared with, never bound to


@contextmanager
def open_folder() -> Iterator[Path]:
    """Return the folder, without the database of the last run, kept from other demos until the end."""
    folder = FOLDER.resolve()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = (folder / "lock").open("w")
    except OSError as error:
        raise ConfigurationError(f"不能写入 {folder}：{error.strerror}") from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ConfigurationError(f"已有一个演示在使用 {folder}：请先停掉它，或换一个目录再试") from None
        for name in (DATABASE, f"{DATABASE}-wal", f"{DATABASE}-shm"):
            (folder / name).unlink(missing_ok=True)
        yield folder


@dataclass(frozen=True)
class Address:
    """Where a server of ours listens, and under which origin this machine reaches it."""

    host: str
    port: int

    @property
    def origin(self) -> str:
        host = "127.0.0.1" if self.host in ANYWHERE else self.host
        return f"http://[{host}]:{self.port}" if ":" in host else f"http://{host}:{self.port}"


def choose(option: str, host: str, port: int, *, besides: int) -> Address:
    """Return a free address: the port asked for, or from the default on the next free one.

    Raises ConfigurationError where the port that the user named cannot be had.
    """
    last = port if _was_asked_for(option) else port + PORTS_TRIED
    for candidate in range(port, last + 1):
        try:
            if candidate != besides:
                return Address(host, _bound(host, candidate))
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise ConfigurationError(f"不能在 {host}:{candidate} 上监听：{error.strerror}") from error
        except OverflowError:
            break
    flag = f"--{option.replace('_', '-')}"
    raise ConfigurationError(f"端口 {port} 不可用或已被占用：请用 {flag} 换一个，或停掉占用它的程序")


def _was_asked_for(option: str) -> bool:
    context = click.get_current_context(silent=True)
    return context is None or context.get_parameter_source(option) is not ParameterSource.DEFAULT


def _bound(host: str, port: int) -> int:
    """Return the port after binding it once as the servers will; 0 becomes one that is free."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind((host, port))
        bound: int = probe.getsockname()[1]
        return bound
