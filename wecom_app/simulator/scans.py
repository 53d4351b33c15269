"""A customer scans a live code with his phone (`POST /_simulator/scan`, and the page's buttons)."""

from wecom_app.errors import Conflict, InvalidInput, NotFound
from wecom_app.simulator.contact_ways import ContactWay
from wecom_app.simulator.context import Context
from wecom_app.simulator.customers import WECHAT, WECOM, Customer, Relation
from wecom_app.simulator.errcodes import Json
from wecom_app.simulator.friendships import Meeting, befriend
from wecom_app.simulator.members import ACTIVE, Member

SCAN_ADD_WAY = 1
SWITCHES = frozenset(
    {
        "config_id",
        "state",
        "qr_code",
        "external_userid",
        "name",
        "userid",
        "half",
        "confirm",
        "console_welcome",
        "chatting",
        "partner",
        "keep_tags",
        "silent",
    }
)


def scan(context: Context, request: Json) -> Json:
    """Make the scanning person a contact of one of the code's members, and push the events.

    Who is that member's contact already only gets the chat opened: no event, as in WeCom.
    """
    unknown = set(request) - SWITCHES
    if unknown:
        raise InvalidInput("扫码请求里有不认识的项", details={"unknown": sorted(unknown)})
    with context.world.lock:
        way = _way(context, request)
        customer = _customer(context, request)
        candidates = _candidates(context, way)
        friend = _friend_among(context, request, candidates, customer)
        if friend is not None:
            return _answer(way, customer, friend.userid, None, already=True)
        member = _chosen(context, request, way, candidates, customer)
        way.scans += 1
        welcome = befriend(context, member, customer, _meeting(request, way, customer))
        code = welcome.welcome_code if welcome else None
        return _answer(way, customer, member.userid, code, already=False)


def _way(context: Context, request: Json) -> ContactWay:
    ways = context.world.contact_ways
    if "config_id" in request:
        way = ways.find(str(request["config_id"]))
    else:
        way = ways.find_by(state=request.get("state"), qr_code=request.get("qr_code"))
    if way is None or way.is_expired(context.world.unix_now()):
        raise NotFound("没有这个活码，或已失效")
    return way


def _customer(context: Context, request: Json) -> Customer:
    external_userid = request.get("external_userid")
    if external_userid:
        known = context.world.customers.find(str(external_userid))
        if known is not None:
            return known
    kind = WECOM if request.get("partner") else WECHAT
    return context.world.add_customer(request.get("name") or None, external_userid or None, kind)


def _candidates(context: Context, way: ContactWay) -> list[Member]:
    members = context.world.members
    named = [member for userid in way.user if (member := members.find(userid))]
    every = {member.userid: member for member in (*named, *members.inside(way.party))}
    return [member for member in every.values() if member.status == ACTIVE and member.customer_contact]


def _friend_among(context: Context, request: Json, candidates: list[Member], customer: Customer) -> Relation | None:
    """Return the customer's relation with one of the code's members, or with the one asked for."""
    asked = request.get("userid")
    for member in candidates:
        if asked and member.userid != asked:
            continue
        relation = context.world.customers.relation(member.userid, customer.external_userid)
        if relation is not None and relation.deleted_by is None:
            return relation
    return None


def _chosen(context: Context, request: Json, way: ContactWay, candidates: list[Member], customer: Customer) -> Member:
    asked = request.get("userid")
    if asked:
        found = next((member for member in candidates if member.userid == asked), None)
        if found is None:
            raise Conflict("这位成员不在该活码的使用范围内")
        return found
    free = [member for member in candidates if _has_room(context, member)]
    if not free:
        raise Conflict("该活码没有可接待的成员")
    return _of_same_company(context, way, free, customer) or free[way.scans % len(free)]


def _has_room(context: Context, member: Member) -> bool:
    limit = member.customer_limit
    return limit is None or sum(1 for _ in context.world.customers.listed_of(member.userid)) < limit


def _of_same_company(context: Context, way: ContactWay, free: list[Member], customer: Customer) -> Member | None:
    """Return who serves the customer's company already: the meaning of `is_exclusive`."""
    if not way.is_exclusive or not customer.corp_name:
        return None
    for member in free:
        for relation in context.world.customers.listed_of(member.userid):
            other = context.world.customers.find(relation.external_userid)
            if other is not None and other.corp_name == customer.corp_name:
                return member
    return None


def _meeting(request: Json, way: ContactWay, customer: Customer) -> Meeting:
    half = request.get("half")
    return Meeting(
        add_way=SCAN_ADD_WAY,
        state=way.state or None,
        oper_userid=customer.external_userid,
        keep_tags=request.get("keep_tags"),
        welcome=not request.get("console_welcome") and customer.type == WECHAT,
        half=not way.skip_verify if half is None else bool(half),
        confirmed=bool(request.get("confirm", True)),
        chatting=bool(request.get("chatting")),
        silent=bool(request.get("silent")),
    )


def _answer(way: ContactWay, customer: Customer, userid: str, code: str | None, *, already: bool) -> Json:
    return {
        "external_userid": customer.external_userid,
        "name": customer.name,
        "userid": userid,
        "config_id": way.config_id,
        "state": way.state,
        "welcome_code": code,
        "already_friend": already,
    }
