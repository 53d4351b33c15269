"""The deletion at WeCom of a tag that was merged into another: chosen with the merge or later, carried out by itself.

A job waits until all marks have moved and were seen to have; then the library's job deletes the tag. Undoing the
merge calls it off, or has the tag made anew.
"""

from dataclasses import dataclass

from sqlalchemy.orm import Session

from wecom_app.domain.vocabulary import Owner
from wecom_app.errors import Conflict
from wecom_app.models import LibraryChange, Tag, TagGroup
from wecom_app.services import library, library_changes, library_deletions, library_retries, merge_checks, taxonomy
from wecom_app.services.context import Context
from wecom_app.services.merge_checks import ASKED, WAITING
from wecom_app.services.ports import JobArgs
from wecom_app.services.runtime import Runtime

WORDS = {
    "kept": "旧标签仍在企业微信里",
    "none": "旧标签不在企业微信里",
    "waiting": "等客户换完标签后，从企业微信删除旧标签",
    "deleting": "正在从企业微信删除旧标签",
    "failed": "没能从企业微信删除旧标签",
    "deleted": "旧标签已从企业微信删除",
}
WARNING = (
    "每位客户都换成新标签、在企业微信里核对无误之后，自动从企业微信删除「{name}」。"
    "在企业微信里删除不能恢复：之后再撤销合并，会在企业微信里重新创建它，编号不同，再打回给这些客户"
)


@dataclass(frozen=True)
class DeletionState:
    """How the tag of a merge stands at WeCom: a key of WORDS, and what stands in the way."""

    state: str
    reason: str | None = None

    @property
    def words(self) -> str:
        return WORDS[self.state] if self.reason is None else f"{WORDS[self.state]}：{self.reason}"


def state_of(session: Session, change: LibraryChange) -> DeletionState | None:
    """Return how the tag that went stands at WeCom; None where the change is no merge, or none that stands."""
    if change.kind != merge_checks.MERGE or change.state not in ("running", "done"):
        return None
    tag = session.get_one(Tag, change.source_tag_id)
    if tag.gone_at is not None:
        return DeletionState("deleted")
    if tag.wecom_tag_id is None:
        return DeletionState("none")
    if change.deletion == WAITING:
        left = merge_checks.remaining(session, change)
        return DeletionState("waiting", None if left.is_none else left.words)
    if change.deletion == ASKED:
        return _asked(tag, session.get_one(TagGroup, tag.group_id))
    return DeletionState("kept", library_deletions.refusal_of(tag, session.get_one(TagGroup, tag.group_id)))


def request(session: Session, context: Context, change: LibraryChange) -> None:
    """Have the tag deleted at WeCom once its marks have moved, or try again; raise Conflict where it cannot be.

    Asked for again it goes through the same checks, and is deleted once.
    """
    tag = session.get_one(Tag, change.source_tag_id)
    if change.state not in ("running", "done") or tag.gone_at is not None:
        raise Conflict("合并已撤销，或旧标签已从企业微信删除，不需要再删")
    refusal = library_deletions.refusal_of(tag, session.get_one(TagGroup, tag.group_id))
    if refusal is not None:
        raise Conflict(refusal)
    if tag.deleting_at is not None:
        library_retries.retry_tag(session, context.queue, tag.key)
    else:
        merge_checks.wait(session, context.queue, change)


def run(runtime: Runtime, args: JobArgs) -> None:
    """Hand the tag over to be deleted if all marks have moved; look again later if not."""
    change_id = int(args["change_id"])
    with runtime.read() as session:
        change = library_changes.find(session, change_id)
        # Counting may take longer than others can wait for the writer; `library_deletions` counts once more.
        is_clear = merge_checks.remaining(session, change).is_none
    runtime.crash_point("merge_deletion.counted")
    with runtime.write() as session:
        change = library_changes.find(session, change_id, lock=True)
        if change.deletion != WAITING or change.state != "done":
            return
        if not is_clear:
            merge_checks.wait(session, runtime.queue, change, run_at=runtime.clock.now() + merge_checks.PAUSE)
            return
        tag = session.get_one(Tag, change.source_tag_id)
        change.deletion = ASKED
        if tag.gone_at is None and tag.wecom_tag_id is not None:
            context = library.context(runtime)
            library_deletions.mark(context, [tag])
            taxonomy.request_push(session, context, tag.group_id)
    runtime.crash_point("merge_deletion.asked")


def call_off(session: Session, change: LibraryChange) -> None:
    """Forget the deletion, as the merge is undone; raise Conflict where WeCom may be carrying it out just now."""
    tag = session.get_one(Tag, change.source_tag_id)
    if tag.gone_at is None and tag.deleting_at is not None and tag.blocked_by is None:
        raise Conflict(f"正在从企业微信删除「{tag.name}」：等删除完成后再撤销，撤销时会重新创建它")
    change.deletion = None
    tag.deleting_at, tag.blocked, tag.blocked_by, tag.tries = None, None, None, 0


def _asked(tag: Tag, group: TagGroup) -> DeletionState:
    if tag.blocked_by is not None:
        return DeletionState("failed", tag.blocked)
    if tag.deleting_at is None and tag.owner == Owner.FOREIGN:
        return DeletionState("failed", library_deletions.refusal_of(tag, group))
    return DeletionState("deleting")
