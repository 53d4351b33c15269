"""Acts between members and customers: marking, remarks, adding, deleting, handing over."""

from wecom_app.errors import Conflict, InvalidInput
from wecom_app.simulator.acts.act import Act, Handler
from wecom_app.simulator.customers import Relation
from wecom_app.simulator.errcodes import Json
from wecom_app.simulator.events import contact_event
from wecom_app.simulator.friendships import Meeting, befriend, confirm
from wecom_app.simulator.hand_overs import OUTCOMES, settle
from wecom_app.simulator.transfers import Transfer

EDIT = "edit_external_contact"


def mark(act: Act) -> Json:
    """A member changes a customer's tags in the client; only the corp's tags fire the event."""
    relation = act.relation()
    before = set(relation.tags)
    for name in act.items("add"):
        relation.tags[act.tag(name).id] = None
    for name in act.items("remove"):
        relation.tags.pop(act.tag(name).id, None)
    for item in act.items("personal_add"):
        relation.personal_tags[(str(item["group"]), str(item["tag"]))] = None
    for item in act.items("personal_remove"):
        relation.personal_tags.pop((str(item["group"]), str(item["tag"])), None)
    if before != set(relation.tags):
        _edited(act, relation)
    return {"tag_ids": list(relation.tags)}


def remark(act: Act) -> Json:
    """A member changes what he has noted; changing only the mobile numbers fires nothing."""
    relation = act.relation()
    for name in ("remark", "description", "remark_company"):
        if name in act.parts:
            setattr(relation, name, str(act.parts[name]))
    if "remark_mobiles" in act.parts:
        relation.remark_mobiles = [str(item) for item in act.items("remark_mobiles")]
    if {"remark", "description", "remark_company"} & set(act.parts):
        _edited(act, relation)
    return {}


def _edited(act: Act, relation: Relation) -> None:
    act.emit(contact_event(EDIT, relation.userid, relation.external_userid))


def delete_customer(act: Act) -> Json:
    """A member deletes a customer."""
    relation = act.relation()
    relation.deleted_by = "staff"
    act.emit(contact_event("del_external_contact", relation.userid, relation.external_userid))
    return {}


def delete_staff(act: Act) -> Json:
    """A customer deletes a member."""
    relation = act.relation()
    relation.deleted_by = "customer"
    act.emit(contact_event("del_follow_user", relation.userid, relation.external_userid))
    return {}


def add(act: Act) -> Json:
    """A member and a customer become contacts without a live code, or once more."""
    is_member = act.world.members.find(act.actor) is not None
    member = act.member(str(act.parts.get("userid") or act.actor))
    external_userid = act.parts.get("external_userid") or (None if is_member else act.actor)
    known = act.world.customers.find(str(external_userid)) if external_userid else None
    customer = known or act.world.add_customer(act.parts.get("name"), external_userid)
    earlier = act.world.customers.relation(member.userid, customer.external_userid)
    if earlier is not None and earlier.deleted_by is None:
        raise Conflict("两人已是好友")
    meeting = Meeting(
        add_way=int(act.parts.get("add_way", 3)),
        state=act.parts.get("state"),
        oper_userid=act.actor,
        keep_tags=act.flag("keep_tags"),
        welcome=bool(act.parts.get("welcome", True)),
        silent=bool(act.parts.get("silent")),
    )
    welcome = befriend(act.context, member, customer, meeting)
    return {
        "external_userid": customer.external_userid,
        "name": customer.name,
        "userid": member.userid,
        "welcome_code": welcome.welcome_code if welcome else None,
    }


def confirm_add(act: Act) -> Json:
    """A member confirms a customer who was scanned in with `half` and without `confirm`."""
    relation = act.relation()
    if not relation.pending:
        raise Conflict("没有待确认的好友申请")
    confirm(act.context, relation)
    return {}


def chat(act: Act) -> Json:
    """The two begin to chat: a welcome message is refused from now on (41051)."""
    act.relation().chatting = True
    return {}


def rename_customer(act: Act) -> Json:
    """A customer changes his own name; WeCom pushes nothing for that."""
    customer = act.customer(str(act.parts.get("external_userid") or act.actor))
    customer.name = act.text("name")
    return {}


def transfer(act: Act) -> Json:
    """Hand customers over, or decide hand-overs that an app has begun."""
    outcome = str(act.parts.get("result", "accept"))
    if outcome not in OUTCOMES:
        raise InvalidInput("result 只能是 accept、refuse、limit、wait", details={"result": outcome})
    named = act.parts.get("external_userid")
    transfers = act.world.transfers
    for external_userid in named if isinstance(named, list) else [act.text("external_userid")]:
        customer = act.customer(str(external_userid))
        waiting = transfers.waiting(customer.external_userid)
        if not waiting:
            waiting = [
                Transfer(
                    act.member(act.text("handover_userid")).userid,
                    act.member(act.text("takeover_userid")).userid,
                    customer.external_userid,
                    act.world.now(),
                    resigned=False,
                )
            ]
            transfers.items.extend(waiting)
        for item in waiting:
            settle(act.context, item, outcome, carry_tags=bool(act.parts.get("carry_tags")))
    return {}


HANDLERS: dict[str, Handler] = {
    "mark": mark,
    "remark": remark,
    "delete_customer": delete_customer,
    "delete_staff": delete_staff,
    "add": add,
    "re_add": add,
    "confirm_add": confirm_add,
    "chat": chat,
    "rename_customer": rename_customer,
    "transfer": transfer,
}
