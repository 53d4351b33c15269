"""Knowing that another thread has come to stand before a lock, without guessing how long that takes."""

import threading

from sqlalchemy import text

from wecom_app.db import Database

WAITING = text("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = :name")


def wait_until_blocked(thread: threading.Thread, database: Database) -> None:
    """Return once the thread waits for a lock that the caller's transaction holds; it must not get by."""
    while not _somebody_waits(database):
        assert thread.is_alive()


def _somebody_waits(database: Database) -> bool:
    if database.is_sqlite:
        return database._writer_lock.waiting > 0
    with database.read() as session:
        return bool(session.execute(WAITING, {"name": database.url.database}).scalar_one())
