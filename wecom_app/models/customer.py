"""Customers, staff, and the relations between them; written by `services.customers` and `services.staff`."""

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from wecom_app.db import Base, BigId


class Customer(Base):
    """A person outside the company (WeCom's external contact), once, however many staff follow him."""

    __tablename__ = "customer"
    __table_args__ = {"sqlite_autoincrement": True}  # noqa: RUF012  ids are never reused

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    external_userid: Mapped[str] = mapped_column(String(64), unique=True)
    name: Mapped[str] = mapped_column(String(128), default="")
    type: Mapped[str] = mapped_column(String(8), default="wechat")
    avatar: Mapped[str | None] = mapped_column(String(512))
    gender: Mapped[int | None]
    unionid: Mapped[str | None] = mapped_column(String(64), index=True)
    corp_name: Mapped[str | None] = mapped_column(String(128))
    version: Mapped[int] = mapped_column(default=0)
    """The sidebar's edit version: raised by every change of his tags."""
    created_at: Mapped[datetime]
    details_at: Mapped[datetime | None]
    """When WeCom last told us his details; None until the first answer."""


class Staff(Base):
    """A member of the company; `userid` as WeCom spells it, `userid_key` lower case for joins."""

    __tablename__ = "staff"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    userid: Mapped[str] = mapped_column(String(64))
    userid_key: Mapped[str] = mapped_column(String(64), unique=True)
    name: Mapped[str] = mapped_column(String(64), default="")
    status: Mapped[str] = mapped_column(String(8), default="active", server_default="active")
    """active, disabled, inactive (has not joined yet) or left."""
    created_at: Mapped[datetime]


class Department(Base):
    """A node of the company's tree; `id` is WeCom's number."""

    __tablename__ = "department"

    id: Mapped[int] = mapped_column(BigId, primary_key=True, autoincrement=False)
    name: Mapped[str] = mapped_column(String(128))
    parent_id: Mapped[int] = mapped_column(BigId)
    position: Mapped[int] = mapped_column(BigId, default=0)


class DepartmentMember(Base):
    """Who works in a department, and whether he leads it."""

    __tablename__ = "department_member"

    department_id: Mapped[int] = mapped_column(BigId, primary_key=True, autoincrement=False)
    staff_id: Mapped[int] = mapped_column(ForeignKey("staff.id"), primary_key=True)
    is_leader: Mapped[bool] = mapped_column(default=False)


class Relation(Base):
    """One friendship of a customer and a staff member; a re-add reopens the same row as a new epoch."""

    __tablename__ = "relation"
    __table_args__ = (
        UniqueConstraint("customer_id", "staff_id"),
        Index("ix_relation_staff_live", "staff_id", "lost_at"),
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    customer_id: Mapped[int] = mapped_column(ForeignKey("customer.id"))
    staff_id: Mapped[int] = mapped_column(ForeignKey("staff.id"))
    half: Mapped[bool] = mapped_column(default=False)
    """The customer has added the member, who has not confirmed yet: nothing is pushed to it."""
    add_way: Mapped[int | None]
    state: Mapped[str | None] = mapped_column(String(64))
    """WeCom's own State: which live code or link the customer came through."""
    channel_id: Mapped[int | None] = mapped_column(ForeignKey("channel.id"))
    remark: Mapped[str | None] = mapped_column(String(64))
    description: Mapped[str | None] = mapped_column(String(512))
    remark_mobiles: Mapped[list[Any] | None]
    remark_company: Mapped[str | None] = mapped_column(String(64))
    opened_at: Mapped[datetime]
    """When the present epoch began, as far as events tell; before the first look shows `epoch_at`."""
    lost_at: Mapped[datetime | None]
    lost_by: Mapped[str | None] = mapped_column(String(8))
    epoch_at: Mapped[datetime | None]
    """WeCom's createtime of the present epoch; None until the first look."""
    linked: Mapped[bool] = mapped_column(default=False)
    """Found by the first link rather than by an event."""
    life_seq: Mapped[int] = mapped_column(BigId, default=0)
    seen_seq: Mapped[int] = mapped_column(BigId, default=0)
    listed_seq: Mapped[int] = mapped_column(BigId, default=0, server_default="0")
    """The number of the last page of a full pull that showed it."""
    absent_seq: Mapped[int] = mapped_column(BigId, default=0, server_default="0")
    """Drawn when a completed pull of the member did not show it; a later single look that does not either ends it."""
    dirty_gen: Mapped[int] = mapped_column(default=0)
    pulled_gen: Mapped[int] = mapped_column(default=0)
    parted: Mapped[list[Any]] = mapped_column(default=list)
    """Ids of the tags held, or being added by us, when the relation was last lost."""
    missed_tags: Mapped[dict[str, Any] | None]
    """What the last look showed and our library had not got: by WeCom's id the number of the last look without it."""
    transfer_failure: Mapped[str | None] = mapped_column(String(32))
    """Why WeCom last failed to hand the customer over: customer_refused or customer_limit_exceed."""
    source_known: Mapped[bool] = mapped_column(default=False)
    """Whether this epoch's acquisition source has been tagged."""
