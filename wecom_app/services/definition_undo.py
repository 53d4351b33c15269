"""A person's word on a disagreement about the library taken back, as `conflict_undo` does for both kinds."""

from sqlalchemy.orm import Session

from wecom_app.domain.definitions import Dispute
from wecom_app.models import SyncConflict, TagGroup
from wecom_app.services import definition_conflicts, taxonomy
from wecom_app.services.definition_conflicts import SIDES
from wecom_app.services.ports import JobQueue


def obstacle(session: Session, conflict: SyncConflict) -> str | None:
    """Return the key of `conflict_undo.KEPT_WORDS` that says why it cannot be taken back; None where it can."""
    one, kind = definition_conflicts.subject_of(session, conflict), Dispute(conflict.kind)
    if kind is Dispute.DELETION:
        if conflict.resolution == "ours":
            return "recreated"
        return "changed" if one.gone_at is None else None
    if one.gone_at is not None or one.archived_at is not None:
        return "gone"
    if definition_conflicts.sides_of(session, conflict) != (conflict.change or {}).get("after"):
        # Once WeCom has been told of ours, what stood there is no more.
        return "told" if conflict.resolution == "ours" else "changed"
    is_taken = kind is Dispute.NAME and definition_conflicts.is_name_held(session, one, conflict.ours["value"])
    return "taken" if is_taken else None


def take_back(session: Session, queue: JobQueue, conflict: SyncConflict) -> None:
    """Put back what stood before, where `obstacle` finds nothing in the way."""
    if conflict.kind == Dispute.DELETION:
        return
    before, added = (conflict.change or {})["before"], (conflict.change or {})["aliases"]
    for one in definition_conflicts.decided_by(session, conflict):
        for name, value in zip(SIDES[Dispute(conflict.kind)], before[str(one.id)], strict=True):
            setattr(one, name, value)
        one.aliases = [alias for alias in one.aliases if alias not in added]
        definition_conflicts.touch(session, one)
    session.flush()
    subject = definition_conflicts.subject_of(session, conflict)
    taxonomy.enqueue_push(session, queue, subject.id if isinstance(subject, TagGroup) else subject.group_id)
