"""The demo: starts simulator and application as two processes and plays a day at a shop against them."""


def run(host: str, port: int, simulator_port: int, *, once: bool) -> int:
    """Play the demo; return 0 if both sides agree."""
    raise SystemExit(f"not built yet: {host} {port} {simulator_port} {once}")
