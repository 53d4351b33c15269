"""The access token: one for all threads and processes, fetched by one of them at a time.

A wrong secret opens the circuit after three refusals, and a token that WeCom keeps refusing is renewed only
a few times, so that no fault of ours or theirs turns into a flood of gettoken calls.
"""

import copy
import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import NoReturn

from prometheus_client import Counter

from wecom_app.adapters.wecom.errcodes import error_for
from wecom_app.adapters.wecom.token_rows import Step, Stored, TokenRows
from wecom_app.adapters.wecom.transport import Deadline
from wecom_app.clock import Clock
from wecom_app.errors import AppError, Unavailable, WeComError, WeComThrottled, WeComUnavailable
from wecom_app.services.wecom_status import TokenState

logger = logging.getLogger(__name__)

API = "gettoken"
FETCH_S = 9.0
"""Less than the lease of a refresh, so that no second process starts while the first still waits."""
POLL_S = 0.05
EARLY_PAUSE_S = 30.0
"""Pause between tries of an early renewal; meanwhile the old token serves."""


@dataclass(frozen=True)
class Issued:
    """A new token or ticket as WeCom hands it out."""

    value: str = field(repr=False)
    expires_in_s: float


Source = Callable[[Deadline], Issued]
"""Asks WeCom once for a token or ticket."""


class TokenKeeper:
    """Hands out the token of one credential."""

    def __init__(self, rows: TokenRows, source: Source, clock: Clock, refreshes: Counter) -> None:
        self._rows = rows
        self._source = source
        self._clock = clock
        self._refreshes = refreshes
        self._lock = threading.Lock()
        self._kept = Stored()
        self._attempts = 0
        self._failure: AppError | None = None
        self._early_from = clock.monotonic()

    def current(self, deadline: Deadline) -> str:
        """Return a token that should be good."""
        kept, now = self._kept, self._clock.now()
        if kept.is_fresh(now):
            return _value(kept)
        if kept.is_alive(now):
            return self._renewed_early(kept)
        return self._obtain(None, deadline)

    def renew(self, refused: str, deadline: Deadline) -> str:
        """Return a token other than the one that WeCom has just refused, if there can be one."""
        return self._obtain(refused, deadline)

    def state(self) -> TokenState:
        """Return how the credential stands, for the status page and `doctor`."""
        stored = self._rows.load()
        return TokenState(
            stored.fetched_at, stored.expires_at, stored.refusals, stored.blocked_until, stored.last_error
        )

    def _obtain(self, refused: str | None, deadline: Deadline) -> str:
        """Get a token under the process's lock; whoever waited shares what the attempt before brought."""
        attempts = self._attempts
        if not self._lock.acquire(timeout=deadline.remaining()):
            raise WeComUnavailable("等待访问令牌超时，系统会自动重试", api=API)
        try:
            if self._attempts != attempts and self._failure is not None:
                raise copy.copy(self._failure)
            if self._kept.is_alive(self._clock.now(), None if self._attempts != attempts else refused):
                return _value(self._kept)
            return self._attempt(refused, deadline)
        finally:
            self._lock.release()

    def _renewed_early(self, kept: Stored) -> str:
        """Renew if nobody is at it; whatever goes wrong, the old token still serves."""
        if self._clock.monotonic() < self._early_from or not self._lock.acquire(blocking=False):
            return _value(kept)
        self._early_from = self._clock.monotonic() + EARLY_PAUSE_S
        try:
            return self._attempt(None, Deadline(self._clock, FETCH_S))
        except AppError:
            return _value(kept)
        finally:
            self._lock.release()

    def _attempt(self, refused: str | None, deadline: Deadline) -> str:
        self._failure = None
        try:
            self._kept = self._lead(refused, deadline)
        except AppError as error:
            self._failure = copy.copy(error)
            raise
        finally:
            self._attempts += 1
        return _value(self._kept)

    def _lead(self, refused: str | None, deadline: Deadline) -> Stored:
        """Use what another process stored, fetch, or wait for the one that fetches."""
        while True:
            stored = self._rows.load()
            step = stored.next_step(self._clock.now(), refused)
            if step is Step.FETCH:
                step, stored = self._rows.claim(refused)
            if step is Step.FETCH:
                return self._fetch()
            if step is Step.USE:
                return stored
            if step is not Step.WAIT:
                self._refuse(step, stored)
            if deadline.has_passed():
                raise WeComUnavailable("等待访问令牌超时，系统会自动重试", api=API)
            self._clock.sleep_until(self._clock.monotonic() + POLL_S)

    def _refuse(self, step: Step, stored: Stored) -> NoReturn:
        if step is Step.BLOCKED:
            errcode, _, message = (stored.last_error or "40001: ").partition(": ")
            error = error_for(API, int(errcode))
            error.message = message or error.message
            raise error
        wait_s = stored.retry_after_s(self._clock.now())
        raise WeComThrottled("企业微信接连拒绝访问令牌，系统会稍后再试", api=API, retry_after_s=wait_s)

    def _fetch(self) -> Stored:
        try:
            issued = self._source(Deadline(self._clock, FETCH_S))
        except WeComError as error:
            self._note_failure(error)
            raise
        self._refreshes.labels("ok").inc()
        try:
            return self._rows.store(issued.value, issued.expires_in_s)
        except Unavailable:
            # The token is good even if it cannot be stored; the lease ends by itself.
            logger.warning("token.not_stored")
            now = self._clock.now()
            end = now + timedelta(seconds=issued.expires_in_s)
            return Stored(value=issued.value, expires_at=end, fetched_at=now)

    def _note_failure(self, error: WeComError) -> None:
        refused = error.errcode is not None and not error.retryable
        self._refreshes.labels("refused" if refused else "unreachable").inc()
        try:
            if refused:
                assert error.errcode is not None
                self._rows.refuse(error.errcode, error.message)
            else:
                self._rows.release()
        except Unavailable:
            logger.warning("token.failure_not_stored")


def _value(stored: Stored) -> str:
    if stored.value is None:
        raise WeComUnavailable(api=API)
    return stored.value
