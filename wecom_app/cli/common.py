"""What the commands share: settings, one clear line for an error, and logging."""

import logging
import sys
from collections.abc import Callable
from functools import wraps
from typing import Any, NoReturn

import click
import structlog

from wecom_app.bootstrap import open_store
from wecom_app.config import load_settings
from wecom_app.errors import AppError


def with_settings(command: Callable[..., Any]) -> Callable[..., Any]:
    """Pass the settings to a command, and end it with one clear line where they or the work fail."""

    @wraps(command)
    def run(*args: Any, **kwargs: Any) -> None:
        try:
            command(load_settings(), *args, **kwargs)
        except AppError as error:
            fail(error.message)

    return run


def with_store(command: Callable[..., Any]) -> Callable[..., Any]:
    """Pass settings, and the database with its queue, to a command; WeCom's settings may be missing."""

    @wraps(command)
    def run(*args: Any, **kwargs: Any) -> None:
        try:
            settings = load_settings()
            store = open_store(settings)
            try:
                command(settings, store, *args, **kwargs)
            finally:
                store.database.close()
        except AppError as error:
            fail(error.message)

    return run


def fail(message: str) -> NoReturn:
    """End the command with a message and exit code 1."""
    click.echo(f"wecom-app: {message}", err=True)
    sys.exit(1)


def set_up_logging(level: str) -> None:
    """Send log lines to standard error, as JSON."""
    logging.basicConfig(level=level.upper(), format="%(message)s", stream=sys.stderr)
    # Debug lines of the first three hold URLs, and WeCom's URLs hold tokens; the others only chat.
    for name in ("urllib3", "wechatpy", "requests", "alembic", "apscheduler", "procrastinate", "waitress.queue"):
        logging.getLogger(name).setLevel(logging.ERROR if name == "waitress.queue" else logging.WARNING)
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(ensure_ascii=False),
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
