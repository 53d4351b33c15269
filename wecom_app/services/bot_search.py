"""Finding a member's own customers by what he writes: name or remark, whole, in part, or by pinyin.

Nobody else's customer is ever looked at, so that unknown and not his are answered alike.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from wecom_app.domain.bot_commands import fold
from wecom_app.domain.keys import Slugify
from wecom_app.domain.spelling import spellings, typed
from wecom_app.models import Customer, Relation

NAMELESS = "未命名客户"


@dataclass(frozen=True)
class Friend:
    """A customer of the member's, as he knows him."""

    external_userid: str
    name: str
    remark: str
    half: bool
    since: datetime

    @property
    def label(self) -> str:
        """How the member would call him."""
        if self.remark and self.remark != self.name:
            return f"{self.name}（备注 {self.remark}）" if self.name else self.remark
        return self.name or NAMELESS


def find_friend(session: Session, staff_id: int, external_userid: str) -> Friend | None:
    """Return a customer who is the member's friend; None if he is not."""
    found = friends(session, staff_id, external_userid)
    return found[0] if found else None


def search(session: Session, staff_id: int, words: str, slugify: Slugify) -> list[Friend]:
    """Return the friends whose name or remark is what was written; else contains it; else is spelled like it."""
    everybody = friends(session, staff_id)
    wanted, letters = fold(words), typed(words)
    tests: Sequence[Callable[[str], bool]] = (
        lambda name: fold(name) == wanted,
        lambda name: wanted in fold(name),
        lambda name: letters.isascii() and letters.isalnum() and _is_spelled(name, letters, slugify),
    )
    for test in tests:
        found = [friend for friend in everybody if any(name and test(name) for name in (friend.name, friend.remark))]
        if found:
            return found
    return []


def friends(session: Session, staff_id: int, external_userid: str | None = None) -> list[Friend]:
    """Return the member's live friendships, half ones too, the newest first."""
    query = (
        select(
            Customer.external_userid,
            Customer.name,
            Relation.remark,
            Relation.half,
            Relation.epoch_at,
            Relation.opened_at,
        )
        .join(Customer, Customer.id == Relation.customer_id)
        .where(Relation.staff_id == staff_id, Relation.lost_at.is_(None))
        .order_by(Relation.id.desc())
    )
    if external_userid is not None:
        query = query.where(Customer.external_userid == external_userid)
    return [
        Friend(row.external_userid, row.name, row.remark or "", row.half, row.epoch_at or row.opened_at)
        for row in session.connection().execute(query)
    ]


def _is_spelled(name: str, letters: str, slugify: Slugify) -> bool:
    """Return whether the pinyin, or its initials, begin with what was typed; single letters would fit everybody."""
    forms = spellings(name, slugify).split("\n")[1:]
    return len(letters) > 1 and any(form.startswith(letters) for form in forms)
