"""The API's shapes of what members note: undone acts, profile fields and values, follow-ups."""

from typing import Annotated, Literal

from pydantic import BaseModel, Field

from wecom_app.web.api.schemas import Given


class UndoIn(Given):
    reason: Annotated[str, Field(max_length=300)] | None = None


class KeptTag(BaseModel):
    """A tag that stays as it is; `message` says why in words."""

    external_userid: str
    key: str
    reason: Literal["changed", "gone", "expired"]
    message: str


class UndoOut(BaseModel):
    """`change_set_id` is that of the undo, null where nothing could be restored."""

    change_set_id: int | None
    restored: int
    kept: list[KeptTag]
