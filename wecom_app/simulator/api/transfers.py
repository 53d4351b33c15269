"""externalcontact: handing customers over, in service or resigned (Tencent's pages 92125, 94096)."""

from datetime import timedelta

from wecom_app.simulator.api.endpoint import Call, Endpoint, page
from wecom_app.simulator.errcodes import ApiError, Json
from wecom_app.simulator.members import key_of
from wecom_app.simulator.transfers import DONE, Transfer

CUSTOMERS = 100
MESSAGE_LIMIT = 200
TIMES = 2
TWICE_WITHIN = timedelta(days=90)
PAGE = 1000


def transfer_customer(call: Call) -> Json:
    """Ask customers of a member in service to go to another; each answers for himself."""
    call.optional_text("transfer_success_msg", MESSAGE_LIMIT)
    handover = call.member(call.text("handover_userid", missing=60111))
    return _begin(call, handover.userid, resigned=False)


def transfer_resigned_customer(call: Call) -> Json:
    """Give customers of a member who left to another."""
    handover = call.text("handover_userid", missing=60111)
    if call.world.members.find(handover) is not None:
        raise ApiError(40097)
    return _begin(call, handover, resigned=True)


def _begin(call: Call, handover_userid: str, *, resigned: bool) -> Json:
    takeover = call.member(call.text("takeover_userid", missing=60111))
    if key_of(takeover.userid) == key_of(handover_userid):
        raise ApiError(40130)
    wanted = call.texts("external_userid")
    if not wanted:
        raise ApiError(41035)
    if len(wanted) > CUSTOMERS:
        raise ApiError(40058)
    answered = []
    for external_userid in wanted:
        transfer = Transfer(handover_userid, takeover.userid, external_userid, call.world.now(), resigned=resigned)
        errcode = _refusal(call, transfer, takeover.customer_limit)
        if errcode == 0:
            call.world.transfers.items.append(transfer)
        answered.append({"external_userid": external_userid, "errcode": errcode})
    return {"customer": answered}


def _refusal(call: Call, transfer: Transfer, limit: int | None) -> int:
    """Return why a customer cannot be handed over, 0 if he can."""
    customers, transfers = call.world.customers, call.world.transfers
    if customers.find(transfer.external_userid) is None:
        return 40096
    relation = customers.relation(transfer.handover_userid, transfer.external_userid)
    wanted = "resigned" if transfer.resigned else None
    if relation is None or relation.deleted_by != wanted:
        return 40131
    if transfers.waiting(transfer.external_userid):
        return 40100
    recent = [
        item
        for item in transfers.items
        if item.external_userid == transfer.external_userid
        and item.status == DONE
        and transfer.started_at - item.started_at < TWICE_WITHIN
    ]
    if len(recent) >= TIMES and not transfer.resigned:
        return 40128
    if limit is not None and sum(1 for _ in customers.listed_of(transfer.takeover_userid)) >= limit:
        return 40099
    return 0


def transfer_result(call: Call) -> Json:
    """Answer how the hand-overs between two members stand."""
    return _results(call, resigned=False)


def transfer_resigned_result(call: Call) -> Json:
    """Answer how the hand-overs from a member who left stand."""
    return _results(call, resigned=True)


def _results(call: Call, *, resigned: bool) -> Json:
    pair = (
        key_of(call.text("handover_userid", missing=60111)),
        key_of(call.text("takeover_userid", missing=60111)),
    )
    found = [
        {"external_userid": item.external_userid, "status": item.status}
        | ({"takeover_time": item.takeover_time} if item.takeover_time is not None else {})
        for item in call.world.transfers.items
        if (key_of(item.handover_userid), key_of(item.takeover_userid)) == pair and item.resigned == resigned
    ]
    items, cursor = page(found, call.body.get("cursor"), PAGE, list(pair))
    return {"customer": items, "next_cursor": cursor}


def get_unassigned_list(call: Call) -> Json:
    """Answer the customers of members who left that nobody has taken over."""
    taken = {
        (item.handover_userid, item.external_userid)
        for item in call.world.transfers.items
        if item.resigned and item.status == DONE
    }
    found = [
        {
            "handover_userid": item.handover_userid,
            "external_userid": item.external_userid,
            "dimission_time": item.dimission_time,
        }
        for item in call.world.transfers.unassigned
        if (item.handover_userid, item.external_userid) not in taken
    ]
    size = call.integer("page_size", PAGE, 1, PAGE)
    items, cursor = page(found, call.body.get("cursor"), size, "unassigned")
    return {"info": items, "is_last": not cursor, "next_cursor": cursor}


ENDPOINTS = {
    "externalcontact/transfer_customer": Endpoint(transfer_customer, {"customer": []}, is_customer_contact=True),
    "externalcontact/transfer_result": Endpoint(transfer_result, {"customer": []}, is_customer_contact=True),
    "externalcontact/resigned/transfer_customer": Endpoint(
        transfer_resigned_customer, {"customer": []}, is_customer_contact=True
    ),
    "externalcontact/resigned/transfer_result": Endpoint(
        transfer_resigned_result, {"customer": []}, is_customer_contact=True
    ),
    "externalcontact/get_unassigned_list": Endpoint(
        get_unassigned_list, {"info": []}, is_customer_contact=True, answer_list="info"
    ),
}
