"""What the commands share: settings, one clear line for an error, and logging."""

import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any, NoReturn

import click
import structlog

from wecom_app.bootstrap import open_store, prepare_database
from wecom_app.clock import SystemClock
from wecom_app.config import load_settings
from wecom_app.db import Database
from wecom_app.errors import AppError, DatabaseUnreachable


def with_settings(command: Callable[..., Any]) -> Callable[..., Any]:
    """Pass the settings to a command, and end it with one clear line where they or the work fail."""

    @wraps(command)
    def run(*args: Any, **kwargs: Any) -> None:
        with clear_errors():
            command(load_settings(), *args, **kwargs)

    return run


def with_store(command: Callable[..., Any]) -> Callable[..., Any]:
    """Pass settings, and the database with its queue, to a command; WeCom's settings may be missing."""

    @wraps(command)
    def run(*args: Any, **kwargs: Any) -> None:
        with clear_errors():
            settings = load_settings()
            store = open_store(settings)
            try:
                command(settings, store, *args, **kwargs)
            finally:
                store.database.close()

    return run


def with_database(command: Callable[..., Any]) -> Callable[..., Any]:
    """Pass settings, the database and the present moment to a command that may be the first one ever.

    An SQLite database is made and brought to head, with a backup; on PostgreSQL `db upgrade` must have been run.
    """

    @wraps(command)
    def run(*args: Any, **kwargs: Any) -> None:
        with clear_errors():
            settings, clock = load_settings(), SystemClock()
            database = Database(settings.database_url)
            try:
                prepare_database(database, clock)
                command(settings, database, clock.now(), *args, **kwargs)
            finally:
                database.close()

    return run


@contextmanager
def clear_errors() -> Iterator[None]:
    """End the command with one clear line for an error that the product raises on purpose."""
    try:
        yield
    except DatabaseUnreachable as error:
        fail(error.advice)
    except AppError as error:
        fail(error.message)


def fail(message: str) -> NoReturn:
    """End the command with a message and exit code 1."""
    click.echo(f"wecom-app: {message}", err=True)
    sys.exit(1)


def set_up_logging(level: str) -> None:
    """Send log lines to standard error, as JSON: ours, and those of libraries and adapters with their `extra`."""
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, structlog.stdlib.ExtraAdder()],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
                structlog.processors.JSONRenderer(ensure_ascii=False),
            ],
        )
    )
    logging.basicConfig(level=level.upper(), handlers=[handler])
    # Debug lines of the first three hold URLs, and WeCom's URLs hold tokens; the others only chat.
    for name in ("urllib3", "wechatpy", "requests", "alembic", "apscheduler", "procrastinate", "waitress.queue"):
        logging.getLogger(name).setLevel(logging.ERROR if name == "waitress.queue" else logging.WARNING)
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
