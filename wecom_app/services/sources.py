"""Acquisition sources: the tags that a channel gives, and the source tag of contacts from outside channels."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import bindparam, select
from sqlalchemy.orm import Session

from wecom_app.domain.tagging import Source
from wecom_app.domain.vocabulary import SOURCE_GROUP_NAME, UNKNOWN_SOURCE, Lifecycle, SourceKind, source_name
from wecom_app.models import ChannelTag, Relation, Tag, TagGroup
from wecom_app.prepared import Prepared
from wecom_app.services import channel_remarks, tagging, taxonomy
from wecom_app.services.context import Context
from wecom_app.services.history import Act
from wecom_app.services.relations import Origin
from wecom_app.services.tagging import TagChange

ADD_WAY_REF = "add_way:"
"""Beginning of `source_ref` where the source tag says how a contact from outside channels was added."""
LIVE_TAG_IDS = Prepared(
    select(ChannelTag.tag_id)
    .join(Tag, Tag.id == ChannelTag.tag_id)
    .join(TagGroup, TagGroup.id == Tag.group_id)
    .where(
        ChannelTag.channel_id == bindparam("channel_id"),
        Tag.archived_at.is_(None),
        Tag.gone_at.is_(None),
        Tag.lifecycle == Lifecycle.ACTIVE,
        TagGroup.lifecycle == Lifecycle.ACTIVE,
    )
    .order_by(ChannelTag.position)
)


def tag_by_channel(session: Session, context: Context, relation: Relation, channel: Origin) -> None:
    """Give the customer the channel's tags and its remark; tags archived or deleted meanwhile are left out."""
    evidence = {
        "channel_id": channel.id,
        "channel_name": channel.name,
        "source": channel.source,
        "state": channel.state,
        "relation_id": relation.id,
        **_event_evidence(context),
    }
    tag_ids = live_tag_ids(session, channel.id)
    _apply(session, context, relation, tag_ids, ref=str(channel.id), evidence=evidence)
    relation.source_known = True
    channel_remarks.request(session, context, relation, channel)


def live_tag_ids(session: Session, channel_id: int) -> list[int]:
    """Return the tags that a channel gives now, in their order."""
    return LIVE_TAG_IDS.scalars(session, {"channel_id": channel_id})


def find_source_tag(session: Session, name: str) -> Tag | None:
    """Return the live tag of this name in the group 获客来源, if it has been made."""
    query = (
        select(Tag)
        .join(TagGroup, TagGroup.id == Tag.group_id)
        .where(
            TagGroup.name == SOURCE_GROUP_NAME,
            Tag.name == name,
            *(column.is_(None) for column in (TagGroup.archived_at, TagGroup.gone_at, Tag.archived_at, Tag.gone_at)),
        )
    )
    return session.execute(query).scalar_one_or_none()


def tag_by_add_way(session: Session, context: Context, relation: Relation) -> int:
    """Give the customer the source tag of how he was added; return the tag's id.

    A State that no channel of ours carries counts as not recognised: a code of another tool, or a deleted one.
    """
    name = UNKNOWN_SOURCE if relation.state else source_name(relation.add_way)
    tag_id = taxonomy.ensure_source_tag(session, context, name)
    evidence = {
        "add_way": relation.add_way,
        "state": relation.state,
        "relation_id": relation.id,
        **_event_evidence(context),
    }
    ref = f"{ADD_WAY_REF}{relation.add_way or 0}"
    _apply(session, context, relation, [tag_id], ref=ref, evidence=evidence)
    relation.source_known = True
    return tag_id


def _apply(
    session: Session,
    context: Context,
    relation: Relation,
    tag_ids: list[int],
    *,
    ref: str,
    evidence: Mapping[str, Any],
) -> None:
    source = Source(SourceKind.CHANNEL, ref)
    changes = [
        TagChange(
            relation.customer_id,
            tag_id,
            add=True,
            source=source,
            evidence=dict(evidence),
            relation_id=relation.id,
        )
        for tag_id in tag_ids
    ]
    act = Act("channel", actor_ref=ref, event_id=context.event_id)
    tagging.apply(session, changes, act, queue=context.queue, now=context.now)


def _event_evidence(context: Context) -> dict[str, Any]:
    if context.event_id is None:
        return {}
    occurred = context.occurred_at.isoformat() if context.occurred_at else None
    return {"event_id": context.event_id, "occurred_at": occurred}
