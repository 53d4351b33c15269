"""Access tokens, tickets for the JS-SDK and one-time log-in codes."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from wecom_app.simulator.config import AppConfig
from wecom_app.simulator.errcodes import ApiError
from wecom_app.simulator.ids import Ids


@dataclass(slots=True)
class Token:
    """A value that dies at a moment: an access token or a ticket."""

    value: str
    expires_at: datetime
    app: AppConfig
    killed: bool = False


@dataclass(slots=True)
class LoginCode:
    """What the browser brings back from WeCom's log-in page."""

    userid: str | None
    external_userid: str | None
    agent_id: int | None
    expires_at: datetime
    used: bool = False


class Tokens:
    """Everything that stands for an identity for a while; call it under the world's lock."""

    def __init__(self, ids: Ids) -> None:
        self._ids = ids
        self._current: dict[str, Token] = {}
        self._issued: dict[str, Token] = {}
        self._tickets: dict[str, Token] = {}
        self._codes: dict[str, LoginCode] = {}

    def access_token(self, app: AppConfig, now: datetime, *, life_s: float, rotate: bool) -> Token:
        """Return the app's token: the same one until it ends, unless `rotate` kills it for a new one."""
        token = self._current.get(app.secret)
        if token and rotate:
            token.killed = True
        if token is None or token.killed or token.expires_at <= now:
            token = Token(self._ids.letters(107), now + timedelta(seconds=life_s), app)
            self._current[app.secret] = self._issued[token.value] = token
        return token

    def app_of(self, value: str, now: datetime) -> AppConfig:
        """Return the app that a token stands for; 40014 if it is unknown or killed, 42001 if run out."""
        token = self._issued.get(value)
        if token is None or token.killed:
            raise ApiError(40014)
        if token.expires_at <= now:
            raise ApiError(42001)
        return token.app

    def kill_all(self) -> None:
        """End every access token before its time, as WeCom may do."""
        for token in self._current.values():
            token.killed = True

    def ticket(self, kind: str, app: AppConfig, now: datetime) -> Token:
        """Return the corp's or the app's ticket for the JS-SDK, the same one until it ends."""
        key = kind if kind == "corp" else f"{kind}:{app.agent_id}"
        ticket = self._tickets.get(key)
        if ticket is None or ticket.expires_at <= now:
            value = f"{'kgt' if kind == 'corp' else 'sM4'}{self._ids.letters(83)}"
            ticket = self._tickets[key] = Token(value, now + timedelta(hours=2), app)
        return ticket

    def ticket_value(self, kind: str, app: AppConfig) -> str | None:
        """Return the ticket in force without making one."""
        ticket = self._tickets.get(kind if kind == "corp" else f"{kind}:{app.agent_id}")
        return ticket.value if ticket else None

    def issue_code(self, login: LoginCode) -> str:
        """Return a code with which the app can ask once who logged in."""
        code = self._ids.letters(43)
        self._codes[code] = login
        return code

    def redeem(self, code: str, now: datetime) -> LoginCode:
        """Return who logged in; 40029 for an unknown or old code, 42022 for a used one."""
        login = self._codes.get(code)
        if login is None or login.expires_at <= now:
            raise ApiError(40029)
        if login.used:
            raise ApiError(42022)
        login.used = True
        return login
