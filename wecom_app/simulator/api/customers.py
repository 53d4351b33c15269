"""externalcontact: members with the feature, their customers, remarks (Tencent's pages 92112 to 92115)."""

from itertools import chain, islice
from typing import Any

from wecom_app.simulator.api.endpoint import Call, Endpoint, page, read_cursor, write_cursor
from wecom_app.simulator.customers import WECHAT, WECOM, Customer, Relation
from wecom_app.simulator.errcodes import ApiError, Json
from wecom_app.simulator.events import contact_event
from wecom_app.simulator.members import ACTIVE
from wecom_app.simulator.world import World

BATCH_USERS = 100
BATCH_LIMIT = 100
BATCH_DEFAULT = 50
ENTERPRISE_TAG, PERSONAL_TAG = 1, 2
REMARK_FIELDS = ("remark", "description", "remark_company", "remark_mobiles", "remark_pic_mediaid")


def get_follow_user_list(call: Call) -> Json:
    """Answer the visible members who have the customer-contact feature."""
    members = call.context.seen_members(call.app)
    return {"follow_user": [item.userid for item in members if item.customer_contact and item.status == ACTIVE]}


def list_customers(call: Call) -> Json:
    """Answer a member's customers; having none is the error 84061, not an empty list."""
    member = call.member(call.query.get("userid", ""))
    found = [item.external_userid for item in call.world.customers.listed_of(member.userid)]
    if not found or not member.customer_contact:
        raise ApiError(84061)
    return {"external_userid": found}


def get_customer(call: Call) -> Json:
    """Answer a customer with the visible members who follow him, 500 on a page."""
    customer = call.customer(call.query.get("external_userid", ""))
    visible = [
        relation
        for relation in call.world.customers.of_customer(customer.external_userid)
        if relation.is_listed and call.context.sees(call.app, relation.userid)
    ]
    if not visible:
        raise ApiError(84061)
    size = call.context.faults.settings.get_page_size
    chosen, cursor = page(visible, call.query.get("cursor"), size, customer.external_userid)
    answer: Json = {
        "external_contact": describe_customer(customer),
        "follow_user": [_follow_user(call.world, relation, customer) for relation in chosen],
    }
    return answer | {"next_cursor": cursor} if cursor else answer


def batch_get_by_user(call: Call) -> Json:
    """Answer a page of the relations of up to 100 members."""
    userids = call.texts("userid_list") or call.texts("userid")
    if not userids:
        raise ApiError(60111)
    if len(userids) > BATCH_USERS:
        raise ApiError(40058)
    members = [call.member(userid) for userid in userids]
    licensed = [member.userid for member in members if member.licensed]
    unlicensed = [member.userid for member in members if not member.licensed]
    if not licensed:
        raise ApiError(701008)
    limit = call.integer("limit", BATCH_DEFAULT, 1, BATCH_LIMIT)
    limit = min(limit, call.context.faults.settings.batch_page_size)
    start = read_cursor(call.body.get("cursor"), userids)
    listed = chain.from_iterable(call.world.customers.listed_of(userid) for userid in licensed)
    found = list(islice(listed, start, start + limit + 1))
    return {
        "external_contact_list": [_batch_item(call.world, relation) for relation in found[:limit]],
        "next_cursor": write_cursor(start + limit, userids) if len(found) > limit else "",
        "fail_info": {"unlicensed_userid_list": unlicensed},
    }


def remark(call: Call) -> Json:
    """Change what a member has noted about a customer; at least one field must be given."""
    relation = call.relation()
    if not any(name in call.body for name in REMARK_FIELDS):
        raise ApiError(40063)
    for name, limit in (("remark", 20), ("description", 150), ("remark_company", 20)):
        value = call.optional_text(name, limit)
        if value is not None:
            setattr(relation, name, value)
    if "remark_mobiles" in call.body:
        relation.remark_mobiles = [mobile for mobile in call.texts("remark_mobiles") if mobile]
    if set(call.body).intersection(REMARK_FIELDS) != {"remark_mobiles"}:
        call.echo(contact_event("edit_external_contact", relation.userid, relation.external_userid))
    return {}


def describe_customer(customer: Customer) -> Json:
    """Return the `external_contact` object."""
    described: Json = {
        "external_userid": customer.external_userid,
        "name": customer.name,
        "type": customer.type,
        "avatar": customer.avatar,
        "gender": customer.gender,
    }
    if customer.type == WECHAT and customer.unionid:
        described["unionid"] = customer.unionid
    if customer.type == WECOM:
        described |= {
            "position": customer.position or "",
            "corp_name": customer.corp_name or "",
            "corp_full_name": customer.corp_full_name or "",
        }
    return described


def _follow_user(world: World, relation: Relation, customer: Customer) -> Json:
    """Return an item of `follow_user`: tags with names, the member's personal ones without an id."""
    tags: list[Json] = [
        {
            "group_name": world.tags.group(tag.group_id).name,
            "tag_name": tag.name,
            "tag_id": tag.id,
            "type": ENTERPRISE_TAG,
        }
        for tag in world.tags_of(relation)
    ]
    tags += [{"group_name": group, "tag_name": name, "type": PERSONAL_TAG} for group, name in relation.personal_tags]
    return _follow(relation, customer) | {"tags": tags}


def _batch_item(world: World, relation: Relation) -> dict[str, Any]:
    """Return an item of batch/get_by_user: only the ids of the corp's tags, no names, no personal ones."""
    customer = world.customers.find(relation.external_userid)
    if customer is None:
        raise ApiError(40096)
    tag_ids = [tag.id for tag in world.tags_of(relation)]
    return {
        "external_contact": describe_customer(customer),
        "follow_info": _follow(relation, customer) | {"tag_id": tag_ids},
    }


def _follow(relation: Relation, customer: Customer) -> Json:
    follow: Json = {
        "userid": relation.userid,
        "remark": relation.remark or customer.name,
        "description": relation.description,
        "createtime": relation.createtime,
        "remark_mobiles": relation.remark_mobiles,
        "oper_userid": relation.oper_userid,
        "add_way": relation.add_way,
    }
    if customer.type == WECHAT:
        follow["remark_corp_name"] = relation.remark_company
    if relation.state:
        follow["state"] = relation.state
    return follow


ENDPOINTS = {
    "externalcontact/get_follow_user_list": Endpoint(
        get_follow_user_list, {"follow_user": []}, is_customer_contact=True, answer_list="follow_user"
    ),
    "externalcontact/list": Endpoint(
        list_customers, {"external_userid": []}, is_customer_contact=True, answer_list="external_userid"
    ),
    "externalcontact/get": Endpoint(
        get_customer, {"follow_user": []}, is_customer_contact=True, answer_list="follow_user"
    ),
    "externalcontact/batch/get_by_user": Endpoint(
        batch_get_by_user,
        {"external_contact_list": []},
        is_customer_contact=True,
        answer_list="external_contact_list",
    ),
    "externalcontact/remark": Endpoint(remark, is_customer_contact=True),
}
