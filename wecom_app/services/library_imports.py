"""Imports of the library on the record: tried out whole, then carried in a slice a transaction by whoever asked.

Should he go away, the job goes on where he was. Carrying the same file in again does what is missing.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import select, update
from sqlalchemy.orm import Session, undefer

from wecom_app.domain.keys import Slugify
from wecom_app.errors import NotFound
from wecom_app.models import LibraryImport
from wecom_app.services import library_trial
from wecom_app.services.context import Context
from wecom_app.services.library_files import LibraryFile
from wecom_app.services.library_import import Import, Outcome, slices
from wecom_app.services.library_reading import Faulty
from wecom_app.services.ports import JobArgs
from wecom_app.services.runtime import Runtime, Store

KIND = "library.import"
TAKES_OVER = timedelta(minutes=1)
"""After which the job looks whether whoever asked has finished."""
STEPS = 50
"""Slices in one job, so that the lane's other jobs get their turn."""
IDLE = 10
"""Slices in one transaction as long as there is nothing to do in them."""
MOST_PROBLEMS = 200


@dataclass
class Carried(Outcome):
    """What an import does; with `is_done` it is done, else the job goes on with it."""

    import_id: int | None = None
    """None where there was nothing to do."""
    is_done: bool = True


def carry_in(
    store: Store,
    context: Context,
    file: LibraryFile,
    *,
    by: str,
    only_add: bool = False,
    patience_s: float | None = None,
    advanced: Callable[[int, int], None] = lambda _done, _total: None,
) -> Carried:
    """Carry the file in; raise Faulty, with every line that is wrong, before anything is kept.

    With `only_add` what stands already stays as it is, and only what is missing is made. After `patience_s` the rest is
    left to the job. `advanced` hears of each slice. A row that has become wrong meanwhile is left out, and a problem.
    """
    tried = library_trial.preview(store, context, file, only_add=only_add)
    if tried.problems:
        raise Faulty(tried.problems)
    if not tried.steps:
        return Carried()
    import_id, total = _begin(store, file, by=by, only_add=only_add), len(slices(file))
    until = None if patience_s is None else store.clock.monotonic() + patience_s
    done = 0
    while done < total and (until is None or store.clock.monotonic() < until):
        done = step(store, context.slugify, import_id, file)
        advanced(done, total)
    with store.read() as session:
        row = find(session, import_id)
        problems = [(int(line), str(words)) for line, words in row.problems]
        return Carried(tried.steps, problems, import_id, row.state == "done")


def find(session: Session, import_id: int) -> LibraryImport:
    """Return an import; raise NotFound."""
    row = session.get(LibraryImport, import_id)
    if row is None:
        raise NotFound("没有这次导入")
    return row


def list_imports(session: Session, *, before_id: int | None = None, limit: int = 50) -> list[LibraryImport]:
    """Return the imports, newest first."""
    query = select(LibraryImport).order_by(LibraryImport.id.desc()).limit(limit)
    return list(session.scalars(query if before_id is None else query.where(LibraryImport.id < before_id)))


def run(runtime: Runtime, args: JobArgs) -> None:
    """Go on with an import that nobody goes on with."""
    import_id = int(args["import_id"])
    file = _file_of(runtime, import_id)
    if file is None:
        return
    for _ in range(STEPS):
        if step(runtime, runtime.slugify, import_id, file) == len(slices(file)):
            return
        runtime.crash_point("library_import.after_slice")
    with runtime.write() as session:
        runtime.queue.enqueue(session, KIND, args, lane="bulk", unique=str(import_id))


def step(store: Store, slugify: Slugify, import_id: int, file: LibraryFile) -> int:
    """Carry the next slice in; return how many are done."""
    with store.write() as session:
        query = select(LibraryImport).where(LibraryImport.id == import_id).with_for_update()
        row = session.scalars(query).one()
        if row.state != "running":
            return row.cursor
        given = Context(store.queue, slugify, store.clock.now())
        work = Import(session, given, row.only_add, pending=set(row.pending))
        for part in slices(file)[row.cursor :][:IDLE]:
            work.carry(file, part)
            row.cursor += 1
            if work.outcome.steps or work.pending:
                break
        done = Counter(f"{one.action}_{one.kind}" for one in work.outcome.steps)
        row.counts = dict(Counter(row.counts) + done)
        new = [list(one) for one in work.outcome.problems if list(one) not in row.problems]
        row.problems = [*row.problems, *new][:MOST_PROBLEMS]
        row.pending = sorted(work.pending)
        if row.cursor == row.total:
            row.state, row.finished_at = "done", given.now
            session.flush()
            session.execute(update(LibraryImport).where(LibraryImport.id == import_id).values(content=None))
        return row.cursor


def _begin(store: Store, file: LibraryFile, *, by: str, only_add: bool) -> int:
    content = file.model_dump(mode="json", exclude_unset=True)
    now = store.clock.now()
    with store.write() as session:
        row = LibraryImport(
            state="running",
            asked_by=by[:128],
            only_add=only_add,
            content=content,
            total=len(slices(file)),
            created_at=now,
        )
        session.add(row)
        session.flush()
        args = {"import_id": row.id}
        store.queue.enqueue(session, KIND, args, lane="bulk", unique=str(row.id), run_at=now + TAKES_OVER)
        return row.id


def _file_of(store: Store, import_id: int) -> LibraryFile | None:
    """Return the file of an import under way."""
    with store.read() as session:
        query = select(LibraryImport).where(LibraryImport.id == import_id).options(undefer(LibraryImport.content))
        row = session.scalars(query).one()
        return None if row.content is None else LibraryFile.model_validate(row.content)
