"""How many scans a second go from callback to tags on both sides, read back, with WeCom answering after 20 ms?

python -m benchmarks.end_to_end [customers] [--worker]

With --worker a process of its own runs the jobs: `serve --no-worker` beside `worker`.
"""

import sys
import time
from datetime import UTC, datetime

from benchmarks.stage import Stage, stage

LATENCY_S = 0.02
GOAL = 40.0


def main() -> None:
    arguments = [argument for argument in sys.argv[1:] if argument != "--worker"]
    customers = int(arguments[0]) if arguments else 400
    with stage(worker="--worker" in sys.argv) as played:
        config_id = prepare(played)
        cpu, began = played.cpu_s(), time.monotonic()
        for _ in range(customers):
            played.control("POST", "/scan", {"config_id": config_id})
        scanned = time.monotonic() - began
        played.wait(lambda: _finished(played, customers), 180)
        took, cpu = time.monotonic() - began, _spent(cpu, played.cpu_s(), customers)
        welcomed = [w for w in played.control("GET", "/state?parts=welcomes")["welcomes"] if w["sent_at"]]
    rate = customers / took
    print(f"{customers} scans in {took:.1f} s (scanning itself {scanned:.1f} s): {rate:.1f}/s, goal {GOAL:.0f}/s")
    print("ms of one core per scan: " + ", ".join(f"{name} {ms:.1f}" for name, ms in cpu.items()))
    print(f"welcomed {len(welcomed)} of {customers}")
    sys.exit(0 if rate >= GOAL and len(welcomed) == customers else 1)


def prepare(played: Stage) -> str:
    """Make a member, two tags and a code; WeCom answers slowly from then on. Return the code's config_id."""
    played.control("POST", "/members", {"userid": "zhang", "name": "张伟"})
    group = played.post(
        "/tag-groups", {"name": "兴趣", "dimension": "behaviour", "tags": [{"name": "护肤"}, {"name": "母婴"}]}
    )
    channel = played.post(
        "/channels",
        {
            "name": "海报",
            "source": "门店",
            "staff": ["zhang"],
            "tags": [tag["key"] for tag in group["tags"]],
            "welcome": {"text": "{customer_name}您好"},
        },
    )
    played.wait(lambda: all(tag["wecom_tag_id"] for tag in played.get("/tags")["items"]), 20)
    played.control("PUT", "/faults", {"rules": [{"api": "*", "kind": "latency", "latency_s": LATENCY_S}]})
    return str(channel["config_id"])


def _spent(before: dict[str, float], after: dict[str, float], scans: int) -> dict[str, float]:
    """Return the milliseconds per scan of each process."""
    return {name: (seconds - before[name]) / scans * 1000 for name, seconds in after.items()}


def _finished(played: Stage, customers: int) -> bool:
    relations = played.control("GET", "/state?parts=relations")["relations"]
    marked = sum(len(relation["tags"]) == 2 for relation in relations)
    if marked < customers:
        return False
    states = ("waiting", "running", "retrying")
    jobs = [job for state in states for job in played.get(f"/jobs?state={state}&limit=200")["items"]]
    now = datetime.now(UTC)
    return all(datetime.fromisoformat(job["run_at"]) > now for job in jobs)


if __name__ == "__main__":
    main()
