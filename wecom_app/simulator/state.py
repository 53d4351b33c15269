"""The world as JSON, for `GET /_simulator/state`; each part can be asked for by itself."""

import dataclasses
from collections.abc import Callable, Iterable
from typing import Any

from wecom_app.simulator.api.contact_ways import describe_contact_way
from wecom_app.simulator.api.customers import PERSONAL_TAG, describe_customer
from wecom_app.simulator.api.directory import describe_member
from wecom_app.simulator.api.tags import describe_group
from wecom_app.simulator.calls import CallRecord
from wecom_app.simulator.context import Context
from wecom_app.simulator.customers import Relation
from wecom_app.simulator.errcodes import Json
from wecom_app.simulator.welcomes import Welcome
from wecom_app.simulator.world import World

ENTERPRISE_TAG = 1


def describe(context: Context, parts: Iterable[str] | None = None) -> Json:
    """Return the parts named, or all of them."""
    wanted = set(parts) if parts else set(PARTS)
    with context.world.lock:
        described = {name: make(context) for name, make in PARTS.items() if name in wanted}
    return {"now": context.world.now().isoformat(), **described}


def describe_about(context: Context, external_userid: str, limit: int) -> Json:
    """Return what WeCom knows of one customer, and the last of what went to and fro about him."""
    world = context.world
    with world.lock:
        customer = world.customers.find(external_userid)
        welcomes = world.welcomes.of_customer(external_userid)
        described = {
            "customer": describe_customer(customer) if customer else None,
            "relations": [describe_relation(world, item) for item in world.customers.of_customer(external_userid)],
            "welcomes": [describe_welcome(context, item) for item in welcomes],
        }
    codes = {item.welcome_code for item in welcomes}

    def is_about(call: CallRecord) -> bool:
        return call.external_userid == external_userid or call.request.get("welcome_code") in codes

    return {
        "now": world.now().isoformat(),
        **described,
        "callbacks": [item.as_dict() for item in context.callbacks.about(external_userid, limit)],
        "calls": [item.as_dict() for item in context.calls.about(is_about, limit)],
    }


def _customers(context: Context) -> list[Json]:
    return [describe_customer(item) | {"corp_name": item.corp_name} for item in context.world.customers]


def _relations(context: Context) -> list[Json]:
    world = context.world
    return [describe_relation(world, relation) for relation in world.customers.relations()]


def describe_relation(world: World, relation: Relation) -> Json:
    """Return a relation, ended or not, with its tags by name."""
    tags: list[Json] = [
        {"group": world.tags.group(tag.group_id).name, "name": tag.name, "id": tag.id, "type": ENTERPRISE_TAG}
        for tag in world.tags_of(relation)
    ]
    tags += [{"group": group, "name": name, "id": None, "type": PERSONAL_TAG} for group, name in relation.personal_tags]
    return {
        "userid": relation.userid,
        "external_userid": relation.external_userid,
        "createtime": relation.createtime,
        "add_way": relation.add_way,
        "state": relation.state,
        "remark": relation.remark,
        "description": relation.description,
        "remark_mobiles": relation.remark_mobiles,
        "pending": relation.pending,
        "chatting": relation.chatting,
        "deleted_by": relation.deleted_by,
        "tags": tags,
    }


def _tag_groups(context: Context) -> list[Json]:
    groups = context.world.tags.live_groups()
    return [
        describe_group(group, group.live_tags())
        | {"made_by": group.made_by, "tag": [_tag(tag) for tag in group.live_tags()]}
        for group in groups
    ]


def _tag(tag: Any) -> Json:
    return {
        "id": tag.id,
        "name": tag.name,
        "create_time": tag.create_time,
        "order": tag.order,
        "made_by": tag.made_by,
    }


def _channels(context: Context) -> list[Json]:
    return [
        describe_contact_way(way) | {"created": way.created, "scans": way.scans} for way in context.world.contact_ways
    ]


def _welcomes(context: Context) -> list[Json]:
    return [describe_welcome(context, item) for item in context.world.welcomes]


def describe_welcome(context: Context, item: Welcome) -> Json:
    """Return a welcome code and what was sent with it."""
    message = item.message or {}
    return {
        "welcome_code": item.welcome_code,
        "userid": item.userid,
        "external_userid": item.external_userid,
        "issued_at": item.issued_at.isoformat(),
        "sent_at": item.sent_at.isoformat() if item.sent_at else None,
        "sent_by": item.sent_by,
        "text": message.get("text"),
        "attachments": message.get("attachments", []),
        "expired": item.sent_at is None and context.world.now() >= item.expires_at,
    }


def _messages(context: Context) -> list[Json]:
    found = []
    for item in context.world.mailbox.messages.values():
        found.append(dataclasses.asdict(item) | {"at": item.at.isoformat()})
    return found


def _robot_messages(context: Context) -> list[Json]:
    messages = context.world.mailbox.robot_messages
    return [dataclasses.asdict(item) | {"at": item.at.isoformat()} for item in messages]


def _callbacks(context: Context) -> list[Json]:
    return [item.as_dict() for item in list(context.callbacks.records)]


def _members(context: Context) -> list[Json]:
    members = context.world.members
    return [describe_member(members, item) | {"customer_contact": item.customer_contact} for item in members]


def _mass_messages(context: Context) -> list[Json]:
    return [
        {
            "msgid": mass.msgid,
            "created_at": mass.created_at.isoformat(),
            "body": mass.body,
            "cancelled": mass.cancelled,
            "tasks": [dataclasses.asdict(task) for task in mass.tasks.values()],
        }
        for mass in context.world.mass_messages.items.values()
    ]


def _transfers(context: Context) -> list[Json]:
    items = context.world.transfers.items
    return [dataclasses.asdict(item) | {"started_at": item.started_at.isoformat()} for item in items]


PARTS: dict[str, Callable[[Context], list[Json]]] = {
    "members": _members,
    "customers": _customers,
    "relations": _relations,
    "tag_groups": _tag_groups,
    "channels": _channels,
    "welcomes": _welcomes,
    "messages": _messages,
    "robot_messages": _robot_messages,
    "mass_messages": _mass_messages,
    "transfers": _transfers,
    "callbacks": _callbacks,
}
