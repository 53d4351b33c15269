"""`serve`, `worker`, `simulate` and `demo`: the commands that run until they are stopped."""

import errno
import signal
import sys
from collections.abc import Callable
from dataclasses import replace
from typing import NoReturn
from urllib.parse import urlsplit

import click
import waitress

from wecom_app import demo as demo_story
from wecom_app.bootstrap import build_runtime
from wecom_app.cli.common import clear_errors, with_settings
from wecom_app.cli.garbage import collect_seldom
from wecom_app.clock import SystemClock
from wecom_app.config import Settings
from wecom_app.errors import ConfigurationError
from wecom_app.services.runtime import LANES, Runtime
from wecom_app.simulator.config import SimulatorConfig
from wecom_app.simulator.server import serve as serve_simulator
from wecom_app.version import __version__
from wecom_app.web import create_web
from wecom_app.web.api.welcomes import MAX_UPLOAD

THREADS = 16
CONNECTION_LIMIT = 1000
"""waitress's own limit of 100 hangs under 150 stalled clients; with 1000 it answers the others in milliseconds."""
CHANNEL_TIMEOUT_S = 15
PORT = click.IntRange(1, 65535)


class Stopped(SystemExit):
    """SIGTERM came: leave the main loop as after Ctrl-C."""


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", default=8000, show_default=True, type=PORT)
@click.option("--no-worker", is_flag=True, help="只提供网页与接口，任务由单独的 worker 进程执行。")
@with_settings
def serve(settings: Settings, host: str, port: int, no_worker: bool) -> None:
    """启动网页、接口与回调地址，并在同一进程里执行任务。"""
    runtime = build_runtime(settings)
    try:
        server = waitress.create_server(
            create_web(runtime),
            host=host,
            port=port,
            threads=THREADS,
            connection_limit=CONNECTION_LIMIT,
            channel_timeout=CHANNEL_TIMEOUT_S,
            asyncore_use_poll=True,
            max_request_body_size=MAX_UPLOAD,
            ident="",
            # The application itself decides which of a proxy's words it believes (TRUSTED_PROXIES), and a request
            # that was forwarded must be told from one of this machine's own: /metrics is for the latter.
            clear_untrusted_proxy_headers=False,
        )
    except (OSError, ValueError) as error:
        runtime.stop()
        raise ConfigurationError(_cannot_listen(host, port, error)) from error
    if not no_worker:
        runtime.start()
    click.echo(f"wecom-app {__version__} 已启动：http://{host}:{port}")
    _until_stopped(server.run, runtime)
    server.close()


@click.command()
@click.option("--lane", "lanes", multiple=True, type=click.Choice(list(LANES)), help="只执行这些队列，可重复。")
@with_settings
def worker(settings: Settings, lanes: tuple[str, ...]) -> None:
    """只执行任务，不提供网页。"""
    runtime = build_runtime(settings)
    runtime.start(lanes or None)
    click.echo(f"正在执行任务：{'、'.join(lanes or LANES)}")
    _until_stopped(_wait_for_signal, runtime)


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", default=8001, show_default=True, type=PORT)
@click.option("--callback-url", default=None, help="把回调发到这里，如 http://127.0.0.1:8000/wecom/callback。")
def simulate(host: str, port: int, callback_url: str | None) -> None:
    """启动企业微信模拟器：演示、联调与压测时代替真实的企业微信。"""
    config = replace(SimulatorConfig(), callback_url=callback_url, base_url=f"http://{host}:{port}")
    _echo_simulator(config)
    signal.signal(signal.SIGTERM, _stop)
    try:
        with clear_errors():
            serve_simulator(config, host, port, SystemClock())
    except (KeyboardInterrupt, Stopped):
        click.echo("模拟器已停止")


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", default=8000, show_default=True, type=PORT, help="应用的端口。")
@click.option("--simulator-port", default=8001, show_default=True, type=PORT)
@click.option("--once", is_flag=True, help="对账结束后退出；有差异时退出码不为 0。")
def demo(host: str, port: int, simulator_port: int, once: bool) -> None:
    """在本机演示：模拟器与应用两个进程，30 位客户扫码，两边逐格对账。"""
    with clear_errors():
        sys.exit(demo_story.run(host, port, simulator_port, once=once))


def _cannot_listen(host: str, port: int, error: Exception) -> str:
    if isinstance(error, OSError) and error.errno == errno.EADDRINUSE:
        return f"{host}:{port} 已被其他程序占用：请先停掉它，或用 --port 换一个端口"
    return f"不能在 {host}:{port} 上监听：请检查 --host 与 --port"


def _until_stopped(run: Callable[[], None], runtime: Runtime) -> None:
    """Run until Ctrl-C or SIGTERM, then let running jobs finish."""
    signal.signal(signal.SIGTERM, _stop)
    try:
        collect_seldom()
        run()
    except (KeyboardInterrupt, Stopped):
        click.echo("正在停止：等待进行中的任务结束")
    finally:
        runtime.stop()


def _wait_for_signal() -> None:
    while True:
        signal.pause()


def _stop(_number: int, _frame: object) -> NoReturn:
    raise Stopped(0)


def _echo_simulator(config: SimulatorConfig) -> None:
    click.echo(f"企业微信模拟器：{config.base_url}（corp id {config.corp_id}，应用 {config.agent_id}）")
    if config.callback_url:
        click.echo(f"回调发往：{urlsplit(config.callback_url).geturl()}")
