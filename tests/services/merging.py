"""Merges and their undoing, as tests have them happen: done to the end, and what stands then."""

from typing import Any

from hypothesis import Phase
from hypothesis import strategies as st
from sqlalchemy.orm import Session

from tests.services.shop import API, CAMPAIGN, CHANNEL, PERSON, RULE, Shop
from wecom_app.domain.tagging import Source
from wecom_app.domain.vocabulary import Scope, SourceKind
from wecom_app.models import (
    LibraryChange,
    Tag,
    TagClaim,
    TagGroup,
)
from wecom_app.services import library_change_jobs, library_changes, tag_merges
from wecom_app.services.history import KEPT
from wecom_app.services.library_changes import Actor

ADMIN = Actor("admin", "boss")
OTHER = Source(SourceKind.MANUAL, actor="wang")
SOURCES = (PERSON, OTHER, CAMPAIGN, CHANNEL, RULE, API)
State = tuple[dict[tuple[int, int, int], tuple[Any, ...]], set[tuple[Any, ...]]]


def key_of(shop: Shop, tag_id: int) -> str:
    return next(tag.key for tag in shop.all(Tag) if tag.id == tag_id)


def run(shop: Shop, change_id: int) -> int:
    """Do all pages; return how many transactions it took."""
    pages = 1
    while library_change_jobs.step(shop.store, str, change_id):
        pages += 1
    return pages


def start_merge(session: Session, shop: Shop, source: int, target: int) -> LibraryChange:
    old, new = key_of(shop, source), key_of(shop, target)
    expected = tag_merges.count_expected(session, old, new)
    return tag_merges.start(session, shop.context, old, new, ADMIN, expected=expected)


def merge(shop: Shop, source: int, target: int) -> int:
    with shop.store.write() as session:
        made = start_merge(session, shop, source, target)
        change_id = made.id
    run(shop, change_id)
    return change_id


def unmerge(shop: Shop, change_id: int) -> LibraryChange:
    with shop.store.write() as session:
        library_change_jobs.undo(session, shop.context, change_id, ADMIN)
    run(shop, change_id)
    with shop.store.read() as session:
        return library_changes.find(session, change_id)


def state(shop: Shop, above: int = 0) -> State:
    """Return all that stands at the level of truth, with its provenance, and all claims; of customers `above` an id."""
    groups = {group.id: group.scope for group in shop.all(TagGroup)}
    scopes = {tag.id: groups[tag.group_id] for tag in shop.all(Tag)}
    rows = {
        (row.customer_id, row.relation_id, row.tag_id): tuple(getattr(row, name) for name in KEPT)
        for row in shop.rows()
        if row.customer_id > above and row.wanted and (row.relation_id == 0) == (scopes[row.tag_id] == Scope.CUSTOMER)
    }
    claims = {
        (one.customer_id, one.relation_id, one.tag_id, one.source_kind, one.source_ref, one.actor, one.expires_at)
        for one in shop.all(TagClaim)
        if one.customer_id > above
    }
    return rows, claims


WISHES = st.lists(
    st.tuples(
        st.integers(0, 2),
        st.booleans() | st.just(True),
        st.sampled_from(SOURCES),
        st.sampled_from((None, 5000, 9999)),
    ),
    max_size=8,
)
QUICK = (Phase.explicit, Phase.reuse, Phase.generate)
"""Without shrinking: an example takes a quarter of a second, and what fails is pinned here."""
