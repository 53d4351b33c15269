"""`/api/v1/change-sets`: taking an act back."""

from pydantic import BaseModel

from wecom_app.services import undo
from wecom_app.services.accounts import KeyScope
from wecom_app.web.api.endpoint import Call, Endpoint
from wecom_app.web.api.schemas_profile import KeptTag, UndoIn, UndoOut


def undo_change_set(call: Call) -> BaseModel:
    undone = undo.by_program(
        call.runtime, call.caller.name, str(call.caller.id), call.path["change_set_id"], call.body.reason
    )
    return UndoOut(
        change_set_id=undone.change_set_id,
        restored=undone.restored,
        kept=[
            KeptTag.model_validate(
                {"external_userid": tag.external_userid, "key": tag.key, "reason": tag.reason, "message": tag.words}
            )
            for tag in undone.kept
        ],
    )


ENDPOINTS = (
    Endpoint(
        "POST",
        "/change-sets/<int:change_set_id>/undo",
        KeyScope.WRITE,
        "撤销一次修改：恢复原来的标签与来历，之后又有改动的保持现状",
        undo_change_set,
        UndoOut,
        body=UndoIn,
    ),
)
