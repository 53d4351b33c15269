"""What a rep sees of one customer, as frozen dataclasses: made by `rep_profile` and its neighbours, drawn by templates.

A figure or part that is None or empty is not known and is left out of the page; it is never shown as 0.
"""

from dataclasses import dataclass
from datetime import datetime

from wecom_app.domain.condition_leaves import HeldTag
from wecom_app.domain.vocabulary import public_source


@dataclass(frozen=True)
class SyncMark:
    """How far something agrees with WeCom: synced, pending, failed or local, in a word, with the reason."""

    state: str
    word: str
    reason: str | None = None


@dataclass(frozen=True)
class Owner:
    """A member who follows, or followed, the customer."""

    relation_id: int
    userid: str
    name: str
    is_me: bool
    state: str
    """active, half (the member has not accepted yet) or lost."""
    state_word: str
    since: datetime
    days: int
    """Whole days since they became friends."""
    came_by: str
    """The channel's name, or WeCom's way of adding in words."""
    channel_name: str | None
    lost_at: datetime | None
    lost_word: str | None


@dataclass(frozen=True)
class Figure:
    """One figure of the header; only those with data are there."""

    name: str
    value: str


@dataclass(frozen=True)
class RemarkView:
    """What the viewer has noted about his own friendship, and how far WeCom has got it."""

    remark: str
    description: str
    phones: tuple[str, ...]
    company: str
    sync: SyncMark | None
    """None where nothing was ever written here."""


@dataclass(frozen=True)
class Header:
    external_userid: str
    name: str
    """WeCom's nickname; empty while it is not known yet."""
    remark: str | None
    """The viewer's own, or the newest of a colleague where he has none."""
    avatar: str | None
    type_word: str
    corp_name: str | None
    state: str
    """active or lost."""
    state_word: str
    owners: tuple[Owner, ...]
    """Live ones first, the viewer himself at the head."""
    sync: SyncMark | None
    """The worst over all his tags; None where there is nothing to agree on."""
    figures: tuple[Figure, ...] = ()


@dataclass(frozen=True)
class Chip:
    """A tag that the customer has."""

    key: str
    name: str
    group_key: str
    group_name: str
    dimension: str
    tone: str
    """The colour that it is drawn in, wherever it is seen: `TagGroup.tone`."""
    scope: str
    members: tuple[str, ...]
    """Names of the members on whose friendship a tag of scope `relation` stands; empty for the customer's own."""
    source_kind: str
    source_word: str
    is_manual: bool
    """Set by a person: drawn with a pencil."""
    is_sensitive: bool
    is_editable: bool
    """Whether the viewer may take it off."""
    sync: SyncMark
    set_at: datetime
    expires_at: datetime | None
    expires_soon: bool


@dataclass(frozen=True)
class Dimension:
    """One row of tags."""

    key: str
    name: str
    chips: tuple[Chip, ...]


@dataclass(frozen=True)
class RemovedTag:
    """A tag that is taken off here and still stands at WeCom."""

    key: str
    name: str
    tone: str
    sync: SyncMark


@dataclass(frozen=True)
class FieldValue:
    """A value of a profile field as people read it, with where it comes from."""

    text: str
    value: str
    """As it is stored, for the form."""
    source_word: str
    by: str
    set_at: datetime


@dataclass(frozen=True)
class FieldView:
    """A profile field with this customer's values; none where nothing was filled in."""

    key: str
    name: str
    kind: str
    repeated: bool
    required: bool
    is_sensitive: bool
    help: str | None
    options: tuple[str, ...]
    values: tuple[FieldValue, ...]


@dataclass(frozen=True)
class FollowUpView:
    id: int
    external_userid: str
    customer_name: str
    text: str
    author: str
    author_userid: str
    is_mine: bool
    created_at: datetime
    edited_at: datetime | None
    remind_at: datetime | None
    done_at: datetime | None
    is_due: bool
    remind_reason: str | None
    """Why the reminder did not reach him; None where nothing is wrong."""


@dataclass(frozen=True)
class TagStep:
    """One tag in a timeline entry; `op` is add, remove or expire."""

    op: str
    name: str
    tone: str
    is_sensitive: bool


@dataclass(frozen=True)
class TimelineEntry:
    """One thing that happened. `kind`: tags, added, lost, welcome, follow_up, content."""

    kind: str
    at: datetime
    title: str
    detail: str | None = None
    """What a person wrote, or why something failed."""
    by: str | None = None
    steps: tuple[TagStep, ...] = ()
    change_set_id: int | None = None
    can_undo: bool = False
    follow_up: FollowUpView | None = None


@dataclass(frozen=True)
class TimelinePage:
    """Newest first; `before` asks for the page that follows, None at the end."""

    entries: tuple[TimelineEntry, ...]
    before: str | None


@dataclass(frozen=True)
class RepProfile:
    customer_id: int
    version: int
    """To be sent with an edit; a later one exists if the edit is refused with 409."""
    can_edit: bool
    header: Header
    remark: RemarkView | None
    """None where the viewer has no friendship of his own with the customer."""
    dimensions: tuple[Dimension, ...]
    """The four rows, then further ones in their order; those without tags are empty."""
    removed: tuple[RemovedTag, ...]
    fields: tuple[FieldView, ...]
    reminders: tuple[FollowUpView, ...]
    """Follow-ups with a date that are not done, the earliest first."""
    timeline: TimelinePage
    is_served: bool = False
    """Shown to customer service: without anything that changes him."""

    def held_tags(self) -> list[HeldTag]:
        """Return his tags as conditions ask for them."""
        return [
            HeldTag(chip.key, chip.name, public_source(chip.source_kind), chip.set_at)
            for dimension in self.dimensions
            for chip in dimension.chips
        ]

    @property
    def tag_count(self) -> int:
        return sum(len(dimension.chips) for dimension in self.dimensions)

    @property
    def sensitive_keys(self) -> frozenset[str]:
        """Keys of the tags that are covered until tapped."""
        return frozenset(chip.key for dimension in self.dimensions for chip in dimension.chips if chip.is_sensitive)

    @property
    def has_sensitive(self) -> bool:
        """Whether anything is covered until tapped."""
        return bool(self.sensitive_keys) or any(field.is_sensitive and field.values for field in self.fields)


@dataclass(frozen=True)
class Claim:
    """Another source that wants the tag and would keep it if the present one let go."""

    source_word: str
    by: str
    sentence: str


@dataclass(frozen=True)
class Why:
    """Why a tag stands."""

    chip: Chip
    sentence: str
    by: str
    at: datetime
    removal: str
    """What taking it off means."""
    claims: tuple[Claim, ...]
    not_editable: str | None
    """Why the viewer may not take it off; None where he may."""


@dataclass(frozen=True)
class SheetTag:
    key: str
    name: str
    is_held: bool
    pinyin: str
    initials: str


@dataclass(frozen=True)
class SheetGroup:
    key: str
    name: str
    tone: str
    is_single: bool
    is_sensitive: bool
    scope: str
    tags: tuple[SheetTag, ...]


@dataclass(frozen=True)
class SheetDimension:
    key: str
    name: str
    groups: tuple[SheetGroup, ...]


@dataclass(frozen=True)
class Suggestion:
    """A tag worth a thought for this customer, and why."""

    tag: SheetTag
    reason: str


@dataclass(frozen=True)
class Sheet:
    """What the edit sheet offers: only tags that the viewer may edit, or that the customer has."""

    version: int
    recent: tuple[SheetTag, ...]
    suggested: tuple[Suggestion, ...]
    dimensions: tuple[SheetDimension, ...]

    def open_places(self) -> dict[str, SheetGroup]:
        """Return the group of each tag that need not be covered, by key: shortcuts show no others."""
        return {
            tag.key: group
            for dimension in self.dimensions
            for group in dimension.groups
            if not group.is_sensitive
            for tag in group.tags
        }
