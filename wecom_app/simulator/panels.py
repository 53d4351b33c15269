"""The parts of the page that change by themselves, each made from the world and one template."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from typing import Any

import segno
from flask import render_template
from markupsafe import Markup

from wecom_app.simulator.callbacks import Delivery
from wecom_app.simulator.calls import CallRecord
from wecom_app.simulator.contact_ways import ContactWay
from wecom_app.simulator.context import Context
from wecom_app.simulator.customers import Relation
from wecom_app.simulator.paging import Page, View
from wecom_app.simulator.presets import KIND_LABELS, PRESETS
from wecom_app.simulator.welcomes import Welcome

CODES, CHATS, CUSTOMERS, LOG = 6, 6, 8, 20
"""How many of each the page shows at a time."""
SCANNERS = 30
"""Customers whom a code may be scanned by; anybody else is a new one."""
CHINA = timedelta(hours=8)
ENDED = {
    "customer": "客户已删除成员",
    "staff": "成员已删除客户",
    "transfer": "已转给其他成员",
    "resigned": "成员已离职",
}


@dataclass(frozen=True)
class Panel:
    """A template and what it shows."""

    template: str
    values: Callable[[Context, View], dict[str, Any]]


def render(context: Context, panel: Panel, view: View) -> str:
    """Return a panel's HTML."""
    with context.world.lock:
        values = panel.values(context, view)
    return render_template(panel.template, **values)


def _clock(moment: datetime) -> str:
    return (moment + CHINA).strftime("%H:%M:%S")


def _codes(context: Context, view: View) -> dict[str, Any]:
    world = context.world
    page = Page(view, "codes", CODES, len(world.contact_ways))
    ways = world.contact_ways.latest(CODES, skip=page.skip)
    return {
        "codes": [{"way": way, "svg": _svg(context, way), "members": _member_names(context, way)} for way in ways],
        "customers": world.customers.latest(SCANNERS),
        "page": page,
    }


def _svg(context: Context, way: ContactWay) -> Markup:
    code = segno.make(f"{context.config.base_url}/#code-{way.config_id}", error="m")
    drawn = code.svg_inline(scale=4, border=0, omitsize=True, dark="#111")
    return Markup(drawn)  # noqa: S704  drawn by segno


def _member_names(context: Context, way: ContactWay) -> str:
    members = context.world.members
    named = [member.name for userid in way.user if (member := members.find(userid))]
    parties = [members.departments[item].name for item in way.party if item in members.departments]
    return "、".join(named + parties)


def _chats(context: Context, _view: View) -> dict[str, Any]:
    world = context.world
    latest = islice(reversed(world.customers.recent), CHATS)
    return {"chats": [_chat(context, relation) for relation in latest]}


def _chat(context: Context, relation: Relation) -> dict[str, Any]:
    world = context.world
    customer = world.customers.find(relation.external_userid)
    member = world.members.find(relation.userid)
    welcome = world.welcomes.latest(relation.userid, relation.external_userid)
    return {
        "customer": customer.name if customer else relation.external_userid,
        "member": member.name if member else relation.userid,
        "at": _clock(datetime.fromtimestamp(relation.createtime, world.now().tzinfo)),
        "ended": ENDED.get(relation.deleted_by or ""),
        "pending": relation.pending,
        "welcome": _welcome(context, welcome) if welcome else None,
    }


def _welcome(context: Context, welcome: Welcome) -> dict[str, Any]:
    message = welcome.message or {}
    return {
        "text": message.get("text", ""),
        "attachments": [_attachment(item) for item in message.get("attachments", [])],
        "sent_after": (f"{(welcome.sent_at - welcome.issued_at).total_seconds():.1f}" if welcome.sent_at else None),
        "waiting": welcome.sent_at is None and context.world.now() < welcome.expires_at,
    }


ATTACHMENT_LABELS = {
    "image": "图片",
    "link": "链接",
    "miniprogram": "小程序",
    "video": "视频",
    "file": "文件",
}


def _attachment(item: dict[str, Any]) -> str:
    kind = str(item.get("msgtype"))
    part = item.get(kind) or {}
    return f"{ATTACHMENT_LABELS.get(kind, kind)} {part.get('title', '')}".strip()


def _customers(context: Context, view: View) -> dict[str, Any]:
    world = context.world
    library = [
        {"group": group.name, "tags": [{"id": tag.id, "name": tag.name} for tag in group.live_tags()]}
        for group in world.tags.live_groups()
    ]
    page = Page(view, "customers", CUSTOMERS, world.customers.count(view.name))
    return {
        "customers": [
            {
                "customer": customer,
                "relations": [
                    _relation(context, item) for item in world.customers.of_customer(customer.external_userid)
                ],
            }
            for customer in world.customers.latest(CUSTOMERS, skip=page.skip, named=view.name)
        ],
        "library": library,
        "page": page,
        "name": view.name,
    }


def _relation(context: Context, relation: Relation) -> dict[str, Any]:
    world = context.world
    member = world.members.find(relation.userid)
    return {
        "relation": relation,
        "member": member.name if member else relation.userid,
        "ended": ENDED.get(relation.deleted_by or ""),
        "tags": [
            {"id": tag.id, "name": tag.name, "group": world.tags.group(tag.group_id).name}
            for tag in world.tags_of(relation)
        ],
        "personal": [name for _, name in relation.personal_tags],
    }


def _faults(context: Context, _view: View) -> dict[str, Any]:
    return {"presets": PRESETS, "active": _active(context), "waiting": context.callbacks.waiting()}


def _active(context: Context) -> list[str]:
    """Say in words what is disturbed now."""
    settings = context.faults.settings
    rules = context.faults.as_dict()["rules"]
    said = [_rule_in_words(rule) for rule in rules if rule["left"] != 0]
    callbacks = settings.callbacks
    switches = (
        (callbacks.duplicates > 1, f"回调重复 {callbacks.duplicates} 次"),
        (callbacks.loss > 0, f"回调丢失 {callbacks.loss:.0%}"),
        (callbacks.hold, "回调暂停"),
        (callbacks.reorder, "回调乱序"),
        (callbacks.delay_s > 0, f"回调延迟 {callbacks.delay_s:g} 秒"),
        (settings.token.rotate, "每次取令牌都换新"),
        (settings.echo_api_writes, "接口操作也回调"),
        (settings.visible_members is not None, "应用可见范围受限"),
        (not settings.customer_contact, "应用没有客户联系权限"),
    )
    return said + [text for is_on, text in switches if is_on]


def _rule_in_words(rule: dict[str, Any]) -> str:
    words = f"{rule['api']}：{KIND_LABELS[rule['kind']]}"
    if rule["errcode"]:
        words += f" {rule['errcode']}"
    return words if rule["left"] is None else f"{words}（还剩 {rule['left']} 次）"


def _log(context: Context, _view: View) -> dict[str, Any]:
    return {
        "calls": [_call(record) for record in reversed(context.calls.last(LOG))],
        "callbacks": [_delivery(item) for item in context.callbacks.last(LOG)],
        "url": context.callbacks.url,
        "now": _clock(context.world.now()),
    }


def _call(record: CallRecord) -> dict[str, Any]:
    return {
        "at": _clock(datetime.fromisoformat(record.at)),
        "api": record.api,
        "about": record.external_userid or record.userid or "",
        "errcode": record.errcode,
        "ms": f"{record.duration_s * 1000:.0f}",
        "fault": KIND_LABELS.get(record.fault or ""),
    }


def _delivery(item: Delivery) -> dict[str, Any]:
    if item.lost:
        result = "未推送"
    elif item.delivered:
        result = "已接收"
    elif item.finished:
        result = "推送失败"
    else:
        result = "等待推送"
    return {
        "name": item.event.change_type or item.event.event,
        "tries": item.tries,
        "status": item.last_status,
        "result": result,
        "ok": item.delivered,
    }


PANELS = {
    "codes": Panel("simulator/_codes.html", _codes),
    "chats": Panel("simulator/_chats.html", _chats),
    "customers": Panel("simulator/_customers.html", _customers),
    "faults": Panel("simulator/_faults.html", _faults),
    "log": Panel("simulator/_log.html", _log),
}
