"""How long does 可以这样聊 take with 2,000 items in use, and what does looking only at fitting tags save?

One process, SQLite; a customer has 26 of 1,000 tags. Run: python -m benchmarks.recommendations
"""

import random
import statistics
import tempfile
import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path

from wecom_app.bootstrap import upgrade_database
from wecom_app.db import Database
from wecom_app.domain import conditions
from wecom_app.domain.access import Role
from wecom_app.domain.condition_leaves import Facts, HeldTag, facts_of
from wecom_app.models import ContentItem, Customer, Staff, Tag, TagGroup
from wecom_app.services import recommendations
from wecom_app.services.access import Viewer
from wecom_app.services.content_cache import ActiveItem, ContentCache

ITEMS, TAGS, HELD, CUSTOMERS, RUNS = 2_000, 1_000, 26, 50, 1_000
NOW = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)


def main() -> None:
    """Measure and print."""
    rng = random.Random(1)
    with tempfile.TemporaryDirectory() as folder:
        database = Database(f"sqlite:///{Path(folder) / 'bench.db'}")
        upgrade_database(database)
        _fill(database, rng)
        _measure(database, rng)
        database.close()


def _measure(database: Database, rng: random.Random) -> None:
    cache = ContentCache()
    viewer = Viewer(1, 1, "zhang", "张伟", frozenset({Role.REP}))
    people = [_held(rng) for _ in range(CUSTOMERS)]

    def suggest(number: int) -> None:
        with database.read() as session:
            held = people[number % CUSTOMERS]
            recommendations.for_customer(session, cache, held, NOW, customer_id=number % CUSTOMERS + 1, viewer=viewer)

    (first,) = _timed(suggest, 1)
    times = _timed(suggest, RUNS)
    print(f"{ITEMS} items, {HELD} of {TAGS} tags: first {first:.0f} ms (reads all items)")
    p50, p95 = statistics.median(times), sorted(times)[int(RUNS * 0.95)]
    print(f"then p50 {p50:.2f} ms, p95 {p95:.2f} ms for a suggestion, the database's two statements included")
    with database.read() as session:
        items = cache.at(session, 0, NOW)
    facts = [facts_of(held, NOW) for held in people]
    few = _timed(lambda n: _ask(items.candidates(facts[n % CUSTOMERS].tags), facts[n % CUSTOMERS]), 200)
    every = _timed(lambda n: _ask(items.all, facts[n % CUSTOMERS]), 200)
    print(
        f"asking only items for the customer's tags: {statistics.median(every) / statistics.median(few):.1f} x faster"
    )


def _ask(items: Iterable[ActiveItem], facts: Facts) -> None:
    for item in items:
        if item.condition is not None:
            conditions.ask(item.condition, facts)


def _timed(act: Callable[[int], None], runs: int) -> list[float]:
    """Return the milliseconds of each run."""
    times = []
    for number in range(runs):
        began = time.perf_counter()
        act(number)
        times.append((time.perf_counter() - began) * 1000)
    return times


def _held(rng: random.Random) -> list[HeldTag]:
    return [HeldTag(_key(number), str(number), "channel", NOW) for number in rng.sample(range(TAGS), HELD)]


def _key(number: int) -> str:
    return f"behaviour.bench.t{number}"


def _fill(database: Database, rng: random.Random) -> None:
    with database.write() as session:
        session.add(Staff(id=1, userid="zhang", userid_key="zhang", name="张伟", created_at=NOW))
        session.add(
            TagGroup(
                id=1,
                key="behaviour.bench",
                name="bench",
                dimension="behaviour",
                selection="multi",
                scope="customer",
                mirror="none",
                created_at=NOW,
            )
        )
        session.flush()
        session.add_all(Tag(key=_key(n), group_id=1, name=str(n), created_at=NOW) for n in range(TAGS))
        session.add_all(
            Customer(id=n + 1, external_userid=f"wm_{n}", name=str(n), created_at=NOW) for n in range(CUSTOMERS)
        )
        session.add_all(_item(rng, number) for number in range(ITEMS))


def _item(rng: random.Random, number: int) -> ContentItem:
    keys = [_key(tag) for tag in rng.sample(range(TAGS), 4)]
    condition = {
        "all": [
            {"on": "tag", "op": "has_any", "tags": keys[:3]},
            {"on": "tag", "op": "has_none", "tags": keys[3:]},
        ]
    }
    return ContentItem(
        kind="script",
        title=f"{number}",
        spellings=f"{number}",
        text="您好",
        condition=condition if number % 100 else None,
        priority=rng.randrange(100),
        status="active",
        created_by="bench",
        updated_by="bench",
        created_at=NOW,
        updated_at=NOW,
    )


if __name__ == "__main__":
    main()
