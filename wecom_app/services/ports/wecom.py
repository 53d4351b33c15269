"""WeCom's API as the services use it; `adapters.wecom.gateway` implements it."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from wecom_app.services.ports.app_messages import AppMessages
from wecom_app.services.ports.sdk_tickets import SdkTickets
from wecom_app.services.ports.sign_in import SignInCalls
from wecom_app.services.ports.wecom_facts import (
    ContactDetails,
    ContactPage,
    ContactWay,
    ContactWayDraft,
    CorpTagGroup,
    DepartmentDetails,
    MemberDetails,
    RemarkDraft,
    WelcomeMessage,
)


class WeCom(AppMessages, SdkTickets, SignInCalls, Protocol):
    """WeCom's API. Every method may raise the WeComError family of `wecom_app.errors`.

    None of them may be called inside an open write transaction.
    """

    def get_member(self, userid: str) -> MemberDetails:
        """Return a member (user/get); WeComGone or WeComRejected where the app may not see him."""
        ...

    def list_departments(self) -> tuple[DepartmentDetails, ...]:
        """Return the departments that the app may see."""
        ...

    def list_members(self, department_id: int) -> tuple[MemberDetails, ...]:
        """Return the members of one department, not of those below it."""
        ...

    def list_follow_userids(self) -> tuple[str, ...]:
        """Return the members who may have customers and whom the app sees."""
        ...

    def list_external_userids(self, userid: str) -> tuple[str, ...]:
        """Return a member's customers; an errcode 84061 means none."""
        ...

    def get_contact(
        self, external_userid: str, *, urgent: bool = False, timeout_s: float | None = None
    ) -> ContactDetails:
        """Return a customer with all his followers (all pages); WeComGone if WeCom has no such contact."""
        ...

    def list_contacts(self, userids: Sequence[str], cursor: str | None = None, limit: int = 100) -> ContactPage:
        """Return a page of the customers of up to 100 members."""
        ...

    def mark_tags(self, userid: str, external_userid: str, *, add: Sequence[str], remove: Sequence[str]) -> None:
        """Add and remove enterprise tags of one relation in one call."""
        ...

    def list_corp_tags(
        self,
        *,
        tag_ids: Sequence[str] = (),
        group_ids: Sequence[str] = (),
        urgent: bool = False,
        timeout_s: float | None = None,
    ) -> tuple[CorpTagGroup, ...]:
        """Return the tag library; only a query by ids tells what is deleted."""
        ...

    def add_corp_tags(
        self,
        tag_names: Sequence[str],
        *,
        orders: Sequence[int] = (),
        group_id: str | None = None,
        group_name: str | None = None,
        group_order: int | None = None,
    ) -> CorpTagGroup:
        """Create tags in a group, made if it is new; an existing name is refused (40071)."""
        ...

    def edit_corp_tag(self, wecom_id: str, *, name: str | None = None, order: int | None = None) -> None:
        """Rename or reorder a tag or a group of our own."""
        ...

    def delete_corp_tags(self, *, tag_ids: Sequence[str] = (), group_ids: Sequence[str] = ()) -> None:
        """Delete tags or groups of our own."""
        ...

    def add_contact_way(self, draft: ContactWayDraft) -> ContactWay:
        """Create a live code. Not idempotent: after an unknown outcome look with `find_contact_way`."""
        ...

    def update_contact_way(self, config_id: str, draft: ContactWayDraft) -> None:
        """Replace a live code's staff, state, remark and switches."""
        ...

    def delete_contact_way(self, config_id: str) -> None: ...

    def find_contact_way(self, state: str, *, created_since: datetime) -> ContactWay | None:
        """Return the live code that carries `state`, looking through those created since then."""
        ...

    def send_welcome(self, welcome_code: str, message: WelcomeMessage) -> None:
        """Send the one welcome a code is good for; WelcomeTooLate or WelcomeTaken where it is not."""
        ...

    def upload_media(
        self, kind: str, filename: str, content: bytes, *, urgent: bool = False, timeout_s: float | None = None
    ) -> str:
        """Return the media_id of an uploaded image, video or file; it lives three days."""
        ...

    def set_remark(self, userid: str, external_userid: str, draft: RemarkDraft) -> None:
        """Write what a member has noted of a customer; at least one part must be given."""
        ...
