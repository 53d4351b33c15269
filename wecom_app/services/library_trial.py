"""What an import would do, found out on a copy of the library in memory: nobody waits for the writer meanwhile.

Called by the console, the API and the command line before anything is carried in.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

from sqlalchemy import Table, create_engine, insert, select
from sqlalchemy.orm import Session
from sqlalchemy.pool import StaticPool

from wecom_app.errors import AppError
from wecom_app.models import Counter, CustomerTag, Tag, TagDimension, TagGroup
from wecom_app.services import library_edits
from wecom_app.services.context import Context
from wecom_app.services.library_files import LibraryFile
from wecom_app.services.library_import import Import, Outcome, slices, standing_group
from wecom_app.services.ports import JobQueue
from wecom_app.services.runtime import Store

COPIED = (TagDimension, TagGroup, Tag)
BESIDE = (Counter, CustomerTag)
"""Tables that are there but empty: what customers have is asked of the library itself."""


class _Silence:
    """A queue that a trial asks in vain."""

    def enqueue(self, *_given: Any, **_more: Any) -> None:
        return None


def preview(store: Store, context: Context, file: LibraryFile, *, only_add: bool = False) -> Outcome:
    """Return what carrying the file in would do, and what is wrong with it; nothing is kept."""
    with store.read() as session:
        held = [] if only_add else _held_by_customers(session, file)
        with _copy(session) as copy:
            given = Context(cast("JobQueue", _Silence()), context.slugify, context.now)
            trial = Import(copy, given, only_add)
            for part in slices(file):
                trial.carry(file, part)
    trial.outcome.problems[:] = sorted({*trial.outcome.problems, *held})
    return trial.outcome


def _held_by_customers(session: Session, file: LibraryFile) -> list[tuple[int, str]]:
    """Return the groups that cannot change as the file says, since customers have their tags."""
    found = []
    for row in file.groups:
        try:
            group = standing_group(session, row)
            if group is not None:
                library_edits.check_customers(session, group, row.named("tags"))
        except AppError as error:
            found.append((row.line, error.message))
    return found


@contextmanager
def _copy(session: Session) -> Iterator[Session]:
    """Open a copy of the library as it stands."""
    engine = create_engine("sqlite://", poolclass=StaticPool)
    try:
        with engine.begin() as connection:
            for one in (*COPIED, *BESIDE):
                cast("Table", one.__table__).create(connection)
            for one in COPIED:
                rows = [dict(row) for row in session.execute(select(one.__table__)).mappings()]
                if rows:
                    connection.execute(insert(one), rows)
            connection.execute(insert(Counter), [{"name": "sync", "value": 0}])
        with Session(engine) as copy:
            yield copy
    finally:
        engine.dispose()
