"""The first link: what a pull finds before any other has come to its end, and nobody has seen what it would write."""

import math
from collections.abc import Mapping

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from wecom_app.domain.vocabulary import Owner, SourceKind
from wecom_app.models import CustomerTag, Deployment, Relation, SyncRun, Tag
from wecom_app.models.tagging import CUSTOMER_LEVEL
from wecom_app.services import cells, run_ends, runs
from wecom_app.services.runtime import Runtime
from wecom_app.services.wecom_status import push_time_s

UNDER_WAY = ("waiting", "running", "retrying")


def is_first(session: Session) -> bool:
    """Return whether WeCom's library was somebody else's work, and no pull has ever come to its end."""
    done = select(SyncRun.id).where(SyncRun.kind == "pull", SyncRun.state == "done").limit(1)
    foreign = select(Tag.id).where(Tag.owner == Owner.FOREIGN, Tag.gone_at.is_(None)).limit(1)
    return session.execute(done).first() is None and session.execute(foreign).first() is not None


def hold(session: Session, *, held: bool) -> None:
    deployment = session.execute(select(Deployment)).scalar_one_or_none()
    if deployment is not None:
        deployment.link_held = held


def awaits_looks(session: Session, runtime: Runtime, run: SyncRun) -> bool:
    """Return whether looks at customers whom the pages left in doubt are still to come: what they find counts too."""
    doubtful = select(Relation.id).where(
        Relation.lost_at.is_(None), Relation.listed_seq >= run.start_seq, Relation.seen_seq < run.start_seq
    )
    if session.execute(doubtful.limit(1)).first() is None:
        return False
    queue = runtime.queue
    return any(queue.list_jobs(session, state=state, kind=cells.SYNC_KIND, limit=1).items for state in UNDER_WAY)


def estimate(session: Session, runtime: Runtime, run: SyncRun) -> dict[str, int]:
    """Count what the first link would write to other members' customers; it reads all cells, so not while writing.

    What changes between this and `preview` is not counted: the figures are for a person to judge by, and what is
    pushed once he has agreed is found anew.
    """
    waiting = (
        select(func.count(func.distinct(CustomerTag.relation_id)), func.count())
        .join(Relation, Relation.id == CustomerTag.relation_id)
        .where(
            CustomerTag.relation_id != CUSTOMER_LEVEL,
            CustomerTag.source_kind == SourceKind.WECOM_LINK,
            CustomerTag.acked_ver < CustomerTag.ver,
            Relation.lost_at.is_(None),
        )
    )
    relations, marks = session.execute(waiting).one()
    taken = runs.view(session, run, runtime.clock.now()).counts
    return {
        "customers": taken.get("contacts", 0),
        "adopted": taken.get("adopted", 0),
        "push_relations": relations,
        "push_marks": marks,
        "push_seconds": math.ceil(push_time_s(runtime.wecom_status, relations)),
    }


def preview(session: Session, runtime: Runtime, run: SyncRun, estimated: Mapping[str, int]) -> None:
    """Hold the first link back until somebody has seen what it would write, if it would write anything."""
    if not estimated["push_relations"]:
        hold(session, held=False)
        return
    run.guard = {**run.guard, "first_link": dict(estimated)}
    run_ends.hold(runtime, run, "首次同步已读完：确认后才会把同一位客户的标签写到其他成员名下")
