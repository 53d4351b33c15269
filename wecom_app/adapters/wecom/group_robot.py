"""The `GroupRobot` port over HTTP: one webhook each, no token, its own limit shared by all processes."""

import hashlib
import json

import requests

from wecom_app.adapters.wecom import apis
from wecom_app.adapters.wecom.apis import Api
from wecom_app.adapters.wecom.call_log import CallLog
from wecom_app.adapters.wecom.limiter import Limiter
from wecom_app.adapters.wecom.limits import OWN_LIMIT, ROBOT_LIMITS
from wecom_app.adapters.wecom.transport import Deadline, build_session
from wecom_app.adapters.wecom.wire import Request, Wire
from wecom_app.clock import Clock
from wecom_app.config import RobotSettings
from wecom_app.db import Database
from wecom_app.domain.messages import cut_to_bytes
from wecom_app.services.metrics import Metrics
from wecom_app.services.ports.group_robot import MAX_ROBOT_BYTES

CALL_S = 15.0
NAME_DIGITS = 8
POOL_SIZE = 4


class WebhookRobot:
    """One robot; its key is in the query of every call and nowhere else."""

    def __init__(
        self,
        settings: RobotSettings,
        database: Database,
        clock: Clock,
        metrics: Metrics,
        *,
        session: requests.Session | None = None,
    ) -> None:
        self._key = settings.key
        self._clock = clock
        self._log = CallLog(database, clock, metrics)
        self._limiter = Limiter(ROBOT_LIMITS, database, clock)
        self._wire = Wire(session or build_session(settings.origin, POOL_SIZE), settings.origin, self._log)
        self._limited = Api(f"{apis.ROBOT.path}{OWN_LIMIT}{self.name}")

    @property
    def name(self) -> str:
        return hashlib.sha256(self._key.encode()).hexdigest()[:NAME_DIGITS]

    def send_markdown(self, content: str) -> None:
        """Write into the group."""
        message = {"msgtype": "markdown", "markdown": {"content": cut_to_bytes(content, MAX_ROBOT_BYTES)}}
        request = Request("post", {"key": self._key}, json.dumps(message, ensure_ascii=False).encode())
        deadline = Deadline(self._clock, CALL_S)
        try:
            with self._limiter.admit(self._limited, deadline, urgent=False):
                self._wire.exchange(apis.ROBOT, request, deadline)
        finally:
            self._log.flush()
