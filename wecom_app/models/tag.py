"""The tag library: dimensions, groups and tags; written by `services.taxonomy`."""

from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, ForeignKey, Index, String, false, func, text
from sqlalchemy.ext.hybrid import hybrid_property
from sqlalchemy.orm import Mapped, mapped_column

from wecom_app.db import Base, BigId

LIVE = text("archived_at IS NULL AND gone_at IS NULL")


class Governed:
    """What people write down of groups and tags, so that everybody means the same by them."""

    description: Mapped[str] = mapped_column(String(300), default="", server_default="")
    definition: Mapped[str] = mapped_column(String(500), default="", server_default="")
    """In words: when a customer gets it, and when not."""
    maintainer: Mapped[str | None] = mapped_column(String(64))
    """Userid of whoever answers for it."""
    lifecycle: Mapped[str] = mapped_column(String(12), default="active", server_default="active")
    """draft (groups only: not at WeCom, nobody gets its tags), active or deprecated (nobody gets it any more)."""
    ttl_days: Mapped[int | None]
    """Default life of what is assigned without an end of its own; a tag's goes before its group's."""
    version: Mapped[int] = mapped_column(default=1, server_default="1")
    """The edit version: raised by every edit, checked by the next."""


class Mirrored:
    """What was last agreed on with WeCom about a group or tag, and what is still to be told there."""

    base_name: Mapped[str | None] = mapped_column(String(64))
    """The name last observed at WeCom; None while it was never seen there."""
    base_order: Mapped[int | None] = mapped_column(BigId)
    sent_name: Mapped[str | None] = mapped_column(String(64))
    """The name that we told WeCom since `base_name` was observed: seen there, it is no edit of somebody else's."""
    sent_order: Mapped[int | None] = mapped_column(BigId)
    tries: Mapped[int] = mapped_column(default=0, server_default="0")
    """Edits that WeCom answered and that reading back did not confirm."""
    blocked: Mapped[str | None] = mapped_column(String(200))
    """Why WeCom does not take it as it is here; None while nothing was refused."""
    blocked_by: Mapped[str | None] = mapped_column(String(8))
    """limit (no more tags may be made), name (borne by another there), refused, tries, or ask (a person decides)."""
    touched_seq: Mapped[int] = mapped_column(BigId, default=0, server_default="0")
    """When its name or order was last edited, told or seen changed: an older list of WeCom's says nothing about it."""
    deleting_at: Mapped[datetime | None]
    """When somebody asked for its deletion at WeCom; it stays noted once that is done."""
    aliases: Mapped[list[Any]] = mapped_column(default=list, server_default="[]")
    """Other names by which people look for it."""


class TagDimension(Base):
    """One of the views that tags are sorted by; the four built-in ones come with the first migration."""

    __tablename__ = "tag_dimension"

    key: Mapped[str] = mapped_column(String(64), primary_key=True)
    name: Mapped[str] = mapped_column(String(32), unique=True)
    position: Mapped[int]
    version: Mapped[int] = mapped_column(default=1, server_default="1")
    archived_at: Mapped[datetime | None]


class TagGroup(Governed, Mirrored, Base):
    """Tags that belong together; mirrored at WeCom according to `mirror`."""

    __tablename__ = "tag_group"
    __table_args__ = (Index("uq_tag_group_live_name", "name", unique=True, sqlite_where=LIVE, postgresql_where=LIVE),)

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    key: Mapped[str] = mapped_column(String(160), unique=True)
    name: Mapped[str] = mapped_column(String(64))
    dimension: Mapped[str] = mapped_column(ForeignKey("tag_dimension.key"))
    selection: Mapped[str] = mapped_column(String(8))
    scope: Mapped[str] = mapped_column(String(8))
    mirror: Mapped[str] = mapped_column(String(8))
    owner: Mapped[str] = mapped_column(String(8), default="ours")
    wecom_group_id: Mapped[str | None] = mapped_column(String(64), unique=True)
    position: Mapped[int] = mapped_column(BigId, default=0)
    """WeCom's order: the larger, the further to the front."""
    sensitive: Mapped[bool] = mapped_column(default=False, server_default=false())
    """Covered in the sidebar until tapped: others can look over a member's shoulder."""
    editable_by: Mapped[str] = mapped_column(String(12), default="everybody", server_default="everybody")
    """Who may edit these tags on a customer by hand: everybody, leaders (and admins) or nobody."""
    conflict_policy: Mapped[str] = mapped_column(String(8), default="wecom", server_default="wecom")
    """Whose name or order holds where both sides changed it: wecom, ours, or ask."""
    colour: Mapped[str | None] = mapped_column(String(8))
    """A word of `vocabulary.Colour`; None for its dimension's own."""
    created_at: Mapped[datetime]
    archived_at: Mapped[datetime | None]
    gone_at: Mapped[datetime | None]

    @hybrid_property
    def tone(self) -> str:
        """What its tags are drawn in wherever they are seen: the group's own colour, else its dimension's."""
        return self.colour or self.dimension

    @tone.inplace.expression
    @classmethod
    def _tone(cls) -> ColumnElement[str]:
        return func.coalesce(cls.colour, cls.dimension).label("tone")


class Tag(Governed, Mirrored, Base):
    """One tag; `wecom_tag_id` is None while WeCom has not got it (or its group is not mirrored)."""

    __tablename__ = "tag"
    __table_args__ = (
        Index("uq_tag_live_name", "group_id", "name", unique=True, sqlite_where=LIVE, postgresql_where=LIVE),
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    key: Mapped[str] = mapped_column(String(200), unique=True)
    group_id: Mapped[int] = mapped_column(ForeignKey("tag_group.id"), index=True)
    name: Mapped[str] = mapped_column(String(64))
    owner: Mapped[str] = mapped_column(String(8), default="ours")
    wecom_tag_id: Mapped[str | None] = mapped_column(String(64), unique=True)
    position: Mapped[int] = mapped_column(BigId, default=0)
    created_at: Mapped[datetime]
    archived_at: Mapped[datetime | None]
    gone_at: Mapped[datetime | None]
    """When WeCom was seen to have deleted it: a tombstone, never made again by itself."""
    replaced_by: Mapped[str | None] = mapped_column(String(200))
    """Key of the tag to use instead of a deprecated one."""
    merged_into: Mapped[str | None] = mapped_column(String(200))
    """Key of the tag that took this one over: archived with it, brought back only by undoing the merge."""
