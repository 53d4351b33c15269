"""externalcontact: mass messages (企业群发, Tencent's pages 92135, 93338 and 97610)."""

from datetime import timedelta

from wecom_app.simulator.api.attachments import check_content
from wecom_app.simulator.api.endpoint import Call, Endpoint, page
from wecom_app.simulator.customers import Relation
from wecom_app.simulator.errcodes import ApiError, Json
from wecom_app.simulator.mass_messages import TASK_UNSENT, MassMessage, MemberTask, SendResult
from wecom_app.simulator.members import key_of

RECEIVERS = 10_000
LONGEST_SPAN_S = 31 * 86_400
REMINDERS = 3
DAY = timedelta(days=1)


def add_msg_template(call: Call) -> Json:
    """Make tasks for members; nothing is sent until each of them confirms."""
    check_content(call)
    if call.body.get("chat_type", "single") != "single":
        raise ApiError(40058)
    wanted = call.texts("external_userid")
    if len(wanted) > RECEIVERS:
        raise ApiError(40058)
    found, failed = _by_customer(call, wanted) if wanted else (_by_filter(call), [])
    if not found:
        raise ApiError(41048)
    tasks: dict[str, MemberTask] = {}
    for relation in found:
        task = tasks.setdefault(key_of(relation.userid), MemberTask(relation.userid, []))
        task.results.append(SendResult(relation.external_userid))
    msgid = "msg" + call.world.ids.letters(40)
    call.world.mass_messages.items[msgid] = MassMessage(msgid, call.world.now(), call.body, tasks)
    return {"fail_list": failed, "msgid": msgid}


def _by_customer(call: Call, wanted: list[str]) -> tuple[list[Relation], list[str]]:
    """Return one relation a customer: the task goes to the member who joined him last."""
    sender = call.optional_text("sender")
    if sender:
        call.member(sender)
    found, failed = [], []
    for external_userid in dict.fromkeys(wanted):
        relations = _reachable(call, external_userid, sender)
        if relations:
            found.append(max(relations, key=lambda relation: relation.createtime))
        else:
            failed.append(external_userid)
    return found, failed


def _reachable(call: Call, external_userid: str, sender: str | None) -> list[Relation]:
    return [
        relation
        for relation in call.world.customers.of_customer(external_userid)
        if relation.is_listed
        and call.context.sees(call.app, relation.userid)
        and (not sender or key_of(sender) == key_of(relation.userid))
    ]


def _by_filter(call: Call) -> list[Relation]:
    """Return the relations of a sender, or those that carry tags: OR in a group, AND between groups."""
    sender, tag_filter = call.optional_text("sender"), call.body.get("tag_filter")
    if not sender and not tag_filter:
        raise ApiError(40063)
    groups = [set(item.get("tag_list") or []) for item in (tag_filter or {}).get("group_list", [])]
    for tag_id in set().union(*groups):
        call.world.tags.tag(tag_id)
    members = [call.member(sender)] if sender else call.context.seen_members(call.app)
    return [
        relation
        for member in members
        for relation in call.world.customers.listed_of(member.userid)
        if all(group.intersection(relation.tags) for group in groups)
    ]


def _mass(call: Call) -> MassMessage:
    """Return the mass message; just made it may answer 41063, as it is still being handed out."""
    mass = call.world.mass_messages.items.get(call.text("msgid", missing=41047))
    if mass is None:
        raise ApiError(41047)
    wait = timedelta(seconds=call.context.faults.settings.dispatching_s)
    if call.world.now() - mass.created_at < wait:
        raise ApiError(41063)
    return mass


def get_groupmsg_list(call: Call) -> Json:
    """Answer the mass messages made within a time of at most a month."""
    start, end = call.integer("start_time", -1, 0, 2**40), call.integer("end_time", -1, 0, 2**40)
    if min(start, end) < 0 or call.body.get("chat_type") not in ("single", "group"):
        raise ApiError(40063)
    if not 0 <= end - start <= LONGEST_SPAN_S:
        raise ApiError(40058)
    found = [
        _described(mass)
        for mass in call.world.mass_messages.items.values()
        if start <= mass.created_at.timestamp() <= end
        and mass.body.get("chat_type", "single") == call.body["chat_type"]
    ]
    items, cursor = page(found, call.body.get("cursor"), call.integer("limit", 50, 1, 100), "mass")
    return {"group_msg_list": items, "next_cursor": cursor}


def _described(mass: MassMessage) -> Json:
    """Return a mass message; made by an app, it has no `creator`."""
    return {
        "msgid": mass.msgid,
        "create_time": str(int(mass.created_at.timestamp())),
        "create_type": 0,
        "text": mass.body.get("text") or {},
        "attachments": mass.body.get("attachments") or [],
    }


def get_groupmsg_task(call: Call) -> Json:
    """Answer which members have confirmed."""
    mass = _mass(call)
    tasks = [
        {"userid": task.userid, "status": task.status}
        | ({"send_time": task.send_time} if task.send_time is not None else {})
        for task in mass.tasks.values()
    ]
    items, cursor = page(tasks, call.body.get("cursor"), call.integer("limit", 500, 1, 1000), mass.msgid)
    return {"task_list": items, "next_cursor": cursor}


def get_groupmsg_send_result(call: Call) -> Json:
    """Answer what became of one member's part."""
    mass = _mass(call)
    task = mass.tasks.get(key_of(call.text("userid", missing=60111)))
    if task is None:
        raise ApiError(40003)
    results = [
        {"external_userid": item.external_userid, "userid": task.userid, "status": item.status}
        | ({"send_time": item.send_time} if item.send_time is not None else {})
        for item in task.results
    ]
    limit, scope = call.integer("limit", 500, 1, 1000), [mass.msgid, task.userid]
    items, cursor = page(results, call.body.get("cursor"), limit, scope)
    return {"send_list": items, "next_cursor": cursor}


def remind(call: Call) -> Json:
    """Remind the members who have not confirmed, three times a day at most."""
    mass = _mass(call)
    now = call.world.now()
    if len([at for at in mass.reminded_at if now - at < DAY]) >= REMINDERS:
        raise ApiError(45009)
    mass.reminded_at.append(now)
    return {}


def cancel(call: Call) -> Json:
    """Stop the parts that are not yet sent."""
    mass = _mass(call)
    mass.cancelled = True
    mass.tasks = {key: task for key, task in mass.tasks.items() if task.status != TASK_UNSENT}
    return {}


ENDPOINTS = {
    "externalcontact/add_msg_template": Endpoint(
        add_msg_template, {"fail_list": []}, is_customer_contact=True, request_lists=("external_userid",)
    ),
    "externalcontact/get_groupmsg_list_v2": Endpoint(
        get_groupmsg_list, {"group_msg_list": []}, is_customer_contact=True, answer_list="group_msg_list"
    ),
    "externalcontact/get_groupmsg_task": Endpoint(
        get_groupmsg_task, {"task_list": []}, is_customer_contact=True, answer_list="task_list"
    ),
    "externalcontact/get_groupmsg_send_result": Endpoint(
        get_groupmsg_send_result, {"send_list": []}, is_customer_contact=True, answer_list="send_list"
    ),
    "externalcontact/remind_groupmsg_send": Endpoint(remind, is_customer_contact=True),
    "externalcontact/cancel_groupmsg_send": Endpoint(cancel, is_customer_contact=True),
}
