"""The tables, one module a noun family; importing this package registers all of them on `Base.metadata`."""

from wecom_app.models.account import ApiKey, Deployment, IdempotencyRecord
from wecom_app.models.channel import Channel, ChannelStaff, ChannelTag, Welcome
from wecom_app.models.customer import Customer, Relation, Staff
from wecom_app.models.inbox import InboxEvent
from wecom_app.models.queue import Job
from wecom_app.models.sync import Counter, SyncConflict, TagOperation
from wecom_app.models.tag import Tag, TagDimension, TagGroup
from wecom_app.models.tagging import ChangeSet, CustomerTag, TagClaim, TagEvent
from wecom_app.models.wecom import ApiCall, ApiWindow, WeComToken

__all__ = [
    "ApiCall",
    "ApiKey",
    "ApiWindow",
    "ChangeSet",
    "Channel",
    "ChannelStaff",
    "ChannelTag",
    "Counter",
    "Customer",
    "CustomerTag",
    "Deployment",
    "IdempotencyRecord",
    "InboxEvent",
    "Job",
    "Relation",
    "Staff",
    "SyncConflict",
    "Tag",
    "TagClaim",
    "TagDimension",
    "TagEvent",
    "TagGroup",
    "TagOperation",
    "WeComToken",
    "Welcome",
]
