"""What WeCom checks of a template card before it sends it (Tencent's page 90236, 模板卡片)."""

import re

from wecom_app.simulator.api.endpoint import Call
from wecom_app.simulator.errcodes import ApiError, Json

INTERACTIVE = frozenset({"button_interaction", "vote_interaction", "multiple_interaction"})
CARD_TYPES = INTERACTIVE | {"text_notice", "news_notice"}
BUTTONS, OPTIONS, FACTS = 6, 10, 6
KEY_BYTES = 1024
OPENS_A_PAGE = 1
TASK_ID = re.compile(r"[0-9A-Za-z_\-@]{1,128}")


def is_interactive(card: Json) -> bool:
    """Return whether a member can answer the card."""
    return card.get("card_type") in INTERACTIVE


def check_card(call: Call, card: Json) -> None:
    """Refuse a card that WeCom would refuse."""
    if card.get("card_type") not in CARD_TYPES:
        raise ApiError(40058)
    if is_interactive(card) and call.context.callbacks.url is None:
        raise ApiError(43012)
    if (is_interactive(card) or card.get("action_menu")) and not card.get("task_id"):
        raise ApiError(40058)
    if card["card_type"] == "button_interaction":
        _check_buttons(card)
    if len(card.get("horizontal_content_list") or []) > FACTS:
        raise ApiError(40058)


def note_task_id(call: Call) -> None:
    """Refuse a task id that is malformed or that the app has used before."""
    task_id = call.body["template_card"].get("task_id")
    if task_id is None:
        return
    if not isinstance(task_id, str) or not TASK_ID.fullmatch(task_id):
        raise ApiError(42014)
    used = call.world.mailbox.task_ids
    if (call.app.agent_id, task_id) in used:
        raise ApiError(42014)
    used.add((call.app.agent_id, task_id))


def _check_buttons(card: Json) -> None:
    if not (card.get("main_title") or {}).get("title") and not card.get("sub_title_text"):
        raise ApiError(41016)
    buttons = card.get("button_list")
    if not isinstance(buttons, list) or not 1 <= len(buttons) <= BUTTONS:
        raise ApiError(40058)
    for button in buttons:
        _check_button(button)
    options = (card.get("button_selection") or {}).get("option_list") or []
    if len(options) > OPTIONS or any(not option.get("id") or not option.get("text") for option in options):
        raise ApiError(40058)


def _check_button(button: Json) -> None:
    if not button.get("text"):
        raise ApiError(40058)
    if button.get("type") == OPENS_A_PAGE:
        if not button.get("url"):
            raise ApiError(41010)
        return
    key = button.get("key")
    if not isinstance(key, str) or not 1 <= len(key.encode()) <= KEY_BYTES:
        raise ApiError(40058)
