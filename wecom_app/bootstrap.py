"""Puts a `Runtime` together from the settings: the one place that knows every adapter. Called by commands and tests."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

import requests
from sqlalchemy import select

from wecom_app.adapters.intake import GroupCommitIntake
from wecom_app.adapters.pinyin import PinyinSlugify
from wecom_app.adapters.scheduler import BackgroundClock
from wecom_app.adapters.wecom.budget import StoredPace
from wecom_app.adapters.wecom.call_log import CallLog
from wecom_app.adapters.wecom.crypto import Cipher
from wecom_app.adapters.wecom.gateway import Gateway
from wecom_app.adapters.wecom.group_robot import WebhookRobot
from wecom_app.adapters.wecom.limits import Limits
from wecom_app.adapters.wecom.selftest import DirectProbe
from wecom_app.clock import Clock, SystemClock
from wecom_app.config import Settings, WeComSettings
from wecom_app.db import Database
from wecom_app.errors import ConfigurationError
from wecom_app.migrations import runner
from wecom_app.models import Deployment
from wecom_app.services import schedules
from wecom_app.services.checkup import Patient
from wecom_app.services.jobs import JOB_KINDS, TICKS
from wecom_app.services.metrics import Metrics
from wecom_app.services.runtime import LANES, Runtime, Store
from wecom_app.services.wecom_status import Pace


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
    gateway = Gateway(wecom, secret_key, database, clock, metrics, session=session, limits=limits)
    runtime = Runtime(
        settings=settings,
        clock=clock,
        database=database,
        metrics=metrics,
        wecom=gateway,
        cipher=Cipher(wecom.corp_id, wecom.callback_keys),
        slugify=PinyinSlugify(),
        robots=build_robots(settings, database, clock, metrics, session=session),
        threads=threads,
        crash_hook=crash_hook,
    )
    queue = _make_queue(database, clock, metrics)
    queue.bind(runtime)
    runtime.queue = queue
    runtime.intake = GroupCommitIntake(database, queue)
    runtime.wecom_status = gateway
    runtime.scheduler = BackgroundClock(runtime, TICKS)
    schedules.ensure_defaults(runtime, settings.time_zone)
    if threads:
        runtime.intake.start()
    return runtime


def open_store(settings: Settings, clock: Clock | None = None) -> Store:
    """Return database and queue for commands that look at work and repair it; needs no WeCom settings.

    Raises ConfigurationError unless the database is there and at head: such a command changes no schema.
    """
    clock = clock or SystemClock()
    database = Database(settings.database_url)
    if not is_there(database):
        raise ConfigurationError("还没有数据库：请先启动 wecom-app serve，或检查 DATABASE_URL 与当前目录")
    if not is_current(database):
        raise ConfigurationError("数据库结构不是最新版本：请先运行 wecom-app db upgrade")
    store = Store(clock=clock, database=database)
    store.queue = _make_queue(database, clock, Metrics())
    return store


def pace_of(store: Store) -> Pace:
    """Return how fast WeCom may be called, for commands that say beforehand what something will cost."""
    return StoredPace(Limits(), store.database, store.clock)


def build_robots(
    settings: Settings,
    database: Database,
    clock: Clock,
    metrics: Metrics | None = None,
    *,
    session: requests.Session | None = None,
) -> dict[str, WebhookRobot]:
    """Return the group robots by name; they need no settings of WeCom's besides their own."""
    metrics = metrics or Metrics()
    made = [WebhookRobot(robot, database, clock, metrics, session=session) for robot in settings.group_robots()]
    return {robot.name: robot for robot in made}


def build_patient(
    settings: Settings,
    *,
    callback_url: str | None = None,
    clock: Clock | None = None,
    session: requests.Session | None = None,
) -> Patient:
    """Return what `doctor` examines, whatever of it could be made; changes nothing, opens no connection."""
    clock, metrics = clock or SystemClock(), Metrics()
    database = Database(settings.database_url)
    wecom, problem = _wecom_or_problem(settings)
    probe, status = None, None
    if wecom is not None:
        probe = DirectProbe(wecom, clock, CallLog(database, clock, metrics), session=session)
    if wecom is not None and settings.secret_key is not None:
        status = Gateway(wecom, settings.require_secret_key(), database, clock, metrics, session=session)
    return Patient(
        settings=settings,
        clock=clock,
        database=database,
        queue=_make_queue(database, clock, metrics),
        is_there=partial(is_there, database),
        is_current=partial(is_current, database),
        wecom=wecom,
        problem=problem,
        probe=probe,
        status=status,
        callback_url=callback_url,
    )


def _wecom_or_problem(settings: Settings) -> tuple[WeComSettings | None, str | None]:
    try:
        return settings.require_wecom(), None
    except ConfigurationError as error:
        return None, error.message


def is_there(database: Database) -> bool:
    """Return whether an SQLite database has its file; opening one that has not would make it."""
    return not database.is_sqlite or Path(database.url.database or "").exists()


def is_current(database: Database) -> bool:
    """Return whether tables and queue are at this program's version."""
    engine, module = engine_for(database)
    if not runner.is_at_head(database):
        return False
    if not engine.needs_schema:
        return True
    with database.read() as session:
        return bool(module.is_installed(session.connection()))


def _make_queue(database: Database, clock: Clock, metrics: Metrics) -> Any:
    engine, module = engine_for(database)
    return getattr(module, engine.name)(database, clock, JOB_KINDS, LANES, metrics)


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
