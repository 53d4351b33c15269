"""What stands on both sides, read with plain SQL and from the simulator's own state: the judge's eyes."""

from collections import defaultdict
from dataclasses import dataclass

from tests.stateful.corp import CUSTOMERS, FRIENDSHIPS, HOBBIES, LEVELS, NOTES, Corp
from tests.stateful.ledger import UnitKey, Value

WANTED = """
SELECT c.external_userid, ct.relation_id, t.wecom_tag_id, g.name
FROM customer_tag ct JOIN tag t ON t.id = ct.tag_id JOIN tag_group g ON g.id = t.group_id
JOIN customer c ON c.id = ct.customer_id
WHERE ct.wanted AND (ct.relation_id = 0) = (g.scope = 'customer')
"""
RELATIONS = """
SELECT r.id, s.userid_key, c.external_userid, r.epoch_at FROM relation r
JOIN staff s ON s.id = r.staff_id JOIN customer c ON c.id = r.customer_id WHERE r.lost_at IS NULL
"""
ROWS = """
SELECT c.external_userid, k.relation_id, t.wecom_tag_id, g.selection, g.scope, count(*) FROM sync_conflict k
JOIN customer c ON c.id = k.customer_id JOIN tag t ON t.id = k.tag_id JOIN tag_group g ON g.id = t.group_id
GROUP BY 1, 2, 3, 4, 5
"""
OPEN_CELLS = """
SELECT ct.relation_id, ct.tag_id, ct.wanted != coalesce(ct.base, 0) OR ct.sent IS NOT NULL
FROM customer_tag ct JOIN relation r ON r.id = ct.relation_id
JOIN tag t ON t.id = ct.tag_id JOIN tag_group g ON g.id = t.group_id
WHERE ct.acked_ver < ct.ver AND NOT ct.dead AND t.gone_at IS NULL AND r.lost_at IS NULL AND NOT r.half
  AND g.mirror IN ('push', 'two_way')
"""
OPEN_OPERATIONS = """
SELECT o.relation_id, o.tag_id FROM tag_operation o WHERE o.state IN ('pending', 'sent')
"""
WAITING_JOBS = """
SELECT count(*) FROM job WHERE state IN ('waiting', 'retrying', 'running')
"""
VERSIONS = """
SELECT relation_id, tag_id, customer_id, wanted, base, acked_ver < ver, sent, tries, dead, person_seq,
       CASE relation_id WHEN 0 THEN ver END, CASE relation_id WHEN 0 THEN source_kind END
FROM customer_tag ORDER BY 1, 2, 3
"""
"""A cell's copies of the truth's number and source are brought up to date by whichever look comes next."""
COUNTS = """
SELECT (SELECT count(*) FROM tag_operation), (SELECT count(*) FROM sync_conflict), (SELECT count(*) FROM tag_event),
       (SELECT count(*) FROM tag)
"""


@dataclass(frozen=True)
class Here:
    """The application's side."""

    wanted: frozenset[tuple[str, int, str]]
    """(customer, friendship or -1, WeCom's tag id)"""
    friends: dict[int, int]
    """Live friendships and their relations' ids."""


class Sight:
    """Looks at one corp; tags go by the id that WeCom gave them."""

    def __init__(self, corp: Corp) -> None:
        self.corp = corp

    def tag_id(self, name: str) -> str | None:
        """Return WeCom's id of the live tag of a name; each of our names stands in one group only."""
        for group in self.corp.simulator.world.tags.live_groups():
            tag = group.tag_named(name)
            if tag is not None:
                return tag.id
        return None

    def live_ids(self, names: tuple[str, ...]) -> dict[str, str]:
        """Return the ids of those of the tags that are not deleted, by name."""
        return {name: tag_id for name in names if (tag_id := self.tag_id(name)) is not None}

    def there(self, friendship: int) -> frozenset[str] | None:
        """Return the tags that WeCom has on a friendship; None if it has ended."""
        world = self.corp.simulator.world
        relation = world.customers.relation(*FRIENDSHIPS[friendship])
        if relation is None or not relation.is_listed:
            return None
        return frozenset(tag.id for tag in world.tags_of(relation))

    def friends_there(self, customer: str) -> list[int]:
        """Return the customer's friendships that WeCom lists."""
        return [i for i, pair in enumerate(FRIENDSHIPS) if pair[1] == customer and self.there(i) is not None]

    def here(self) -> Here:
        """Return what the application wants and which friendships it holds for live."""
        relations = {row[0]: (row[1], row[2]) for row in self.corp.rows(RELATIONS)}
        friends = {
            index: relation
            for relation, pair in relations.items()
            for index, of in enumerate(FRIENDSHIPS)
            if of == pair
        }
        by_relation = {relation: index for index, relation in friends.items()} | {0: -1}
        rows = self.corp.rows(WANTED)
        wanted = frozenset((row[0], by_relation[row[1]], row[2]) for row in rows if row[1] in by_relation)
        return Here(wanted, friends)

    def units(self, here: Here) -> dict[UnitKey, Value]:
        """Return every unit of live tags with its value on our side."""
        hobbies = self.live_ids(HOBBIES)
        levels, notes = self.live_ids(LEVELS), self.live_ids(NOTES)
        found: dict[UnitKey, Value] = {}
        for customer in CUSTOMERS:
            for tag in hobbies.values():
                found[UnitKey(customer, tag)] = tag if (customer, -1, tag) in here.wanted else None
            held = [tag for tag in levels.values() if (customer, -1, tag) in here.wanted]
            assert len(held) <= 1, f"{customer} holds two values of a single-choice group"
            found[UnitKey(customer, None)] = held[0] if held else None
        for index in here.friends:
            customer = FRIENDSHIPS[index][1]
            for tag in notes.values():
                value = tag if (customer, index, tag) in here.wanted else None
                found[UnitKey(customer, tag, index)] = value
        return found

    def rows(self, here: Here) -> dict[UnitKey, int]:
        """Return the number of conflict rows of each unit."""
        by_relation = {relation: index for index, relation in here.friends.items()}
        found: dict[UnitKey, int] = defaultdict(int)
        for customer, relation, tag, selection, scope, count in self.corp.rows(ROWS):
            friendship = by_relation.get(relation) if scope == "relation" else None
            found[UnitKey(customer, None if selection == "single" else tag, friendship)] += count
        return found

    def value_there(self, key: UnitKey, friendship: int) -> Value:
        """Return a unit's value on one friendship in WeCom; a single-choice group must have one at most."""
        tags = self.there(friendship) or frozenset()
        if key.tag is not None:
            return key.tag if key.tag in tags else None
        held = sorted(tags & set(self.live_ids(LEVELS).values()))
        return held[0] if len(held) <= 1 and held else (None if not held else "+".join(held))

    def is_equal(self, customer: str) -> bool:
        """Say whether both sides agree on the customer's friendships and on every value."""
        here = self.here()
        mine = [index for index in here.friends if FRIENDSHIPS[index][1] == customer]
        if sorted(mine) != self.friends_there(customer):
            return False
        return all(
            self.value_there(key, index) == value
            for key, value in self.units(here).items()
            if key.customer == customer
            for index in mine
            if key.friendship in (None, index)
        )
