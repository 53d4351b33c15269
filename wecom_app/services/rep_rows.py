"""The statements behind a rep's view of one customer, run as Core: the whole fragment has 30 ms."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import BindParameter, bindparam, or_, select
from sqlalchemy.orm import Session

from wecom_app.models import (
    Channel,
    CustomerTag,
    ProfileField,
    ProfileValue,
    Relation,
    RemarkEdit,
    Staff,
    Tag,
    TagClaim,
    TagDimension,
    TagGroup,
)
from wecom_app.models.tagging import CUSTOMER_LEVEL

CUSTOMER: BindParameter[int] = bindparam("customer_id")

RELATIONS = (
    select(
        Relation.id,
        Relation.staff_id,
        Staff.userid,
        Staff.name.label("staff_name"),
        Channel.name.label("channel_name"),
        Relation.half,
        Relation.add_way,
        Relation.state,
        Relation.remark,
        Relation.opened_at,
        Relation.epoch_at,
        Relation.lost_at,
        Relation.lost_by,
    )
    .join(Staff, Staff.id == Relation.staff_id)
    .outerjoin(Channel, Channel.id == Relation.channel_id)
    .where(Relation.customer_id == CUSTOMER)
    .order_by(Relation.id)
)

TAGS = (
    select(
        CustomerTag.tag_id,
        CustomerTag.relation_id,
        CustomerTag.source_kind,
        CustomerTag.source_ref,
        CustomerTag.actor,
        CustomerTag.evidence,
        CustomerTag.set_at,
        CustomerTag.expires_at,
        Tag.key,
        Tag.name,
        Tag.gone_at,
        Tag.archived_at,
        Tag.blocked,
        TagGroup.key.label("group_key"),
        TagGroup.name.label("group_name"),
        TagGroup.dimension,
        TagGroup.tone,
        TagGroup.scope,
        TagGroup.mirror,
        TagGroup.sensitive,
        TagGroup.editable_by,
    )
    .join(Tag, Tag.id == CustomerTag.tag_id)
    .join(TagGroup, TagGroup.id == Tag.group_id)
    .where(
        CustomerTag.customer_id == CUSTOMER,
        CustomerTag.wanted,
        or_(CustomerTag.relation_id == CUSTOMER_LEVEL, TagGroup.scope == "relation"),
    )
    .order_by(TagGroup.position.desc(), TagGroup.id, Tag.position.desc(), Tag.id)
)
"""The truth rows of the tags that stand, in the order of the library."""

CLAIMS = (
    select(
        TagClaim.source_kind,
        TagClaim.source_ref,
        TagClaim.actor,
        TagClaim.evidence,
        TagClaim.expires_at,
    )
    .join(Tag, Tag.id == TagClaim.tag_id)
    .where(TagClaim.customer_id == CUSTOMER, Tag.key == bindparam("key"))
    .order_by(TagClaim.claimed_at)
)

FIELDS = (
    select(
        ProfileField.id,
        ProfileField.key,
        ProfileField.name,
        ProfileField.kind,
        ProfileField.repeated,
        ProfileField.required,
        ProfileField.sensitive,
        ProfileField.help,
        ProfileField.options,
        ProfileValue.value,
        ProfileValue.source_kind,
        ProfileValue.source_ref,
        ProfileValue.actor,
        ProfileValue.set_at,
    )
    .outerjoin(
        ProfileValue,
        (ProfileValue.field_id == ProfileField.id)
        & (ProfileValue.customer_id == CUSTOMER)
        & ProfileValue.ended_at.is_(None),
    )
    .where(ProfileField.archived_at.is_(None))
    .order_by(ProfileField.position, ProfileField.id, ProfileValue.position, ProfileValue.id)
)
"""Every field in use with the customer's present values; a field without one has a single row."""

LAST_REMARK_EDIT = (
    select(RemarkEdit.state, RemarkEdit.reason, RemarkEdit.finished_at)
    .where(RemarkEdit.relation_id == bindparam("relation_id"), RemarkEdit.life_seq == bindparam("life_seq"))
    .order_by(RemarkEdit.id.desc())
    .limit(1)
)
DIMENSIONS = select(TagDimension.key, TagDimension.name).order_by(TagDimension.position, TagDimension.key)
NAMES = select(Staff.userid_key, Staff.name).where(Staff.userid_key.in_(bindparam("keys", expanding=True)))


def run(session: Session, statement: Any, **values: Any) -> Sequence[Any]:
    """Return the statement's rows."""
    rows: Sequence[Any] = session.connection().execute(statement, values).all()
    return rows


class Names:
    """Members' names by userid, in any spelling; those not given are read at once when first asked for."""

    def __init__(self, session: Session, known: Mapping[str, str]) -> None:
        self._session = session
        self._known = {userid.lower(): name for userid, name in known.items()}

    def learn(self, userids: Iterable[str | None]) -> None:
        """Read the names of those not known yet, in one query."""
        missing = sorted({userid.lower() for userid in userids if userid} - set(self._known))
        if not missing:
            return
        self._known |= dict.fromkeys(missing, "")
        self._known |= {row.userid_key: row.name for row in run(self._session, NAMES, keys=missing)}

    def __call__(self, userid: str) -> str:
        """Return the name; the userid itself where there is none."""
        return self._known.get(userid.lower()) or userid
