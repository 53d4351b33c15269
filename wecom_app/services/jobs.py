"""All kinds of jobs and what runs them, and what the clock enqueues; `bootstrap` hands out both tables."""

from collections.abc import Mapping, Sequence
from datetime import timedelta

from wecom_app.services import (
    back_tagging,
    bot,
    card_presses,
    cells,
    channel_push,
    channel_remarks,
    directory,
    handlers,
    inbox,
    intention_cards,
    library,
    library_push,
    library_recreation,
    media,
    media_renewal,
    notices,
    pull_finish,
    pulls,
    remarks,
    reminders,
    robots,
    run_undo,
    runs,
    schedule_runs,
    schedules,
    source_backfill,
    staff,
    sync,
    taxonomy,
    watch,
    welcome,
)
from wecom_app.services.runtime import JobKind, Tick

JOB_KINDS: Mapping[str, JobKind] = {
    inbox.WELCOME_KIND: JobKind(welcome.send),
    inbox.HANDLE_KIND: JobKind(handlers.handle),
    cells.SYNC_KIND: JobKind(sync.run),
    taxonomy.LIBRARY_KIND: JobKind(library_push.push),
    runs.START_KIND: JobKind(pulls.start),
    runs.PAGE_KIND: JobKind(pulls.take_page),
    runs.FINISH_KIND: JobKind(pull_finish.finish),
    runs.UNDO_KIND: JobKind(run_undo.undo_run),
    runs.SOURCES_KIND: JobKind(source_backfill.run),
    runs.BURY_KIND: JobKind(library.bury_approved),
    handlers.LIBRARY_PULL_KIND: JobKind(library.pull),
    library_recreation.RELINK_KIND: JobKind(library_recreation.relink),
    channel_push.PUSH_KIND: JobKind(channel_push.push),
    channel_remarks.REMARK_KIND: JobKind(channel_remarks.run),
    remarks.PUSH_KIND: JobKind(remarks.push),
    back_tagging.BACK_TAG_KIND: JobKind(back_tagging.run),
    media.RENEW_KIND: JobKind(media_renewal.renew),
    staff.READ_KIND: JobKind(directory.read_member),
    directory.PULL_KIND: JobKind(directory.pull),
    handlers.HALF_KIND: JobKind(handlers.check_half),
    bot.ANSWER_KIND: JobKind(bot.answer),
    notices.SEND_KIND: JobKind(notices.send),
    intention_cards.SEND_KIND: JobKind(intention_cards.send),
    card_presses.PRESS_KIND: JobKind(card_presses.press),
    robots.SEND_KIND: JobKind(robots.send, give_up_after=timedelta(days=1)),
    watch.KIND: JobKind(watch.run),
    reminders.KIND: JobKind(reminders.remind),
    schedule_runs.KIND: JobKind(schedule_runs.run, give_up_after=timedelta(hours=6)),
}

TICKS: Sequence[Tick] = (
    Tick("schedules", timedelta(seconds=5), schedules.fire_due),
    Tick("first directory", timedelta(minutes=10), directory.request_first),
    Tick("watch", timedelta(minutes=1), watch.request),
    Tick("reminders", timedelta(seconds=30), reminders.request),
)
"""What the scheduler of each working process calls, and how often."""
