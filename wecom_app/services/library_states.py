"""How groups and tags stand with WeCom, as one word and a reason; read by the API, the console and the commands."""

from dataclasses import dataclass

from wecom_app.domain.vocabulary import PUSHED, Lifecycle, Mirror
from wecom_app.models import Tag, TagGroup
from wecom_app.services.definition_merge import ASKING
from wecom_app.services.library_limits import BY_LIMIT

WORDS = {
    "draft": "草稿，还没有到企业微信",
    "local": "只在本系统",
    "gone": "已在企业微信中删除",
    "deleting": "等待从企业微信删除",
    "asking": "两边都改了，等人处理",
    "blocked": "标签数量已达上限",
    "failed": "企业微信没有接受",
    "pending": "等待同步到企业微信",
    "synced": "已同步",
}


@dataclass(frozen=True)
class LibraryState:
    """`state` is a key of WORDS; `reason` says what stands in the way."""

    state: str
    reason: str | None = None

    @property
    def words(self) -> str:
        if self.state == "asking" and self.reason is not None:
            # The reason says it all.
            return self.reason
        return WORDS[self.state] if self.reason is None else f"{WORDS[self.state]}：{self.reason}"


def state_of(one: Tag | TagGroup, group: TagGroup) -> LibraryState:
    """Return how a group or tag stands with WeCom; a draft counts as local."""
    if one.gone_at is not None:
        return LibraryState("gone")
    if one.blocked_by == ASKING and group.mirror != Mirror.NONE:
        # A group that follows WeCom may be asked about too.
        return LibraryState("asking", one.blocked)
    if group.mirror not in PUSHED or group.lifecycle == Lifecycle.DRAFT:
        return LibraryState("local")
    if one.blocked_by is not None:
        return LibraryState("blocked" if one.blocked_by == BY_LIMIT else "failed", one.blocked)
    if one.deleting_at is not None:
        return LibraryState("deleting")
    is_there = (one.wecom_group_id if isinstance(one, TagGroup) else one.wecom_tag_id) is not None
    if not is_there:
        return LibraryState("pending")
    is_agreed = one.name == one.base_name and one.position == one.base_order
    return LibraryState("synced" if is_agreed else "pending")
