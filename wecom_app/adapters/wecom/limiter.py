"""Admits calls to WeCom: a place in flight, a call of the budget, and what a refusal for too many teaches."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from wecom_app.adapters.wecom.apis import Api
from wecom_app.adapters.wecom.budget import Budget
from wecom_app.adapters.wecom.errcodes import RATE_LIMITED, TOO_PARALLEL
from wecom_app.adapters.wecom.limits import Limits
from wecom_app.adapters.wecom.places import Places
from wecom_app.adapters.wecom.transport import Deadline
from wecom_app.clock import Clock
from wecom_app.db import Database
from wecom_app.errors import WeComError, WeComThrottled
from wecom_app.services.wecom_status import ApiBudget


class Limiter:
    """Everything that holds calls back."""

    def __init__(self, limits: Limits, database: Database, clock: Clock) -> None:
        self._budget = Budget(limits, database, clock)
        self._places = Places(limits, database, clock)

    @contextmanager
    def admit(self, api: Api, deadline: Deadline, *, urgent: bool) -> Iterator[None]:
        """Let one call through, or raise WeComThrottled before it is made."""
        with self._places.hold(api, deadline, urgent=urgent):
            self._budget.spend(api.path, urgent=urgent)
            try:
                yield
            except WeComError as error:
                self._learn(api, error, urgent)
                raise

    def read(self) -> Sequence[ApiBudget]:
        """Return what is used and left of each API's budget."""
        return self._budget.read()

    def give_up_places(self) -> None:
        """Leave the corp's places in flight to other processes; called at the end."""
        self._places.give_up()

    def _learn(self, api: Api, error: WeComError, urgent: bool) -> None:
        if error.errcode == TOO_PARALLEL:
            self._places.halve(api, urgent=urgent)
        elif error.errcode == RATE_LIMITED and isinstance(error, WeComThrottled):
            error.retry_after_s = self._budget.block(api.path)
