"""The demo: starts simulator and application as two processes and plays a day at a shop against them."""

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from wecom_app.clock import Clock, SystemClock
from wecom_app.demo import ending, story
from wecom_app.demo.cast import MANAGER, Played
from wecom_app.demo.children import Children, settings_for_children
from wecom_app.demo.failures import DemoFailed
from wecom_app.demo.places import FOLDER, Address, choose, open_folder
from wecom_app.demo.sides import Application, Corp, Partner
from wecom_app.demo.stage import Stage
from wecom_app.demo.telling import Teller
from wecom_app.demo.waiting import Waiter
from wecom_app.errors import AppError

START_S = 60.0
WATCH_S = 0.5
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
LOOPBACK = "127.0.0.1"
"""Only this machine may play WeCom; the application may listen elsewhere."""
FAILED = 1
INTERRUPTED = 130
"""What a shell reports for a command that Ctrl-C ended."""


def run(host: str, port: int, simulator_port: int, *, once: bool) -> int:
    """Play the demo and stay up unless `once`; return 0 if both sides agreed and the story went as told."""
    tell = Teller(sys.stdout)
    for number in STOP_SIGNALS:
        # Under nohup a closed terminal is no reason to stop.
        if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, signal.default_int_handler)
    try:
        return _run(tell, host, port, simulator_port, once=once)
    except KeyboardInterrupt:
        return INTERRUPTED
    except AppError as error:
        tell.problem(error.message)
        return FAILED


def _run(tell: Teller, host: str, port: int, simulator_port: int, *, once: bool) -> int:
    tell.title("企业微信客户标签 · 演示")
    with open_folder() as folder:
        tell.note(f"数据与日志都在 {FOLDER}/，每次演示从空库开始")
        app_at = _address(tell, "应用", "port", host, port, simulator_port)
        corp_at = _address(tell, "模拟企业微信", "simulator_port", LOOPBACK, simulator_port, app_at.port)
        with _children(tell, folder, corp_at.origin) as children:
            return _guard(tell, children, app_at, corp_at, once=once)


def _guard(tell: Teller, children: Children, app_at: Address, corp_at: Address, *, once: bool) -> int:
    """Perform; where that fails, say why before everything is stopped."""
    clock = SystemClock()
    try:
        return _perform(tell, clock, children, app_at, corp_at, once=once)
    except DemoFailed as error:
        # A partner that does not answer has mostly just ended; a moment later that can be seen.
        clock.sleep_until(clock.monotonic() + WATCH_S)
        tell.problem(children.ended() or error.message)
        return FAILED


def _perform(tell: Teller, clock: Clock, children: Children, app_at: Address, corp_at: Address, *, once: bool) -> int:
    started = clock.monotonic()
    tell.act(f"启动两个进程：模拟企业微信 {corp_at.origin}，应用 {app_at.origin}")
    stage = _open(tell, clock, children, app_at, corp_at)
    tell.note(
        f"都已就绪，用时 {clock.monotonic() - started:.1f} 秒；现在就能打开 {stage.app.origin}/playground 边看边玩"
    )
    story.prepare(stage)
    story.play(stage)
    outcome = 0 if ending.compare_sides(stage) else FAILED
    tell.note(f"从启动到对账用时 {clock.monotonic() - started:.1f} 秒")
    if not once:
        ending.say_links(stage)
        with suppress(KeyboardInterrupt):
            _watch(clock, children)
    return outcome


def _address(tell: Teller, label: str, option: str, host: str, port: int, besides: int) -> Address:
    found = choose(option, host, port, besides=besides)
    if found.port != port:
        tell.note(f"端口 {port} 已被占用，{label}改用 {found.port}")
    return found


@contextmanager
def _children(tell: Teller, folder: Path, simulator_url: str) -> Iterator[Children]:
    """Return the child processes and end them, whatever happens in between."""
    children = Children(folder, settings_for_children(simulator_url))
    try:
        yield children
    finally:
        # One Ctrl-C is enough; a second one must not leave a process behind.
        for number in STOP_SIGNALS:
            signal.signal(number, signal.SIG_IGN)
        try:
            tell.note("正在停止应用与模拟企业微信…")
        finally:
            killed = children.stop()
        tell.note(f"已停止；{'、'.join(killed)}没有及时结束，被强制结束" if killed else "已全部停止")


def _open(tell: Teller, clock: Clock, children: Children, app_at: Address, corp_at: Address) -> Stage:
    """Start both processes and wait until they answer."""
    callback_url = f"{app_at.origin}/wecom/callback"
    children.start("模拟企业微信", "simulate", *_listen(corp_at), "--callback-url", callback_url)
    # Before the server, so that only one process at a time makes the tables.
    key = children.ask("api-key", "create", "demo", "--scope", "read", "--scope", "write")
    children.ask("role", "grant", MANAGER[0], "admin")
    children.start("应用", "serve", *_listen(app_at))
    app, corp = Application(app_at.origin, key), Corp(corp_at.origin)
    waiter = Waiter(clock, tell, children.check)
    _wait_until_up(waiter, corp, "/_simulator/clock")
    _wait_until_up(waiter, app, "/readyz")
    return Stage(app, corp, tell, waiter, clock, Played())


def _wait_until_up(waiter: Waiter, partner: Partner, path: str) -> None:
    waiter.until_done(lambda: None if partner.answers(path) else f"{partner.label}正在启动", START_S)


def _listen(address: Address) -> tuple[str, ...]:
    return "--host", address.host, "--port", str(address.port)


def _watch(clock: Clock, children: Children) -> None:
    """Stay until Ctrl-C; raise DemoFailed if a child ends by itself."""
    while True:
        clock.sleep_until(clock.monotonic() + WATCH_S)
        children.check()
