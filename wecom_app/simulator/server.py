"""The simulator as a whole: one object for tests, one blocking `serve` for the command line."""

import threading
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from wecom_app.clock import Clock, ShiftedClock
from wecom_app.errors import ConfigurationError
from wecom_app.simulator import sample
from wecom_app.simulator.acts.table import perform
from wecom_app.simulator.api.table import ENDPOINTS
from wecom_app.simulator.callbacks import Callbacks, Get, Post
from wecom_app.simulator.calls import CallLog
from wecom_app.simulator.config import SimulatorConfig
from wecom_app.simulator.context import Context
from wecom_app.simulator.errcodes import Json
from wecom_app.simulator.faults import Faults
from wecom_app.simulator.gateway import PREFIX, Gateway
from wecom_app.simulator.http_server import SimulatorServer
from wecom_app.simulator.limits import Limits
from wecom_app.simulator.scans import scan
from wecom_app.simulator.web import make_web
from wecom_app.simulator.world import World


class Simulator:
    """A corp on WeCom. With `threads=False` its callbacks wait until `step` or `run_until_idle`."""

    def __init__(
        self,
        config: SimulatorConfig,
        clock: Clock,
        post: Post | None = None,
        threads: bool = False,
        *,
        get: Get | None = None,
        templates: Path | None = None,
        static: Path | None = None,
    ) -> None:
        self.config = config
        self.clock = ShiftedClock(clock)
        self.world = World(config, self.clock)
        self.faults = Faults(config, self.clock, self.world.kill_tokens)
        self.calls = CallLog(config.calls_kept)
        self.callbacks = Callbacks(config, self.clock, self.faults, post, get)
        self.context = Context(
            config, self.clock, self.world, self.faults, Limits(self.clock), self.callbacks, self.calls
        )
        self._gateway = Gateway(self.context, ENDPOINTS)
        self._web = make_web(self.context, templates=templates, static=static)
        if threads:
            self.callbacks.start(config.callback_threads)

    def wsgi(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        """The WSGI application: WeCom's API, the control side and the page."""
        if environ["PATH_INFO"].startswith(PREFIX):
            return self._gateway(environ, start_response)
        return self._web(environ, start_response)

    def scan(
        self,
        config_id: str | None = None,
        external_userid: str | None = None,
        name: str | None = None,
        **switches: Any,
    ) -> Json:
        """Let a customer scan a live code; the switches are those of `POST /_simulator/scan`."""
        request = {"config_id": config_id, "external_userid": external_userid, "name": name, **switches}
        return scan(self.context, {key: value for key, value in request.items() if value is not None})

    def act(self, as_: str, kind: str, **parts: Any) -> Json:
        """Let somebody do something in the client or the console, as `POST /_simulator/act` does."""
        return perform(self.context, {"as": as_, "kind": kind, **parts})

    def step(self) -> bool:
        """Deliver the next callback that is due; False if there is none."""
        return self.callbacks.step()

    def run_until_idle(self) -> int:
        """Deliver every callback that is due and return how many tries that took."""
        return self.callbacks.run_until_idle()

    def verify(self, url: str | None = None) -> Json:
        """Check a callback address as the admin console does when it is saved."""
        return self.callbacks.verify(url)

    def listen(self, host: str = "127.0.0.1", port: int = 0) -> "RunningServer":
        """Serve over HTTP in a thread until the returned server is stopped; port 0 takes a free one."""
        return RunningServer(SimulatorServer(host, port, self.wsgi))

    def stop(self) -> None:
        """End the threads that deliver callbacks."""
        self.callbacks.stop()


class RunningServer:
    """An HTTP server in a thread."""

    def __init__(self, server: SimulatorServer) -> None:
        self._server = server
        self.url = server.url
        self._thread = threading.Thread(
            target=server.serve_forever, kwargs={"poll_interval": 0.05}, name="simulator", daemon=True
        )
        self._thread.start()

    def stop(self) -> None:
        """End serving and free the port."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def serve(
    config: SimulatorConfig,
    host: str,
    port: int,
    clock: Clock,
    *,
    templates: Path | None = None,
    static: Path | None = None,
    sample_company: bool = False,
) -> None:
    """Serve the simulator until interrupted."""
    simulator = Simulator(config, clock, templates=templates, static=static)
    if sample_company:
        sample.fill(simulator.world)
    try:
        server = SimulatorServer(host, port, simulator.wsgi)
    except OSError as error:
        raise ConfigurationError(f"不能在 {host}:{port} 上监听，端口可能已被占用") from error
    simulator.callbacks.start(config.callback_threads)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        pass
    finally:
        server.server_close()
        simulator.stop()
