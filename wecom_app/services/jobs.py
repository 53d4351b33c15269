"""All kinds of jobs and what runs them; `bootstrap` hands this table to the queue."""

from collections.abc import Mapping

from wecom_app.services import cells, channels, handlers, inbox, library, staff, sync, taxonomy, welcome
from wecom_app.services.runtime import JobKind

JOB_KINDS: Mapping[str, JobKind] = {
    inbox.WELCOME_KIND: JobKind(welcome.send),
    inbox.HANDLE_KIND: JobKind(handlers.handle),
    cells.SYNC_KIND: JobKind(sync.run),
    taxonomy.LIBRARY_KIND: JobKind(library.push),
    handlers.LIBRARY_PULL_KIND: JobKind(library.pull),
    channels.PUSH_KIND: JobKind(channels.push),
    staff.NAME_KIND: JobKind(staff.read_name),
}
