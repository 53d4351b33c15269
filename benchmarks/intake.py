"""How does storing a callback (SQLite, synchronous=FULL) compare with a route that does nothing?

    python -m benchmarks.intake [callbacks]

Prints the rate of both from 32 connections, their ratio (goal 0.35, at least 0.25), and the 99th percentile
of the answer at a steady 200 a second (at most 100 ms).
"""

import http.client
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from benchmarks.stage import ROOT, free_port, quantile, settings_for, wait_ready
from wecom_app.clock import SystemClock
from wecom_app.simulator.config import SimulatorConfig
from wecom_app.simulator.server import Simulator

CONNECTIONS = 32
STEADY_RATE = 200
STEADY_S = 10
LEAST_RATIO, MOST_P99_MS = 0.25, 100.0
NOOP = "/api/v1/noop"
"""Below an address that, like the callback's, acts on no cookie."""

Request = tuple[str, bytes]
Part = TypeVar("Part")


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 4000
    with tempfile.TemporaryDirectory() as name:
        port = free_port()
        env = {**os.environ, "PYTHONPATH": str(ROOT), **settings_for(port, 9, Path(name))}
        command = [sys.executable, "-m", "benchmarks.intake_server", str(port)]
        server = subprocess.Popen(command, env=env, cwd=name, stderr=subprocess.DEVNULL)
        try:
            wait_ready(f"http://127.0.0.1:{port}/healthz")
            figures = measure(port, count)
        finally:
            server.terminate()
            server.wait()
    print(
        f"no-op {figures['noop']:.0f}/s, stored {figures['stored']:.0f}/s, ratio {figures['ratio']:.2f} "
        f"(goal 0.35); at {STEADY_RATE}/s p50 {figures['p50']:.1f} ms, p99 {figures['p99']:.1f} ms"
    )
    sys.exit(0 if figures["ratio"] >= LEAST_RATIO and figures["p99"] < MOST_P99_MS else 1)


def measure(port: int, count: int) -> dict[str, float]:
    """Return the figures of one run; no-op and intake take turns, so that a noisy machine hits both."""
    events = callbacks(2 * count + STEADY_RATE * STEADY_S + 200)
    noop = [(NOOP, body) for _, body in events]
    burst(port, noop[:200])
    burst(port, events[:200])
    rates: dict[str, list[float]] = {"noop": [], "stored": []}
    for half in (0, 1):
        part = slice(200 + half * count, 200 + (half + 1) * count)
        rates["noop"].append(burst(port, noop[part]))
        rates["stored"].append(burst(port, events[part]))
    noop_rate, stored_rate = sum(rates["noop"]) / 2, sum(rates["stored"]) / 2
    delays = steady(port, events[200 + 2 * count :])
    return {
        "noop": noop_rate,
        "stored": stored_rate,
        "ratio": stored_rate / noop_rate,
        "p50": quantile(delays, 0.5) * 1000,
        "p99": quantile(delays, 0.99) * 1000,
    }


def callbacks(count: int) -> list[Request]:
    """Return signed add events, each for another customer."""
    made: list[Request] = []

    def keep(url: str, body: bytes, _timeout_s: float) -> int:
        made.append(("/wecom/callback?" + url.partition("?")[2], body))
        return 200

    simulator = Simulator(SimulatorConfig(callback_url="http://x/wecom/callback"), SystemClock(), post=keep)
    simulator.world.add_member("zhang", "张伟")
    for number in range(count):
        simulator.act("zhang", "add", name=f"客户{number}")
    simulator.run_until_idle()
    return made


def burst(port: int, requests: Sequence[Request]) -> float:
    """Send all as fast as 32 connections can; return the rate."""
    began = time.perf_counter()
    _in_parallel(port, [requests[start::CONNECTIONS] for start in range(CONNECTIONS)], _send_all)
    return len(requests) / (time.perf_counter() - began)


def steady(port: int, requests: Sequence[Request]) -> list[float]:
    """Send at a steady rate, each at its planned moment; return the delays from that moment to the answer."""
    delays: list[float] = []
    began = time.perf_counter() + 0.2

    def send(connection: http.client.HTTPConnection, mine: Sequence[tuple[float, Request]]) -> None:
        for offset, request in mine:
            time.sleep(max(0.0, began + offset - time.perf_counter()))
            _send(connection, request)
            delays.append(time.perf_counter() - began - offset)

    planned = [(number / STEADY_RATE, request) for number, request in enumerate(requests[: STEADY_RATE * STEADY_S])]
    _in_parallel(port, [planned[start::CONNECTIONS] for start in range(CONNECTIONS)], send)
    return delays


def _in_parallel(
    port: int, parts: Sequence[Sequence[Part]], work: Callable[[http.client.HTTPConnection, Sequence[Part]], None]
) -> None:
    def run(part: Sequence[Part]) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        work(connection, part)
        connection.close()

    with ThreadPoolExecutor(len(parts)) as threads:
        list(threads.map(run, parts))


def _send_all(connection: http.client.HTTPConnection, requests: Sequence[Request]) -> None:
    for request in requests:
        _send(connection, request)


def _send(connection: http.client.HTTPConnection, request: Request) -> None:
    path, body = request
    connection.request("POST", path, body)
    answer = connection.getresponse()
    if answer.read() != b"success":
        raise RuntimeError(f"{path}: HTTP {answer.status}")


if __name__ == "__main__":
    main()
