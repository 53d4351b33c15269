"""Tags, customers and friendships in a few words, and what the tables say of them afterwards."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import select

from wecom_app.clock import ManualClock
from wecom_app.db import Base
from wecom_app.domain.tagging import Source
from wecom_app.domain.vocabulary import SourceKind
from wecom_app.models import Customer, CustomerTag, Relation, TagClaim, TagEvent, TagOperation
from wecom_app.services import customers, relations, staff, tagging, taxonomy
from wecom_app.services.context import Context
from wecom_app.services.history import Act
from wecom_app.services.runtime import Store
from wecom_app.services.tagging import Applied, TagChange
from wecom_app.services.taxonomy import GroupDraft, TagDraft

PERSON = Source(SourceKind.MANUAL, actor="zhang")
CAMPAIGN = Source(SourceKind.CAMPAIGN, "spring")
CHANNEL = Source(SourceKind.CHANNEL, "1")
RULE = Source(SourceKind.RULE, "vip")
API = Source(SourceKind.API, "1")
ACT = Act("api", actor_ref="tests", reason="because")


class Shop:
    """Each method is a transaction of its own."""

    def __init__(self, store: Store, clock: ManualClock) -> None:
        self.store, self.clock = store, clock

    @property
    def context(self) -> Context:
        return Context(self.store.queue, lambda name: name, self.clock.now())

    def tags(self, *names: str, group: str = "group", **choices: Any) -> list[int]:
        """Make a group with tags, and return the tags' ids."""
        draft = GroupDraft(group, "behaviour", tuple(TagDraft(name) for name in names), **choices)
        with self.store.write() as session:
            made = taxonomy.create_group(session, self.context, draft)
            by_name = {tag.name: tag.id for tag in taxonomy.tags_of(session, [made.id])[made.id]}
        return [by_name[name] for name in names]

    def customer(self, *staff_userids: str, name: str = "wm_li") -> int:
        """Make a customer who is a friend of the members named."""
        with self.store.write() as session:
            customer_id = customers.ensure(session, name, self.clock.now())
        for userid in staff_userids:
            self.befriend(customer_id, userid)
        return customer_id

    def befriend(self, customer_id: int, userid: str, *, half: bool = False) -> int:
        """Open a relation, and return its id."""
        now = self.clock.now()
        with self.store.write() as session:
            staff_id = staff.ensure(session, [userid], now)[userid]
            relation, _ = relations.find_or_create(session, customer_id, staff_id, now)
            relations.open_epoch(session, relation, now, half=half)
            return relation.id

    def part(self, relation_id: int) -> None:
        """End a relation."""
        with self.store.write() as session:
            relation = session.get_one(Relation, relation_id)
            relations.close_epoch(session, relation, "customer", self.clock.now(), self.clock.now())

    def apply(self, *changes: TagChange, act: Act = ACT, observed_on: Collection[int] = ()) -> Applied:
        queue, now = self.store.queue, self.clock.now()
        with self.store.write() as session:
            return tagging.apply(session, changes, act, queue=queue, now=now, observed_on=observed_on)

    def add(self, customer_id: int, tag_id: int, source: Source = API, **more: Any) -> Applied:
        return self.apply(TagChange(customer_id, tag_id, True, source, **more))

    def remove(self, customer_id: int, tag_id: int, source: Source = API, **more: Any) -> Applied:
        return self.apply(TagChange(customer_id, tag_id, False, source, **more))

    def all(self, table: type[Base], *order: Any) -> Sequence[Any]:
        with self.store.read() as session:
            return session.execute(select(table).order_by(*order)).scalars().all()

    def rows(self) -> list[CustomerTag]:
        return list(self.all(CustomerTag, CustomerTag.customer_id, CustomerTag.relation_id, CustomerTag.tag_id))

    def row(self, customer_id: int, tag_id: int, relation_id: int = 0) -> CustomerTag:
        """Return the row of one tag, which must be there."""
        (found,) = [
            row
            for row in self.rows()
            if (row.customer_id, row.tag_id, row.relation_id) == (customer_id, tag_id, relation_id)
        ]
        return found

    def held(self, customer_id: int, relation_id: int = 0) -> dict[int, str]:
        """Return the tags that the customer has, with the kind of source that holds each."""
        return {
            row.tag_id: row.source_kind
            for row in self.rows()
            if (row.customer_id, row.relation_id) == (customer_id, relation_id) and row.wanted
        }

    def claims(self) -> list[tuple[int, str, str]]:
        found = self.all(TagClaim, TagClaim.tag_id, TagClaim.source_kind, TagClaim.source_ref)
        return [(claim.tag_id, claim.source_kind, claim.source_ref) for claim in found]

    def events(self) -> list[TagEvent]:
        return list(self.all(TagEvent, TagEvent.id))

    def operations(self) -> list[tuple[int, int, str]]:
        """Return relation, tag and state of every operation, oldest first."""
        found = self.all(TagOperation, TagOperation.id)
        return [(operation.relation_id, operation.tag_id, operation.state) for operation in found]

    def version(self, customer_id: int) -> int:
        with self.store.read() as session:
            return session.get_one(Customer, customer_id).version

    def waiting(self, kind: str) -> list[dict[str, Any]]:
        """Return the arguments of the waiting jobs of a kind."""
        with self.store.read() as session:
            found = self.store.queue.list_jobs(session, state="waiting", limit=200).items
        return [job.args for job in found if job.kind == kind]


def in_seconds(shop: Shop, seconds: float) -> datetime:
    """Return a moment from now on the shop's clock."""
    later = ManualClock(shop.clock.now())
    later.advance(seconds)
    return later.now()
