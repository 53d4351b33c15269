"""Which tags a person may edit by hand, and the words in which he is refused; pure."""

from wecom_app.domain.vocabulary import EditableBy, Mirror

REFUSALS = {
    EditableBy.LEADERS: "这组标签只有主管和管理员可以修改",
    EditableBy.NOBODY: "这组标签由系统维护，不能手动修改",
}
WECOM_DECIDES = "这组标签以企业微信为准，请在企业微信中修改"


def refusal(editable_by: str, mirror: str, *, is_leader: bool) -> str | None:
    """Return why a person may not edit the tags of a group; None where he may."""
    if mirror == Mirror.PULL:
        return WECOM_DECIDES
    if editable_by == EditableBy.LEADERS and is_leader:
        return None
    return REFUSALS.get(EditableBy(editable_by))
