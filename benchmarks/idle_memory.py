"""How much memory does the application hold when nothing happens, and how much processor does it use?

    python -m benchmarks.idle_memory

Goal: at most 160 MB resident.
"""

import sys
import time

from benchmarks.stage import stage

MOST_MB = 160.0
WATCHED_S = 10


def main() -> None:
    with stage() as played:
        played.get("/customers")
        cpu = played.cpu_s()["application"]
        time.sleep(WATCHED_S)
        share = (played.cpu_s()["application"] - cpu) / WATCHED_S
        memory = played.rss_mb()
    print(f"idle: {memory:.0f} MB resident (goal {MOST_MB:.0f}), {share * 100:.1f} % of one core")
    sys.exit(0 if memory <= MOST_MB else 1)


if __name__ == "__main__":
    main()
