"""Conditions in SQL hold for exactly the customers for whom they hold in memory."""

from random import Random

import pytest
from sqlalchemy import select

from tests import random_conditions
from tests.services.shop import Shop
from wecom_app.domain import conditions
from wecom_app.domain.condition_leaves import facts_of
from wecom_app.domain.tagging import Source
from wecom_app.domain.vocabulary import Scope, SourceKind
from wecom_app.models import Customer, CustomerTag
from wecom_app.services import condition_queries, taxonomy
from wecom_app.services.taxonomy import GroupDraft, TagDraft

pytestmark = pytest.mark.both


def test_the_database_counts_whom_the_evaluator_says(shop: Shop) -> None:
    """200 random conditions over twelve customers, a group kept per relation; some parted, some tags ran out."""
    rng = Random(7)
    kinds = {"rule": SourceKind.RULE, "manual": SourceKind.MANUAL, "wecom": SourceKind.WECOM_LINK}
    ids = _library(shop)
    holding = {}
    for number in range(12):
        customer = shop.customer("zhang", name=f"wm_{number}")
        relation = shop.befriend(customer, "zhang")
        held = random_conditions.held(rng)
        for tag in held:
            source = Source(kinds[tag.source], "x", "zhang")
            scoped = {"relation_id": relation} if tag.key.startswith("b") else {}
            shop.add(customer, ids[tag.key], source, **scoped)
            with shop.store.write() as session:
                rows = session.query(CustomerTag).filter_by(customer_id=customer, tag_id=ids[tag.key])
                rows.update({"set_at": tag.set_at})
        if number % 3 == 2:
            shop.part(relation)
            held = [tag for tag in held if not tag.key.startswith("b")]
        if number % 3 == 1:
            with shop.store.write() as session:
                rows = session.query(CustomerTag).filter_by(customer_id=customer, tag_id=ids["c"])
                rows.update({"expires_at": random_conditions.NOW})
            held = [tag for tag in held if tag.key != "c"]
        holding[customer] = held
    now = random_conditions.NOW
    with shop.store.read() as session:
        for customer, held in holding.items():
            found = condition_queries.held_tags(session, customer, now)
            assert {(tag.key, tag.source, tag.set_at) for tag in found} == {
                (tag.key, tag.source, tag.set_at) for tag in held
            }
        tags = condition_queries.known_tags(session, set(ids))
        for _ in range(200):
            document = random_conditions.document(rng)
            condition = conditions.parse(document)
            query = select(Customer.id).where(condition_queries.matching(condition, tags, now))
            expected = {
                customer for customer, held in holding.items() if conditions.ask(condition, facts_of(held, now)).holds
            }
            assert set(session.scalars(query)) == expected, document


def _library(shop: Shop) -> dict[str, int]:
    ids = {}
    with shop.store.write() as session:
        for name in ("a", "b", "c"):
            keys = [key for key in random_conditions.KEYS if key.startswith(name)]
            draft = GroupDraft(
                name,
                "behaviour",
                tuple(TagDraft(key, key) for key in keys),
                scope=Scope.RELATION if name == "b" else Scope.CUSTOMER,
            )
            group = taxonomy.create_group(session, shop.context, draft)
            ids |= {tag.key: tag.id for tag in taxonomy.tags_of(session, [group.id])[group.id]}
    return ids
