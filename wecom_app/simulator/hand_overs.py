"""Deciding a hand-over: what becomes of the two relations, and the events of it."""

from wecom_app.simulator.context import Context
from wecom_app.simulator.events import contact_event
from wecom_app.simulator.friendships import Meeting, befriend
from wecom_app.simulator.transfers import DONE, REFUSED, TAKER_FULL, WAITING, Transfer

ASSIGNED = 202
"""`add_way` of a customer whom an administrator assigned."""
OUTCOMES = {"accept": DONE, "refuse": REFUSED, "limit": TAKER_FULL, "wait": WAITING}
REASONS = {REFUSED: "customer_refused", TAKER_FULL: "customer_limit_exceed"}


def settle(context: Context, transfer: Transfer, outcome: str, *, carry_tags: bool = False) -> None:
    """Decide a hand-over and push its events; whether tags go along is `carry_tags`."""
    transfer.status = OUTCOMES[outcome]
    if transfer.status == DONE:
        _complete(context, transfer, carry_tags=carry_tags)
    elif transfer.status in REASONS:
        reason = REASONS[transfer.status]
        context.callbacks.emit(
            contact_event("transfer_fail", transfer.takeover_userid, transfer.external_userid, FailReason=reason)
        )


def _complete(context: Context, transfer: Transfer, *, carry_tags: bool) -> None:
    world = context.world
    transfer.takeover_time = world.unix_now()
    old = world.customers.relation(transfer.handover_userid, transfer.external_userid)
    if old is not None and old.deleted_by is None:
        old.deleted_by = "transfer"
        context.callbacks.emit(
            contact_event("del_external_contact", old.userid, old.external_userid, Source="DELETE_BY_TRANSFER")
        )
    taker = world.members.find(transfer.takeover_userid)
    customer = world.customers.find(transfer.external_userid)
    current = world.customers.relation(transfer.takeover_userid, transfer.external_userid)
    if taker is None or customer is None or (current is not None and current.deleted_by is None):
        return
    befriend(context, taker, customer, Meeting(add_way=ASSIGNED, oper_userid=taker.userid, welcome=False))
    if carry_tags and old is not None:
        new = world.customers.relation(taker.userid, customer.external_userid)
        if new is not None:
            new.tags = dict(old.tags)
