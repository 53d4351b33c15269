"""Merging tags: who wanted one wants the other, with everything right, and undoing gives back what stood."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from sqlalchemy import select, update

from tests.services.merging import OTHER, QUICK, WISHES, State, key_of, merge, start_merge, state, unmerge
from tests.services.shop import API, CAMPAIGN, PERSON, RULE, Shop, in_seconds
from wecom_app.domain.tagging import Source
from wecom_app.domain.vocabulary import Mirror, Scope, Selection, SourceKind
from wecom_app.errors import AppError, Conflict, InvalidInput
from wecom_app.models import (
    BotSettings,
    Channel,
    ChannelTag,
    ContentItem,
    Customer,
    LibraryChange,
    Relation,
    Tag,
    TagClaim,
    TagGroup,
    TagOperation,
)
from wecom_app.services import content, library_change_jobs, library_changes, library_restoring, tag_merges
from wecom_app.services.content_drafts import ContentDraft
from wecom_app.services.history import KEPT
from wecom_app.services.tagging import TagChange

LAYOUTS: dict[str, list[dict[str, Any]]] = {
    "one multi-choice group": [{}],
    "one single-choice group": [{"selection": Selection.SINGLE}],
    "from a single- into a single-choice group": [{"selection": Selection.SINGLE}, {"selection": Selection.SINGLE}],
    "from a multi- into a single-choice group": [{}, {"selection": Selection.SINGLE}],
    "of relations": [{"scope": Scope.RELATION}],
    "of relations, single": [{"scope": Scope.RELATION, "selection": Selection.SINGLE}],
}


def laid_out(shop: Shop, layout: str) -> list[int]:
    """Make the groups once; return the tag that goes, the one that stays, and another beside each."""
    groups = LAYOUTS[layout]
    made = {tag.name: tag.id for tag in shop.all(Tag)}
    if not made and len(groups) == 1:
        return shop.tags("甲", "乙", "丙", **groups[0])
    if not made:
        shop.tags("甲", "丁", group="first", **groups[0])
        shop.tags("乙", "丙", group="second", **groups[1])
        made = {tag.name: tag.id for tag in shop.all(Tag)}
    return [made[name] for name in ("甲", "乙", "丙")]


def play(shop: Shop, layout: str, tags: list[int], histories: list[list[tuple[int, bool, Source, int | None]]]) -> None:
    """Let each history happen to a customer of his own."""
    for wishes in histories:
        customer = shop.customer(name=f"wm_{len(shop.all(Customer))}")
        relation = shop.befriend(customer, "zhang")
        at = relation if "relations" in layout else 0
        for place, add, source, life in wishes:
            shop.clock.advance(1)
            until = in_seconds(shop, life) if life and add else None
            shop.apply(TagChange(customer, tags[place], add, source, {"n": place}, relation_id=at, expires_at=until))


def last_customer(shop: Shop) -> int:
    return max((one.id for one in shop.all(Customer)), default=0)


def cells_of(shop: Shop, above: int) -> set[tuple[int, int, int]]:
    """Return the tags that each friendship is to have at WeCom."""
    return {
        (row.customer_id, row.relation_id, row.tag_id)
        for row in shop.rows()
        if row.customer_id > above and row.relation_id != 0 and row.wanted
    }


def used(shop: Shop) -> tuple[list[tuple[int, int, int]], list[Any]]:
    given_ = [(one.channel_id, one.tag_id, one.position) for one in shop.all(ChannelTag, ChannelTag.channel_id)]
    return given_, [item.condition for item in shop.all(ContentItem, ContentItem.id)]


@pytest.mark.parametrize("layout", LAYOUTS)
@given(histories=st.lists(WISHES, min_size=2, max_size=2))
@example(histories=[[], [(0, True, PERSON, None), (1, True, PERSON, None)]])
@settings(max_examples=10, deadline=None, phases=QUICK, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_undoing_a_merge_gives_back_exactly_what_stood(
    shop: Shop,
    users: Callable[[int], tuple[int, int]],
    layout: str,
    histories: list[list[tuple[int, bool, Source, int | None]]],
) -> None:
    tags = laid_out(shop, layout)
    if not shop.all(Channel):
        users(tags[0])
    above = last_customer(shop)
    play(shop, layout, tags, histories)
    before = (state(shop, above), cells_of(shop, above), used(shop))
    shop.clock.advance(1)
    change_id = merge(shop, tags[0], tags[1])

    check_merged(before[0], state(shop, above), tags, alone=LAYOUTS[layout][-1].get("selection") != Selection.SINGLE)
    assert used(shop) != before[2]
    shop.clock.advance(1)
    undone = unmerge(shop, change_id)

    assert (undone.kept, undone.details["uses_kept"]) == (0, [])
    assert (state(shop, above), cells_of(shop, above), used(shop)) == before


@pytest.mark.parametrize("layout", LAYOUTS)
@given(
    histories=st.lists(WISHES, min_size=2, max_size=2),
    acts=st.lists(st.tuples(st.booleans(), st.sampled_from((PERSON, OTHER))), min_size=1, max_size=3),
)
@example(histories=[[(0, True, RULE, None)], [(0, True, API, None)]], acts=[(False, PERSON)])
@example(histories=[[(1, True, RULE, None), (0, True, RULE, None)], []], acts=[(False, PERSON)])
@settings(max_examples=8, deadline=None, phases=QUICK, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_a_person_does_after_a_merge_stays_when_it_is_undone_and_is_reported(
    shop: Shop,
    layout: str,
    histories: list[list[tuple[int, bool, Source, int | None]]],
    acts: list[tuple[bool, Source]],
) -> None:
    tags = laid_out(shop, layout)
    above = last_customer(shop)
    play(shop, layout, tags, histories[:1])
    edited = last_customer(shop)
    play(shop, layout, tags, histories[1:])
    before = state(shop, above)
    shop.clock.advance(1)
    change_id = merge(shop, tags[0], tags[1])
    merged, rows = state(shop, above), truths(shop, edited)
    relation = next(row.id for row in shop.all(Relation) if row.customer_id == edited)
    for add, source in acts:
        shop.clock.advance(1)
        shop.apply(TagChange(edited, tags[1], add, source, relation_id=relation if "relations" in layout else 0))
    acted, is_edited = state(shop, above), truths(shop, edited) != rows

    undone = unmerge(shop, change_id)

    after = state(shop, above)
    is_concerned = of(before, edited) != of(merged, edited)
    if is_concerned and is_edited:
        assert undone.kept == 1
        assert of(after, edited) == of(acted, edited)
    else:
        assert undone.kept == 0
        assert is_concerned or of(after, edited) == of(acted, edited)
    assert of(after, edited + 1) == of(before, edited + 1)


def truths(shop: Shop, customer: int) -> dict[tuple[int, int], tuple[Any, ...]]:
    """Return what stands of each tag, wanted or not."""
    rows = (row for row in shop.rows() if row.customer_id == customer)
    return {(row.relation_id, row.tag_id): tuple(getattr(row, name) for name in KEPT) for row in rows}


def of(found: State, customer: int) -> State:
    """Return the part of a state that speaks of one customer."""
    rows, claims = found
    return {key: row for key, row in rows.items() if key[0] == customer}, {one for one in claims if one[0] == customer}


def check_merged(before: State, after: State, tags: list[int], *, alone: bool) -> None:
    """Whoever had either tag has the one (unless another value outranks it), and no want is lost or stays behind."""
    source, target, _ = tags
    assert not any(tag_id == source for _, _, tag_id in after[0])
    assert not any(claim[2] == source for claim in after[1])
    for customer, relation, tag_id in before[0]:
        if tag_id not in (source, target):
            continue
        held = [
            before[0][customer, relation, one] for one in (source, target) if (customer, relation, one) in before[0]
        ]
        stands = after[0].get((customer, relation, target))
        if alone:
            assert stands is not None
        if stands is not None and alone:
            ranks = [Source(SourceKind(row[1])).rank for row in held]
            assert Source(SourceKind(stands[1])).rank == max(ranks)
            assert stands[5] == min(row[5] for row in held)
            wanting = {
                (claim[3], claim[4])
                for claim in before[1]
                if claim[:2] == (customer, relation) and claim[2] in (source, target)
            } | {(row[1], row[2] or "") for row in held}
            now = {(claim[3], claim[4]) for claim in after[1] if claim[:3] == (customer, relation, target)} | {
                (stands[1], stands[2] or "")
            }
            assert now == wanting


@pytest.mark.both
def test_the_higher_source_holds_since_the_earlier_date_and_the_longer_life_counts(shop: Shop) -> None:
    old, new = shop.tags("老客", "常客")
    customer = shop.customer("zhang")
    shop.add(customer, old, RULE, expires_at=in_seconds(shop, 100))
    since = shop.row(customer, old).set_at
    shop.clock.advance(10)
    shop.add(customer, new, RULE, expires_at=in_seconds(shop, 9000))
    longer = shop.row(customer, new).expires_at
    shop.add(customer, old, API)
    shop.add(customer, new, CAMPAIGN, evidence={"text": "春季活动"})
    shop.clock.advance(10)

    merge(shop, old, new)

    row = shop.row(customer, new)
    assert (row.source_kind, row.evidence, row.set_at) == ("campaign", {"text": "春季活动"}, since)
    assert {(claim.source_kind, claim.expires_at) for claim in shop.all(TagClaim)} == {("rule", longer), ("api", None)}
    assert shop.held(customer) == {new: "campaign"}
    opened = {(one.tag_id, one.state) for one in shop.all(TagOperation) if one.state == "pending"}
    assert opened == {(old, "pending"), (new, "pending")}


@pytest.mark.both
def test_whom_somebody_has_edited_since_keeps_what_he_has_and_is_told_the_others_go_back(shop: Shop) -> None:
    old, new = shop.tags("老客", "常客")
    first, second = shop.customer("zhang", name="wm_a"), shop.customer("zhang", name="wm_b")
    for customer in (first, second):
        shop.add(customer, old, RULE)
        shop.add(customer, new, API)
    before = {key: row for key, row in state(shop)[0].items() if key[0] == second}
    change_id = merge(shop, old, new)
    shop.remove(first, new, PERSON)

    undone = unmerge(shop, change_id)

    assert (undone.restored, undone.kept, undone.state) == (1, 1, "undone")
    assert shop.held(first) == {}
    assert {key: row for key, row in state(shop)[0].items() if key[0] == second} == before
    with shop.store.read() as session:
        told = library_changes.kept_items(session, change_id)
    assert {(name, item.reason) for item, name in told} == {("wm_a", "changed")}


@pytest.fixture
def users(shop: Shop) -> Callable[[int], tuple[int, int]]:
    """Return what makes a channel and a script that use a tag."""

    def make(tag_id: int) -> tuple[int, int]:
        draft = ContentDraft(
            kind="script",
            title="问候",
            text="您好",
            status="active",
            condition={"all": [{"on": "tag", "op": "has_any", "tags": [key_of(shop, tag_id)]}]},
        )
        with shop.store.write() as session:
            channel = Channel(name="海报", state="s1", source="海报", created_at=shop.clock.now())
            session.add(channel)
            session.flush()
            session.add(ChannelTag(channel_id=channel.id, tag_id=tag_id, position=0))
            item = content.create(session, shop.context, draft, "boss")
            return channel.id, item.id

    return make


@pytest.mark.both
def test_what_used_the_tag_uses_the_other_and_goes_back_unless_it_was_edited_since(
    shop: Shop, users: Callable[[int], tuple[int, int]]
) -> None:
    old, deprecated = shop.tags("老客", "旧客")
    (new,) = shop.tags("常客", group="second")
    users(old)
    with shop.store.write() as session:
        replaced = {"archived_at": shop.clock.now(), "replaced_by": key_in(session, old)}
        session.execute(update(Tag).where(Tag.id == deprecated).values(replaced))
        group_id = session.scalars(select(Tag.group_id).where(Tag.id == old)).one()
        session.add(bot_settings(group_id, shop))
    with shop.store.read() as session:
        planned = tag_merges.preview(session, key_of(shop, old), key_of(shop, new), shop.clock.now())
    assert [use.kind for use in planned.uses] == ["channel", "content", "bot", "tag"]
    change_id = merge(shop, old, new)

    assert uses(shop) == ([new], [key_of(shop, new)], "second", key_of(shop, new))
    standing = next(tag for tag in shop.all(Tag) if tag.id == new)
    assert standing.aliases == ["老客"]
    gone = next(tag for tag in shop.all(Tag) if tag.id == old)
    assert (gone.merged_into, gone.archived_at is not None) == (standing.key, True)
    with pytest.raises(Conflict, match="已合并到"), shop.store.write() as session:
        library_restoring.restore_tag(session, shop.context, gone.key)

    with shop.store.write() as session:
        session.execute(update(ChannelTag).values(tag_id=deprecated))
    undone = unmerge(shop, change_id)

    assert uses(shop) == ([deprecated], [gone.key], "group", gone.key)
    assert [one["kind"] for one in undone.details["uses_kept"]] == ["channel"]
    assert next(tag for tag in shop.all(Tag) if tag.id == new).aliases == []


def key_in(session: Any, tag_id: int) -> str:
    return str(session.scalars(select(Tag.key).where(Tag.id == tag_id)).one())


def bot_settings(group_id: int, shop: Shop) -> BotSettings:
    return BotSettings(
        id=1,
        cards=True,
        card_group_id=group_id,
        card_delay_s=60,
        digest=False,
        digest_at="09:00",
        alerts=False,
        updated_at=shop.clock.now(),
    )


def uses(shop: Shop) -> tuple[list[int], list[str], str, str]:
    """Return what the channel gives, the script asks for, the cards offer, and the archived tag names."""
    (settings_,) = shop.all(BotSettings)
    group = next(group.name for group in shop.all(TagGroup) if group.id == settings_.card_group_id)
    (item,) = shop.all(ContentItem)
    replaced = next(tag.replaced_by for tag in shop.all(Tag) if tag.replaced_by)
    return [row.tag_id for row in shop.all(ChannelTag)], item.condition["all"][0]["tags"], group, replaced


@pytest.mark.parametrize(
    ("source", "target", "told"),
    [
        ({}, {"scope": Scope.RELATION}, "打在客户上"),
        ({"mirror": Mirror.PULL}, {}, "以企业微信为准"),
        ({}, {"mirror": Mirror.PULL}, "以企业微信为准"),
        ({}, {"lifecycle": "deprecated"}, "不再新打"),
        ({"name": "获客来源"}, {}, "不能合并掉"),
    ],
)
def test_what_cannot_be_merged_is_refused_in_words(
    shop: Shop, source: dict[str, Any], target: dict[str, Any], told: str
) -> None:
    (old,) = shop.tags("老客", group="first")
    (new,) = shop.tags("常客", group="second")
    with shop.store.write() as session:
        for tag_id, values in ((old, source), (new, target)):
            group_id = session.scalars(select(Tag.group_id).where(Tag.id == tag_id)).one()
            if values:
                session.execute(update(TagGroup).where(TagGroup.id == group_id).values(**values))
    with pytest.raises(AppError, match=told):
        merge(shop, old, new)
    with pytest.raises(InvalidInput):
        merge(shop, new, new)
    assert shop.all(LibraryChange) == []


def test_a_merge_goes_on_page_by_page_from_where_it_was_and_can_be_undone_halfway(shop: Shop) -> None:
    old, new = shop.tags("老客", "常客")
    customers = [shop.customer("zhang", "wang", name=f"wm_{number:03}") for number in range(60)]
    for customer in customers:
        shop.add(customer, old, RULE)
    before = state(shop)
    with shop.store.write() as session:
        change = start_merge(session, shop, old, new)
        change_id, expected = change.id, change.expected
    assert expected == 60
    library_change_jobs.step(shop.store, str, change_id)
    moved = sum(1 for row in shop.rows() if row.tag_id == new and row.wanted and row.relation_id == 0)
    assert 0 < moved < 60
    with pytest.raises(Conflict, match="还有一次改动没做完"):
        merge(shop, new, shop.tags("别的", group="other")[0])

    assert unmerge(shop, change_id).restored == moved
    assert state(shop) == before


def test_undo_ends_after_seven_days_and_the_records_go_with_it(shop: Shop) -> None:
    old, new = shop.tags("老客", "常客")
    shop.add(shop.customer("zhang"), old, RULE)
    change_id = merge(shop, old, new)
    shop.clock.advance(timedelta(days=8, seconds=1).total_seconds())
    with shop.store.write() as session:
        assert library_changes.purge(session, shop.clock.now(), 500) == 2
    with pytest.raises(Conflict, match="7 天"):
        unmerge(shop, change_id)
