"""The gateway's call that tells who has logged in: auth/getuserinfo (Tencent's page 91023)."""

from wecom_app.adapters.wecom import apis
from wecom_app.adapters.wecom.calls import Calls
from wecom_app.adapters.wecom.transport import Deadline
from wecom_app.clock import Clock
from wecom_app.services.ports.sign_in import LoginIdentity

WAIT_S = 8.0
"""Somebody is looking at an empty page."""
SPELLINGS = ("userid", "UserId")
"""The older path, and proxies that still serve it, spell the same with capitals."""


class SignInGatewayCalls(Calls):
    """Implements `services.ports.SignInCalls`."""

    _clock: Clock

    def identify(self, code: str) -> LoginIdentity:
        """Ask WeCom."""
        deadline = Deadline(self._clock, WAIT_S)
        answer = self._client.get(apis.LOGIN.path, params={"code": code}, deadline=deadline, urgent=True)
        reader = self._reader(apis.LOGIN, answer)
        return LoginIdentity(next(filter(None, map(reader.optional_text, SPELLINGS)), None))
