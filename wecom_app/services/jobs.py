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
    expiry,
    handlers,
    inbox,
    intention_cards,
    library,
    media,
    media_renewal,
    notices,
    remarks,
    reminders,
    retention,
    robots,
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
    taxonomy.LIBRARY_KIND: JobKind(library.push),
    handlers.LIBRARY_PULL_KIND: JobKind(library.pull),
    channel_push.PUSH_KIND: JobKind(channel_push.push),
    channel_remarks.REMARK_KIND: JobKind(channel_remarks.run),
    remarks.PUSH_KIND: JobKind(remarks.push),
    back_tagging.BACK_TAG_KIND: JobKind(back_tagging.run),
    media.RENEW_KIND: JobKind(media_renewal.renew),
    staff.READ_KIND: JobKind(directory.read_member),
    directory.PULL_KIND: JobKind(directory.pull),
    directory.NIGHTLY_KIND: JobKind(directory.pull_nightly),
    handlers.HALF_KIND: JobKind(handlers.check_half),
    retention.KIND: JobKind(retention.sweep),
    bot.ANSWER_KIND: JobKind(bot.answer),
    notices.SEND_KIND: JobKind(notices.send),
    intention_cards.SEND_KIND: JobKind(intention_cards.send),
    card_presses.PRESS_KIND: JobKind(card_presses.press),
    robots.SEND_KIND: JobKind(robots.send, give_up_after=timedelta(days=1)),
    watch.KIND: JobKind(watch.run),
    expiry.KIND: JobKind(expiry.sweep),
    reminders.KIND: JobKind(reminders.remind),
}

TICKS: Sequence[Tick] = (
    Tick("directory", timedelta(minutes=10), directory.request_nightly),
    Tick("retention", timedelta(minutes=10), retention.request),
    Tick("watch", timedelta(minutes=1), watch.request),
    Tick("expiry", timedelta(minutes=1), expiry.request),
    Tick("reminders", timedelta(seconds=30), reminders.request),
)
"""What the scheduler of each working process calls, and how often."""
