"""What the services need from the outside: WeCom, the job queue, the callback cipher and the intake.

`adapters` implement these, `bootstrap` puts them into the `Runtime`, and tests run them all against the
simulator.
"""

from wecom_app.services.ports.app_messages import AppMessages, ButtonCard, CardButton, SentMessage
from wecom_app.services.ports.callbacks import CallbackCipher, CallbackQuery, IncomingEvent, Intake
from wecom_app.services.ports.group_robot import GroupRobot
from wecom_app.services.ports.jobs import CANCELLED, JobArgs, JobPage, JobQueue, JobView, Scheduler
from wecom_app.services.ports.sdk_tickets import SdkTickets, TicketKind
from wecom_app.services.ports.sign_in import LoginIdentity
from wecom_app.services.ports.wecom import WeCom
from wecom_app.services.ports.wecom_facts import (
    ContactDetails,
    ContactPage,
    ContactWay,
    ContactWayDraft,
    CorpTag,
    CorpTagGroup,
    DepartmentDetails,
    FollowUser,
    MemberDetails,
    RemarkDraft,
    WelcomeMessage,
)

__all__ = [
    "CANCELLED",
    "AppMessages",
    "ButtonCard",
    "CallbackCipher",
    "CallbackQuery",
    "CardButton",
    "ContactDetails",
    "ContactPage",
    "ContactWay",
    "ContactWayDraft",
    "CorpTag",
    "CorpTagGroup",
    "DepartmentDetails",
    "FollowUser",
    "GroupRobot",
    "IncomingEvent",
    "Intake",
    "JobArgs",
    "JobPage",
    "JobQueue",
    "JobView",
    "LoginIdentity",
    "MemberDetails",
    "RemarkDraft",
    "Scheduler",
    "SdkTickets",
    "SentMessage",
    "TicketKind",
    "WeCom",
    "WelcomeMessage",
]
