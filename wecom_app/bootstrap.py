"""Puts a `Runtime` together from the settings: the one place that knows every adapter. Called by commands and tests."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from importlib import import_module
from pathlib import Path
from typing import Any

import requests
from sqlalchemy import select

from wecom_app.adapters.intake import GroupCommitIntake
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


@dataclass(frozen=True)
class Engine:
    """Where a job queue lives; loaded only for the database it is for, since the cluster's needs an extra."""

    module: str
    name: str
    needs_schema: bool


ENGINES = {
    "sqlite": Engine("wecom_app.adapters.jobs.embedded", "EmbeddedQueue", needs_schema=False),
    "postgresql": Engine("wecom_app.adapters.jobs.cluster", "ClusterQueue", needs_schema=True),
}


def engine_for(database: Database) -> tuple[Engine, Any]:
    """Return the queue engine for a database and its module; raise ConfigurationError where there is none."""
    backend = database.url.get_backend_name()
    engine = ENGINES.get(backend)
    if engine is None:
        raise ConfigurationError("DATABASE_URL 只支持 sqlite:/// 与 postgresql://")
    return engine, import_module(engine.module)


def upgrade_database(database: Database) -> None:
    """Bring tables and queue to this program's version."""
    runner.upgrade(database)
    engine, module = engine_for(database)
    if engine.needs_schema:
        with database.engine.connect() as connection, connection.begin():
            module.install_schema(connection)


def prepare_database(database: Database, clock: Clock) -> Path | None:
    """Bring SQLite to head, with a backup first if it holds anything; on PostgreSQL only check.

    Returns the backup's path, if one was made. Raises ConfigurationError where PostgreSQL is not ready.
    """
    backup = runner.prepare(database, clock)
    engine, module = engine_for(database)
    if engine.needs_schema:
        with database.read() as session:
            if not module.is_installed(session.connection()):
                raise ConfigurationError("数据库结构不是最新版本：请先运行 wecom-app db upgrade")
    return backup


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
    prepare_database(database, clock)
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
    engine, module = engine_for(database)
    queue = getattr(module, engine.name)(database, clock, JOB_KINDS, LANES, metrics)
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
