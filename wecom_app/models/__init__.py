"""The tables, one module a noun family; importing this package registers all of them on `Base.metadata`."""

from wecom_app.models.access import (
    AuditEntry,
    LocalAdmin,
    RateWindow,
    SignInState,
    StaffRole,
    StaffScope,
    WebSession,
)
from wecom_app.models.account import ApiKey, Deployment, IdempotencyRecord
from wecom_app.models.bot import (
    Alert,
    BotDialogue,
    BotMessage,
    BotSettings,
    Duty,
    IntentionCard,
    RobotMessage,
)
from wecom_app.models.channel import (
    Channel,
    ChannelRemark,
    ChannelStaff,
    ChannelTag,
    DefaultWelcome,
    Welcome,
)
from wecom_app.models.content import ContentEvent, ContentItem, ContentRevision
from wecom_app.models.customer import Customer, Department, DepartmentMember, Relation, Staff
from wecom_app.models.inbox import InboxEvent
from wecom_app.models.library import LibraryChange, LibraryChangeItem, LibraryImport, UnlinkedTag
from wecom_app.models.media import Media, MediaPiece
from wecom_app.models.profile import FollowUp, ProfileField, ProfileValue, RemarkEdit
from wecom_app.models.queue import Job
from wecom_app.models.schedule import Schedule, ScheduleRun
from wecom_app.models.sync import Counter, SyncChain, SyncConflict, SyncRun, SyncRunItem, TagOperation
from wecom_app.models.tag import Tag, TagDimension, TagGroup
from wecom_app.models.tagging import ChangeSet, CustomerTag, TagClaim, TagEvent
from wecom_app.models.wecom import ApiCall, ApiWindow, FlightShare, WeComToken

__all__ = [
    "Alert",
    "ApiCall",
    "ApiKey",
    "ApiWindow",
    "AuditEntry",
    "BotDialogue",
    "BotMessage",
    "BotSettings",
    "ChangeSet",
    "Channel",
    "ChannelRemark",
    "ChannelStaff",
    "ChannelTag",
    "ContentEvent",
    "ContentItem",
    "ContentRevision",
    "Counter",
    "Customer",
    "CustomerTag",
    "DefaultWelcome",
    "Department",
    "DepartmentMember",
    "Deployment",
    "Duty",
    "FlightShare",
    "FollowUp",
    "IdempotencyRecord",
    "InboxEvent",
    "IntentionCard",
    "Job",
    "LibraryChange",
    "LibraryChangeItem",
    "LibraryImport",
    "LocalAdmin",
    "Media",
    "MediaPiece",
    "ProfileField",
    "ProfileValue",
    "RateWindow",
    "Relation",
    "RemarkEdit",
    "RobotMessage",
    "Schedule",
    "ScheduleRun",
    "SignInState",
    "Staff",
    "StaffRole",
    "StaffScope",
    "SyncChain",
    "SyncConflict",
    "SyncRun",
    "SyncRunItem",
    "Tag",
    "TagClaim",
    "TagDimension",
    "TagEvent",
    "TagGroup",
    "TagOperation",
    "UnlinkedTag",
    "WeComToken",
    "WebSession",
    "Welcome",
]
