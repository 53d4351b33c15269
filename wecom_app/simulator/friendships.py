"""Making a member and a customer contacts, with the events and the welcome code that follow."""

from dataclasses import dataclass

from wecom_app.simulator.context import Context
from wecom_app.simulator.customers import Customer, Relation
from wecom_app.simulator.events import contact_event
from wecom_app.simulator.members import Member
from wecom_app.simulator.welcomes import Welcome

ADD = "add_external_contact"
ADD_HALF = "add_half_external_contact"


@dataclass(frozen=True)
class Meeting:
    """How a member and a customer came together."""

    add_way: int = 0
    state: str | None = None
    oper_userid: str = ""
    keep_tags: bool | None = None
    """What of an earlier relation stays: None lets WeCom's way decide."""
    welcome: bool = True
    """False: the console has a welcome for the member, or the two know each other: no code is given."""
    half: bool = False
    """The customer's adding is reported before the member's confirmation."""
    confirmed: bool = True
    """With `half`: the confirmation follows at once."""
    chatting: bool = False
    silent: bool = False
    """No event is pushed."""


def befriend(context: Context, member: Member, customer: Customer, meeting: Meeting) -> Welcome | None:
    """Connect the two and push what WeCom pushes; returns the welcome code, if there is one.

    The code travels with the first of the two events; the second then has none, because WeCom's page
    92130 gives no code once the one of the half event is there to be used.
    """
    world = context.world
    earlier = world.customers.relation(member.userid, customer.external_userid)
    relation = Relation(
        member.userid,
        customer.external_userid,
        world.unix_now(),
        meeting.add_way,
        meeting.state,
        oper_userid=meeting.oper_userid or customer.external_userid,
        pending=meeting.half and not meeting.confirmed,
        chatting=meeting.chatting,
    )
    if earlier is not None and _keeps_tags(earlier, meeting):
        relation.tags, relation.personal_tags = earlier.tags, earlier.personal_tags
        relation.remark, relation.description = earlier.remark, earlier.description
        relation.remark_mobiles, relation.remark_company = earlier.remark_mobiles, earlier.remark_company
    world.customers.connect(relation)
    may_greet = meeting.welcome and not meeting.chatting
    now = world.now()
    welcome = world.welcomes.issue(member.userid, customer.external_userid, now) if may_greet else None
    if not meeting.silent:
        _announce(context, relation, welcome, meeting)
    return welcome


def confirm(context: Context, relation: Relation) -> None:
    """Let the member confirm a customer who has added him; the code came with the half event."""
    relation.pending = False
    context.callbacks.emit(contact_event(ADD, relation.userid, relation.external_userid, State=relation.state))


def _keeps_tags(earlier: Relation, meeting: Meeting) -> bool:
    """A member who deleted a customer loses what he noted; one who was deleted by him keeps it."""
    return earlier.deleted_by == "customer" if meeting.keep_tags is None else meeting.keep_tags


def _announce(context: Context, relation: Relation, welcome: Welcome | None, meeting: Meeting) -> None:
    code = welcome.welcome_code if welcome else None
    kinds = [ADD_HALF] if meeting.half else [ADD]
    if meeting.half and meeting.confirmed:
        kinds.append(ADD)
    for kind in kinds:
        context.callbacks.emit(
            contact_event(kind, relation.userid, relation.external_userid, State=relation.state, WelcomeCode=code)
        )
        code = None
