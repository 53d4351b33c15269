"""externalcontact/send_welcome_msg (Tencent's page 92137)."""

from wecom_app.simulator.api.attachments import check_content
from wecom_app.simulator.api.endpoint import Call, Endpoint
from wecom_app.simulator.errcodes import ApiError, Json


def send_welcome_msg(call: Call) -> Json:
    """Send the one welcome message that a code is good for."""
    code = call.text("welcome_code", missing=41049)
    world, now = call.world, call.world.now()
    message = check_content(call)
    welcome = world.welcomes.usable(
        code,
        agent_id=call.app.agent_id,
        now=now,
        used_errcode=call.context.faults.settings.used_welcome_errcode,
    )
    relation = world.customers.relation(welcome.userid, welcome.external_userid)
    if relation is not None and relation.chatting:
        raise ApiError(41051)
    welcome.sent_at, welcome.sent_by, welcome.message = now, call.app.agent_id, message
    return {}


ENDPOINTS = {"externalcontact/send_welcome_msg": Endpoint(send_welcome_msg, is_customer_contact=True)}
