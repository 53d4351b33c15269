"""Puts a `Runtime` together from the settings: the one place that knows every adapter. Called by commands and tests."""

from collections.abc import Callable
from datetime import datetime

import requests
from sqlalchemy import select

from wecom_app.adapters.intake import GroupCommitIntake
from wecom_app.adapters.jobs.embedded import EmbeddedQueue
from wecom_app.adapters.pinyin import PinyinSlugify
from wecom_app.adapters.wecom.crypto import Cipher
from wecom_app.adapters.wecom.gateway import Gateway
from wecom_app.adapters.wecom.limits import Limits
from wecom_app.clock import Clock, SystemClock
from wecom_app.config import Settings, WeComSettings
from wecom_app.db import Database
from wecom_app.errors import ConfigurationError
from wecom_app.migrations import runner
from wecom_app.models import Deployment
from wecom_app.services.jobs import JOB_KINDS
from wecom_app.services.metrics import Metrics
from wecom_app.services.runtime import LANES, Runtime


def build_runtime(
    settings: Settings,
    *,
    clock: Clock | None = None,
    session: requests.Session | None = None,
    limits: Limits | None = None,
    threads: bool = True,
    crash_hook: Callable[[str], None] | None = None,
) -> Runtime:
    """Return a runtime on a database at head that belongs to this corp and app.

    `session` carries the calls to WeCom (tests put the simulator behind it). With `threads=False` nothing
    runs by itself. Raises ConfigurationError for whatever is missing or wrong.
    """
    clock = clock or SystemClock()
    wecom = settings.require_wecom()
    secret_key = settings.require_secret_key()
    database = Database(settings.database_url)
    runner.prepare(database, clock)
    _claim(database, wecom, clock.now())
    metrics = Metrics()
    runtime = Runtime(
        settings=settings,
        clock=clock,
        database=database,
        metrics=metrics,
        wecom=Gateway(wecom, secret_key, database, clock, metrics, session=session, limits=limits),
        cipher=Cipher(wecom.corp_id, wecom.callback_keys),
        slugify=PinyinSlugify(),
        threads=threads,
        crash_hook=crash_hook,
    )
    queue = EmbeddedQueue(database, clock, JOB_KINDS, LANES, metrics)
    queue.bind(runtime)
    runtime.queue = queue
    runtime.intake = GroupCommitIntake(database, queue)
    if threads:
        runtime.intake.start()
    return runtime


def _claim(database: Database, wecom: WeComSettings, now: datetime) -> None:
    """Write at the first start which corp and app the database serves; refuse any other afterwards."""
    with database.write() as session:
        row = session.execute(select(Deployment)).scalar_one_or_none()
        if row is None:
            session.add(Deployment(id=1, corp_id=wecom.corp_id, agent_id=wecom.agent_id, created_at=now))
        elif (row.corp_id, row.agent_id) != (wecom.corp_id, wecom.agent_id):
            raise ConfigurationError(
                "这个数据库属于另一个企业或应用：请检查 WECOM_CORP_ID、WECOM_AGENT_ID 与 DATABASE_URL"
            )
