"""How far customers' tags agree with WeCom, over all their cells; read by the API's profiles and by the sidebar."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import and_, bindparam, or_, select
from sqlalchemy.orm import Session

from wecom_app.domain.vocabulary import PUSHED
from wecom_app.models import CustomerTag, Tag, TagGroup, TagOperation
from wecom_app.models.tagging import CUSTOMER_LEVEL
from wecom_app.services.cells import OPEN_STATES

PUSH_FAILED = "推送到企业微信失败"
TAG_GONE = "标签已在企业微信中删除"

_OPERATION = and_(
    TagOperation.customer_id == CustomerTag.customer_id,
    TagOperation.relation_id == CustomerTag.relation_id,
    TagOperation.tag_id == CustomerTag.tag_id,
    or_(TagOperation.state.in_(OPEN_STATES), and_(TagOperation.state == "dead", CustomerTag.dead)),
)
UNSETTLED = (
    select(
        CustomerTag.customer_id,
        CustomerTag.tag_id,
        CustomerTag.wanted,
        CustomerTag.dead,
        TagOperation.state,
        TagOperation.reason,
        Tag.key,
        Tag.name,
        TagGroup.tone,
    )
    .join(Tag, Tag.id == CustomerTag.tag_id)
    .join(TagGroup, TagGroup.id == Tag.group_id)
    .outerjoin(TagOperation, _OPERATION)
    .where(
        CustomerTag.customer_id.in_(bindparam("customer_ids", expanding=True)),
        CustomerTag.relation_id != CUSTOMER_LEVEL,
        or_(CustomerTag.dead, TagOperation.id.is_not(None)),
    )
    .order_by(TagOperation.id)
)
"""Cells that wait for WeCom or were given up, each with its operations."""

State = tuple[str, str | None]
"""synced, pending, failed or local, and the reason."""


@dataclass(frozen=True)
class Removing:
    """A tag that is taken off here and still stands at WeCom; `reason` says why it was given up."""

    key: str
    name: str
    tone: str
    reason: str | None


@dataclass(frozen=True)
class _Cell:
    wanted: bool
    dead: bool
    open: bool
    reason: str | None
    key: str
    name: str
    tone: str


class Agreement:
    """The unsettled cells of some customers, read in one query."""

    def __init__(self, session: Session, customer_ids: Sequence[int]) -> None:
        self._cells: dict[int, dict[int, list[_Cell]]] = {}
        rows = session.connection().execute(UNSETTLED, {"customer_ids": list(customer_ids)})
        for customer_id, tag_id, wanted, dead, state, reason, key, name, tone in rows:
            cell = _Cell(wanted, dead, state in OPEN_STATES, reason, key, name, tone)
            self._cells.setdefault(customer_id, {}).setdefault(tag_id, []).append(cell)

    def state(
        self, customer_id: int, tag_id: int, *, mirror: str, gone_at: datetime | None, blocked: str | None
    ) -> State:
        """Return the state over the tag's cells: any dead, else any open, else agreed."""
        if mirror not in PUSHED:
            return "local", None
        if gone_at is not None:
            return "local", TAG_GONE
        cells = self._cells.get(customer_id, {}).get(tag_id, [])
        reason = _dead_reason(cells)
        if reason is not None:
            return "failed", reason
        waiting = [cell for cell in cells if cell.open]
        return ("pending", blocked or waiting[-1].reason) if waiting else ("synced", None)

    def removing(self, customer_id: int) -> list[Removing]:
        """Return the tags that are taken off here but not yet at WeCom."""
        found = []
        for cells in self._cells.get(customer_id, {}).values():
            if any(not cell.wanted and (cell.open or cell.dead) for cell in cells):
                first = cells[0]
                found.append(Removing(first.key, first.name, first.tone, _dead_reason(cells)))
        return found


def _dead_reason(cells: Iterable[_Cell]) -> str | None:
    dead = [cell for cell in cells if cell.dead]
    if not dead:
        return None
    return next((cell.reason for cell in reversed(dead) if cell.reason and not cell.open), PUSH_FAILED)
