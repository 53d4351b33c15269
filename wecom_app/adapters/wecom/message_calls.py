"""The gateway's calls that write to members: message/send and message/update_template_card."""

from collections.abc import Sequence

from wecom_app.adapters.wecom import apis
from wecom_app.adapters.wecom.answers import Reader
from wecom_app.adapters.wecom.calls import Calls
from wecom_app.adapters.wecom.wire import Json
from wecom_app.domain.messages import cut_to_bytes
from wecom_app.services.ports.app_messages import MAX_MESSAGE_BYTES, ButtonCard, CardButton, SentMessage

UNREACHED = ("invaliduser", "unlicenseduser")
"""Members that did not get a message stand there joined by bars, in lower case."""


class MessageCalls(Calls):
    """Implements `services.ports.AppMessages`."""

    def send_text(self, userids: Sequence[str], content: str) -> SentMessage:
        """Send plain words."""
        return self._send(userids, "text", {"content": cut_to_bytes(content, MAX_MESSAGE_BYTES)})

    def send_markdown(self, userids: Sequence[str], content: str) -> SentMessage:
        """Send WeCom's markdown."""
        return self._send(userids, "markdown", {"content": cut_to_bytes(content, MAX_MESSAGE_BYTES)})

    def send_card(self, userids: Sequence[str], card: ButtonCard) -> SentMessage:
        """Send a card with buttons."""
        return self._send(userids, "template_card", _card(card))

    def update_card(self, userids: Sequence[str], response_code: str, replace_name: str) -> None:
        """Replace a card's buttons by one dead button."""
        body = {"userids": list(userids), "agentid": self._agent_id, "response_code": response_code}
        self._post(apis.UPDATE_CARD, {**body, "button": {"replace_name": replace_name}})

    def _send(self, userids: Sequence[str], kind: str, content: Json) -> SentMessage:
        body = {"touser": "|".join(userids), "msgtype": kind, "agentid": self._agent_id, kind: content}
        found = self._read(apis.SEND_MESSAGE, body)
        return SentMessage(found.text("msgid"), _unreached(found, userids), found.optional_text("response_code"))


def _unreached(found: Reader, userids: Sequence[str]) -> tuple[str, ...]:
    """Return who did not get the message, spelled as the caller spells him."""
    named = {part for field in UNREACHED for part in (found.optional_text(field) or "").lower().split("|")}
    return tuple(userid for userid in userids if userid.lower() in named)


def _card(card: ButtonCard) -> Json:
    facts = [{"keyname": name, "value": value} for name, value in card.facts]
    return {
        "card_type": "button_interaction",
        "task_id": card.task_id,
        "main_title": {"title": card.title, "desc": card.description},
        "button_list": [_button(button) for button in card.buttons],
        **({"horizontal_content_list": facts} if facts else {}),
    }


def _button(button: CardButton) -> Json:
    """Return a button in the common style that calls back; `type` 1 would open a page instead."""
    return {"type": 0, "style": 1, "text": button.text, "key": button.key}
