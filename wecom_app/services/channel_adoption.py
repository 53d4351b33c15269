"""Codes of a former tool: the states that nobody here knows, and taking one over as a channel of ours.

The code itself stays with the tool that made it; here its customers are recognised, tagged and welcomed.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import exists, func, select
from sqlalchemy.orm import Session

from wecom_app.errors import InvalidInput
from wecom_app.models import ChangeSet, Channel, Customer, Relation, Staff
from wecom_app.services import back_tagging, channel_traces, channels, library, sources, taxonomy
from wecom_app.services.channel_drafts import ChannelDraft
from wecom_app.services.channels import ChannelView
from wecom_app.services.runtime import Runtime

FOREIGN = "活码属于原来的工具：成员、验证等设置请在原工具中修改；标签和欢迎语由本系统负责"
MOST_STAFF = 100
SAMPLES = 20


@dataclass(frozen=True)
class UnknownState:
    """A State that customers came with and that no channel carries."""

    state: str
    count: int
    staff: tuple[str, ...]
    first_at: datetime
    last_at: datetime


@dataclass(frozen=True)
class TagForecast:
    """How many customers would get a tag; `key` is None for a source tag that is yet to be made."""

    key: str | None
    name: str
    customers: int


@dataclass(frozen=True)
class Sample:
    """A customer who would be recognised."""

    external_userid: str
    name: str
    userids: tuple[str, ...]


@dataclass(frozen=True)
class Forecast:
    """What adopting a state with back-tagging would do."""

    customers: int
    tags: tuple[TagForecast, ...]
    samples: tuple[Sample, ...]


@dataclass(frozen=True)
class Adopted:
    """The channel, and the change set under which its earlier customers are being tagged."""

    channel: ChannelView
    change_set_id: int | None


def unknown_states(session: Session, *, after: str | None = None, limit: int = 50) -> list[UnknownState]:
    """Return the states that no channel carries, in their own order, counting customers."""
    met_at = func.coalesce(Relation.epoch_at, Relation.opened_at)
    query = (
        select(
            Relation.state,
            func.count(func.distinct(Relation.customer_id)).label("customers"),
            func.min(met_at).label("first_at"),
            func.max(met_at).label("last_at"),
        )
        .where(*back_tagging.UNRECOGNISED, ~exists().where(Channel.state == Relation.state))
        .group_by(Relation.state)
        .order_by(Relation.state)
        .limit(limit)
    )
    if after is not None:
        query = query.where(Relation.state > after)
    rows = session.execute(query).all()
    staff = _staff_by_state(session, [row.state for row in rows])
    return [UnknownState(row.state, row.customers, staff[row.state], row.first_at, row.last_at) for row in rows]


def preview(session: Session, state: str, source: str, tag_keys: Sequence[str]) -> Forecast:
    """Return what back-tagging would do now; raise InvalidInput for tags that are not there."""
    came_by = back_tagging.came_by(state)
    total = session.execute(select(func.count(func.distinct(Relation.customer_id))).where(*came_by)).scalar_one()
    return Forecast(total, tuple(_tag_forecasts(session, state, source, tag_keys, total)), _samples(session, state))


def adopt(runtime: Runtime, draft: ChannelDraft, *, back_tag: bool, asked_by: str) -> Adopted:
    """Make a channel for a state whose code is another tool's; with `back_tag` tag those who came by it before.

    Raises InvalidInput, or NameTaken where a channel has the state already.
    """
    if not draft.state:
        raise InvalidInput("请指明要认领的 state", details={"state": "必填"})
    with runtime.write() as session:
        context = library.context(runtime)
        seen = _staff_by_state(session, [draft.state])[draft.state]
        draft = replace(draft, staff=draft.staff or seen[:MOST_STAFF])
        channel = channels.insert(session, context, draft, code="foreign")
        channel_traces.follow_up(session, context, channel.id)
        channel.sync_state, channel.sync_reason = "local", FOREIGN
        change_set_id = None
        if back_tag:
            reason = f"认领渠道「{channel.name}」，为此前的客户补打标签"[:300]
            parent = ChangeSet(at=context.now, actor_kind="api", actor_ref=asked_by, reason=reason)
            session.add(parent)
            session.flush()
            change_set_id = parent.id
            back_tagging.request(session, context, channel.id, change_set_id)
        session.flush()
        channel_id = channel.id
    with runtime.read() as session:
        return Adopted(channels.get(session, channel_id), change_set_id)


def _staff_by_state(session: Session, states: Sequence[str]) -> dict[str, tuple[str, ...]]:
    query = (
        select(Relation.state, Staff.userid)
        .join(Staff, Staff.id == Relation.staff_id)
        .where(*back_tagging.UNRECOGNISED, Relation.state.in_(states))
        .distinct()
        .order_by(Relation.state, Staff.userid)
    )
    found: dict[str, list[str]] = {state: [] for state in states}
    for state, userid in session.execute(query):
        found[str(state)].append(userid)
    return {state: tuple(userids) for state, userids in found.items()}


def _tag_forecasts(session: Session, state: str, source: str, tag_keys: Sequence[str], total: int) -> list[TagForecast]:
    keys = list(dict.fromkeys(tag_keys))
    if keys:
        found = taxonomy.find_tags(session, keys)
        tags: list[Any] = [found[key] for key in keys]
    else:
        standing = sources.find_source_tag(session, source.strip())
        if standing is None:
            return [TagForecast(None, source.strip(), total)]
        tags = [standing]
    plan = back_tagging.plan(session, [tag.id for tag in tags])
    return [TagForecast(tag.key, tag.name, back_tagging.count_wanting(session, plan, state, tag.id)) for tag in tags]


def _samples(session: Session, state: str) -> tuple[Sample, ...]:
    """Return the customers who came last."""
    newest = (
        select(Relation.customer_id)
        .where(*back_tagging.came_by(state))
        .group_by(Relation.customer_id)
        .order_by(func.max(Relation.id).desc())
        .limit(SAMPLES)
    )
    ids = list(session.execute(newest).scalars())
    query = (
        select(Customer.id, Customer.external_userid, Customer.name, Staff.userid)
        .join(Relation, Relation.customer_id == Customer.id)
        .join(Staff, Staff.id == Relation.staff_id)
        .where(Customer.id.in_(ids), *back_tagging.came_by(state))
        .order_by(Relation.id)
    )
    found: dict[int, Sample] = {}
    for customer_id, external_userid, name, userid in session.execute(query):
        before = found.get(customer_id, Sample(external_userid, name, ()))
        found[customer_id] = replace(before, userids=(*before.userids, userid))
    return tuple(found[customer_id] for customer_id in ids if customer_id in found)
