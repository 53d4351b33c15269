"""Welcome codes: handed out with an added contact, good for one message within 20 seconds."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from wecom_app.simulator.errcodes import ApiError, Json
from wecom_app.simulator.ids import Ids
from wecom_app.simulator.members import key_of


@dataclass(slots=True)
class Welcome:
    """One code and what became of it."""

    welcome_code: str
    userid: str
    external_userid: str
    issued_at: datetime
    expires_at: datetime
    sent_at: datetime | None = None
    sent_by: int | None = None
    """The agentid of the app whose message reached the customer."""
    message: Json | None = None


class Welcomes:
    """All codes ever handed out; call it under the world's lock."""

    def __init__(self, ids: Ids, life_s: float) -> None:
        self._ids = ids
        self._life = timedelta(seconds=life_s)
        self._codes: dict[str, Welcome] = {}
        self._of_pair: dict[tuple[str, str], list[Welcome]] = {}

    def __iter__(self) -> Iterator[Welcome]:
        return iter(self._codes.values())

    def issue(self, userid: str, external_userid: str, now: datetime) -> Welcome:
        """Make a code for a contact just added."""
        welcome = Welcome(self._ids.letters(43), userid, external_userid, now, now + self._life)
        self._codes[welcome.welcome_code] = welcome
        self._of_pair.setdefault((key_of(userid), external_userid), []).append(welcome)
        return welcome

    def of_customer(self, external_userid: str) -> list[Welcome]:
        """Return the codes that were handed out for a customer."""
        return [code for pair, codes in self._of_pair.items() if pair[1] == external_userid for code in codes]

    def latest(self, userid: str, external_userid: str) -> Welcome | None:
        """Return the last code that was handed out for a pair."""
        codes = self._of_pair.get((key_of(userid), external_userid))
        return codes[-1] if codes else None

    def usable(self, code: str, *, agent_id: int, now: datetime, used_errcode: int) -> Welcome:
        """Return the code's record, or refuse it.

        Tencent's page 92137: unknown or run out is 41050; whoever comes after another app's message
        gets 41051. A second use by the same app is `used_errcode`.
        """
        welcome = self._codes.get(code)
        if welcome is None:
            raise ApiError(41050)
        if welcome.sent_at is not None:
            raise ApiError(used_errcode if welcome.sent_by == agent_id else 41051)
        if now >= welcome.expires_at:
            raise ApiError(41050)
        siblings = self._of_pair[(key_of(welcome.userid), welcome.external_userid)]
        if any(item.sent_at and item.expires_at > welcome.issued_at for item in siblings):
            raise ApiError(41051)
        return welcome
