"""A customer as a rep sees him in the sidebar, from the local database only: header, tags, fields, timeline, and why.

Called by the sidebar's routes, by the playground and the bot. A profile takes a fixed number of queries,
whatever the customer has.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy.orm import Session

from wecom_app.domain import editing, explaining
from wecom_app.domain.access import Purpose, Role
from wecom_app.domain.vocabulary import Scope, came_by, is_person
from wecom_app.domain.words import LOST_WORDS, STATE_WORDS, SYNC_BY_URGENCY, SYNC_WORDS, TYPE_WORDS, source_word
from wecom_app.errors import NotFound
from wecom_app.services import follow_ups, profile_values, rep_rows, rep_timeline
from wecom_app.services.access import Seen, Viewer, find_customer
from wecom_app.services.agreement import Agreement
from wecom_app.services.rep_rows import Names, run
from wecom_app.services.rep_timeline import Subject
from wecom_app.services.rep_views import (
    Chip,
    Claim,
    Dimension,
    Header,
    Owner,
    RemarkView,
    RemovedTag,
    RepProfile,
    SyncMark,
    TimelinePage,
    Why,
)

EXPIRES_SOON = timedelta(days=7)
TIMELINE_PAGE = 20
NOT_A_FRIEND = "只有与这位客户互为好友的成员可以修改"
OTHERS_TAG = "这个标签打在其他成员的好友关系上，只有该成员可以修改"
REMARK_STATES = {"pending": "pending", "sent": "pending", "failed": "failed"}
"""States of a remark on its way that are not simply agreed."""


def load(
    session: Session, viewer: Viewer, external_userid: str, now: datetime, *, purpose: Purpose = Purpose.VIEW
) -> RepProfile:
    """Return the customer as the viewer may see him; raise NotInSight, the same for unknown and not his."""
    view = _View(session, viewer, find_customer(session, viewer, external_userid, purpose), now)
    chips = view.chips()
    return RepProfile(
        customer_id=view.customer.id,
        version=view.customer.version,
        can_edit=view.can_edit,
        header=view.header(chips),
        remark=view.remark(),
        dimensions=_by_dimension(run(session, rep_rows.DIMENSIONS), chips),
        removed=view.removed(),
        fields=profile_values.views(session, view.customer.id, view.names),
        reminders=follow_ups.reminders(session, viewer, view.customer, now),
        timeline=rep_timeline.load(session, viewer, view.subject(), view.names, now, limit=TIMELINE_PAGE),
    )


def timeline(
    session: Session,
    viewer: Viewer,
    external_userid: str,
    before: str | None,
    now: datetime,
    *,
    purpose: Purpose = Purpose.VIEW,
) -> TimelinePage:
    """Return a page of the timeline; `before` is what the page before said."""
    view = _View(session, viewer, find_customer(session, viewer, external_userid, purpose), now)
    return rep_timeline.load(session, viewer, view.subject(), view.names, now, before=before, limit=TIMELINE_PAGE)


def why(
    session: Session,
    viewer: Viewer,
    external_userid: str,
    key: str,
    now: datetime,
    *,
    purpose: Purpose = Purpose.VIEW,
) -> Why:
    """Return why the customer has the tag; raise NotInSight, or NotFound where he has not got it."""
    view = _View(session, viewer, find_customer(session, viewer, external_userid, purpose), now)
    rows = view.rows_by_tag().get(key)
    if rows is None:
        raise NotFound("客户已没有这个标签，请刷新")
    row, chip = rows[0], view.chip(rows)
    claims = run(session, rep_rows.CLAIMS, customer_id=view.customer.id, key=key)
    view.names.learn([row.actor, row.evidence.get("userid"), *(claim.actor for claim in claims)])
    evidence = {"userid": row.actor, **row.evidence}
    return Why(
        chip=chip,
        sentence=explaining.evidence_sentence(row.source_kind, row.source_ref, evidence, view.names),
        by=explaining.party(row.source_kind, row.source_ref, row.actor, row.evidence, view.names),
        at=row.set_at,
        removal=explaining.removal_sentence(
            row.source_kind, row.mirror, row.scope, chip.members[0] if chip.members else None
        ),
        claims=tuple(_claim(claim, view.names) for claim in claims if not _is_over(claim.expires_at, now)),
        not_editable=view.refusal(rows),
    )


class _View:
    """One customer before one viewer: the rows that several parts of the page are made from."""

    def __init__(self, session: Session, viewer: Viewer, seen: Seen, now: datetime) -> None:
        self.session, self.viewer, self.customer, self.now = session, viewer, seen.customer, now
        self.own = seen.relation
        self.relations = run(session, rep_rows.RELATIONS, customer_id=self.customer.id)
        self.names = Names(session, {row.userid: row.staff_name for row in self.relations})
        self.owners = self._owners()
        self._live = {owner.relation_id: owner for owner in self.owners if owner.lost_at is None}
        self.agreement = Agreement(session, [self.customer.id])
        self._tag_rows = [row for row in run(session, rep_rows.TAGS, customer_id=self.customer.id) if self._stands(row)]

    @property
    def can_edit(self) -> bool:
        return self.viewer.may(Role.ADMIN) or (self.own is not None and not self.own.half)

    def subject(self) -> Subject:
        return Subject(self.customer.id, self.customer.external_userid, self.customer.name, self.owners)

    def header(self, chips: Sequence[Chip]) -> Header:
        state = "active" if self._live else "lost"
        return Header(
            external_userid=self.customer.external_userid,
            name=self.customer.name,
            remark=self._remark_word(),
            avatar=self.customer.avatar,
            type_word=TYPE_WORDS.get(self.customer.type, TYPE_WORDS["wechat"]),
            corp_name=self.customer.corp_name,
            state=state,
            state_word=STATE_WORDS[state],
            owners=self.owners,
            sync=self._worst(chips),
        )

    def remark(self) -> RemarkView | None:
        """Return what the viewer has noted on his own friendship."""
        own = self.own
        if own is None:
            return None
        edits = run(self.session, rep_rows.LAST_REMARK_EDIT, relation_id=own.id, life_seq=own.life_seq)
        return RemarkView(
            remark=own_words(own.remark, self.customer.name),
            description=own.description or "",
            phones=tuple(own.remark_mobiles or ()),
            company=own.remark_company or "",
            sync=_remark_mark(edits[0]) if edits else None,
        )

    def chips(self) -> list[Chip]:
        """Return one chip per tag, in the library's order."""
        return [self.chip(rows) for rows in self.rows_by_tag().values()]

    def rows_by_tag(self) -> dict[str, list[Any]]:
        """Return the rows of each tag; of several, on several members' friendships, the viewer's own comes first."""
        found: dict[str, list[Any]] = {}
        for row in self._tag_rows:
            found.setdefault(row.key, []).append(row)
        own_id = self.own.id if self.own is not None else None
        for rows in found.values():
            rows.sort(key=lambda row: row.relation_id != own_id)
        return found

    def chip(self, rows: Sequence[Any]) -> Chip:
        """Return the chip of one tag; several rows are of scope `relation`, the viewer's own first."""
        row = rows[0]
        state, reason = self.agreement.state(
            self.customer.id, row.tag_id, mirror=row.mirror, gone_at=row.gone_at, blocked=row.blocked
        )
        per_member = row.scope == Scope.RELATION
        return Chip(
            key=row.key,
            name=row.name,
            group_key=row.group_key,
            group_name=row.group_name,
            dimension=row.dimension,
            tone=row.tone,
            scope=row.scope,
            members=tuple(self._live[each.relation_id].name for each in rows) if per_member else (),
            source_kind=row.source_kind,
            source_word=source_word(row.source_kind, row.evidence),
            is_manual=is_person(row.source_kind),
            is_sensitive=row.sensitive,
            is_editable=self.refusal(rows) is None,
            sync=SyncMark(state, SYNC_WORDS[state], reason),
            set_at=row.set_at,
            expires_at=row.expires_at,
            expires_soon=row.expires_at is not None and row.expires_at - self.now <= EXPIRES_SOON,
        )

    def refusal(self, rows: Sequence[Any]) -> str | None:
        """Return why the viewer may not take the tag off; None where he may."""
        if not self.can_edit:
            return NOT_A_FRIEND
        own_id = self.own.id if self.own is not None else None
        if rows[0].scope == Scope.RELATION and all(row.relation_id != own_id for row in rows):
            return OTHERS_TAG
        is_leader = self.viewer.may(Role.LEADER, Role.ADMIN)
        return editing.refusal(rows[0].editable_by, rows[0].mirror, is_leader=is_leader)

    def removed(self) -> tuple[RemovedTag, ...]:
        return tuple(
            RemovedTag(tag.key, tag.name, tag.tone, _removal_mark(tag.reason))
            for tag in self.agreement.removing(self.customer.id)
        )

    def _stands(self, row: Any) -> bool:
        if _is_over(row.expires_at, self.now):
            return False
        return row.scope != Scope.RELATION or row.relation_id in self._live

    def _owners(self) -> tuple[Owner, ...]:
        found = [self._owner(row) for row in self.relations]
        return tuple(sorted(found, key=lambda owner: (owner.lost_at is not None, not owner.is_me, owner.since)))

    def _owner(self, row: Any) -> Owner:
        state = "lost" if row.lost_at is not None else "half" if row.half else "active"
        since = row.epoch_at or row.opened_at
        return Owner(
            relation_id=row.id,
            userid=row.userid,
            name=self.names(row.userid),
            is_me=row.staff_id == self.viewer.staff_id,
            state=state,
            state_word=STATE_WORDS[state],
            since=since,
            days=max(0, (self.now - since).days),
            came_by=came_by(row.channel_name, row.state, row.add_way),
            channel_name=row.channel_name,
            lost_at=row.lost_at,
            lost_word=LOST_WORDS.get(row.lost_by or "", "好友关系已解除") if row.lost_at is not None else None,
        )

    def _remark_word(self) -> str | None:
        own = [row for row in self.relations if self.own is not None and row.id == self.own.id]
        others = [] if own else [row for row in reversed(self.relations) if row.lost_at is None]
        words = (own_words(row.remark, self.customer.name) for row in (*own, *others))
        return next((word for word in words if word), None)

    def _worst(self, chips: Sequence[Chip]) -> SyncMark | None:
        states = {chip.sync.state: chip.sync for chip in chips}
        for tag in self.removed():
            states.setdefault(tag.sync.state, tag.sync)
        worst = next((state for state in SYNC_BY_URGENCY if state in states), None)
        if worst is None or not self._live:
            return None
        return SyncMark(worst, SYNC_WORDS[worst], states[worst].reason if worst == "failed" else None)


def _by_dimension(rows: Sequence[Any], chips: Sequence[Chip]) -> tuple[Dimension, ...]:
    sorted_chips: dict[str, list[Chip]] = {}
    for chip in chips:
        sorted_chips.setdefault(chip.dimension, []).append(chip)
    return tuple(Dimension(row.key, row.name, tuple(sorted_chips.get(row.key, ()))) for row in rows)


def own_words(remark: str | None, name: str) -> str:
    """Return the remark; WeCom gives the customer's own name where the member has written none."""
    return "" if remark is None or remark == name else remark


def _remark_mark(edit: Any) -> SyncMark:
    state = REMARK_STATES.get(edit.state, "synced")
    return SyncMark(state, SYNC_WORDS[state], edit.reason)


def _removal_mark(reason: str | None) -> SyncMark:
    state = "pending" if reason is None else "failed"
    return SyncMark(state, "等待从企业微信移除" if reason is None else "从企业微信移除失败", reason)


def _claim(row: Any, names: Names) -> Claim:
    evidence: Mapping[str, Any] = row.evidence
    return Claim(
        source_word=source_word(row.source_kind, evidence),
        by=explaining.party(row.source_kind, row.source_ref, row.actor, evidence, names),
        sentence=explaining.evidence_sentence(row.source_kind, row.source_ref, evidence, names),
    )


def _is_over(moment: datetime | None, now: datetime) -> bool:
    return moment is not None and moment <= now
