"""Who has just logged in at WeCom; `adapters.wecom.sign_in_calls` asks."""

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class LoginIdentity:
    """Whom a log-in code stands for."""

    userid: str | None
    """None where it is nobody of the company: a WeChat user, or a member of another one."""


class SignInCalls(Protocol):
    """Log-in codes come back from WeCom's pages through the browser; each can be asked about once."""

    def identify(self, code: str) -> LoginIdentity:
        """Return who is behind a code; LoginCodeRefused where it is wrong, used or over five minutes old."""
        ...
