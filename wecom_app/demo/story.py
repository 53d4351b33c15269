"""The story: a day at a shop with thirty customers, told act by act with what came of it on each side."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from wecom_app.demo import talk
from wecom_app.demo.cast import (
    AT_THE_POSTER,
    CHANNELS,
    FIELDS,
    FIRST,
    FROM_THE_NOTE,
    GROUPS,
    IN_THE_STREAM,
    LATE,
    LIVE,
    MANAGER,
    NOTE,
    POSTER,
    REFERRAL,
    REFERRED,
    STAFF,
    ChannelPlan,
    Scan,
)
from wecom_app.demo.failures import DemoFailed
from wecom_app.demo.stage import Stage

Json = dict[str, Any]
MARK_TAG = "externalcontact/mark_tag"
LATE_BY_S = 18.0
"""A welcome code lives 20 s, of which we leave two to the call; CreateTime, cut to seconds, may add one to it."""
COPIES = 3
STRIKE_S = 20.0
SOURCE_WORDS = {"channel": "渠道活码", "wecom": "企微同步", "api": "接口", "manual": "导购打标"}


def prepare(stage: Stage) -> None:
    """Make staff, callback address, tag groups and live codes."""
    stage.corp.add_members({"userid": userid, "name": name} for userid, name in (*STAFF.items(), MANAGER))
    verified = stage.corp.verify()
    if not verified["ok"]:
        raise DemoFailed(f"模拟企业微信验证回调地址没有通过：{verified.get('reason')}")
    keys: dict[str, str] = {}
    for body in GROUPS:
        made = stage.app.create_group(body)
        keys |= {tag["name"]: tag["key"] for tag in made["tags"]}
    stage.wait_for_everything()
    for plan in CHANNELS:
        body = {
            "name": plan.name,
            "source": plan.source,
            "staff": list(plan.staff),
            "tags": [keys[name] for name in plan.tags],
            "welcome": {"text": plan.welcome},
        }
        stage.codes[plan.name] = stage.app.create_channel(body)["config_id"]
    for body in FIELDS:
        stage.app.create_field(body)
    suggested = talk.put_in(stage.app, keys)
    stage.wait_for_everything()
    state = stage.corp.state("tag_groups", "channels")
    stage.tell.act(f"开店：{len(STAFF)} 位导购（{'、'.join(STAFF.values())}），{len(CHANNELS)} 个渠道活码")
    stage.tell.sides(
        wecom=f"回调地址验证通过；标签库 {sum(len(group['tag']) for group in state['tag_groups'])} 个标签，"
        f"活码 {len(state['channels'])} 个",
        ours=f"来源各不相同：{'、'.join(plan.source for plan in CHANNELS)}；"
        f"内容库备好 {suggested} 条，按标签推荐给导购",
    )


def play(stage: Stage) -> None:
    """Play all acts, then wait until both sides have come to rest."""
    lost = _lose_a_reply(stage)
    _burst(stage, 2, POSTER, AT_THE_POSTER)
    _duplicates(stage, 11)
    _burst(stage, 17, LIVE, IN_THE_STREAM)
    referred = _burst(stage, 27, REFERRAL, REFERRED)
    _second_member(stage, referred[2])
    _mark_by_hand(stage, referred[0])
    _delete_the_member(stage, referred[1])
    _expire(stage)
    stage.tell.act("打烊：等所有回调和任务处理完")
    waited = stage.wait_for_everything()
    stage.tell.note(f"等了 {waited:.1f} 秒")
    _find_the_lost_reply(stage, lost)


def _lose_a_reply(stage: Stage) -> Scan:
    """The first push takes effect at WeCom, but we never hear of it; it is looked into 10 s later."""
    stage.corp.disturb(rules=[{"api": MARK_TAG, "kind": "lost_reply", "times": 1}])
    scan = stage.scan(REFERRAL, FIRST)
    stage.waiter.until_done(lambda: _still_armed(stage), STRIKE_S)
    stage.tell.act(f"第 1 位客户「{scan.name}」扫了「{scan.plan.name}」，打标签时网络断了")
    stage.tell.sides(
        wecom=f"已打上 {len(_tags_there(stage, scan))} 个标签，但给我们的回包丢了",
        ours="不知道成没成：不盲目重打，稍后先查再定（结果见最后）",
    )
    return scan


def _still_armed(stage: Stage) -> str | None:
    rules = stage.corp.disturbances()["rules"]
    return "在等打标签的调用" if any(rule["left"] for rule in rules) else None


def _find_the_lost_reply(stage: Stage, scan: Scan) -> None:
    pushes = [call for call in stage.corp.calls() if call["api"] == MARK_TAG and _is_about(call, scan)]
    tags = stage.app.customer(scan.external_userid)["tags"]
    settled = bool(tags) and all(tag["sync"]["state"] == "synced" for tag in tags)
    stage.tell.act(f"回头看「{scan.name}」：回包丢失之后")
    stage.tell.sides(
        wecom=f"打标签一共被调用 {len(pushes)} 次",
        ours=f"查到 {len(tags)} 个标签都在，记为已同步" if settled else "仍未确认",
    )
    stage.played.expect(settled and len(pushes) == 1, "回包丢失的标签查明后确认，没有重复打")


def _burst(stage: Stage, number: int, plan: ChannelPlan, names: Sequence[str]) -> list[Scan]:
    scans = stage.scan_at_once(plan, names)
    stage.wait_for(scans)
    stage.tell.act(f"{_numbers(number, names)}同时扫「{plan.name}」")
    stage.tell.sides(wecom=_wecom_words(stage, scans), ours=_our_words(stage, scans))
    return scans


def _numbers(number: int, names: Sequence[str]) -> str:
    return f"第 {number}～{number + len(names) - 1} 位客户（{names[0]}、{names[1]}…）"


def _duplicates(stage: Stage, number: int) -> None:
    """WeCom pushes every callback three times; each counts once."""
    stage.corp.disturb(callbacks={"duplicates": COPIES})
    scans = stage.scan_at_once(NOTE, FROM_THE_NOTE)
    stage.corp.disturb(callbacks={"duplicates": 1})
    stage.wait_for(scans)
    stage.wait_for_callbacks()
    wanted = {scan.external_userid for scan in scans}
    events = [event for event in stage.app.events() if event["subject"] in wanted]
    received = sum(event["deliveries"] for event in events)
    additions = [len(stage.app.history(external_userid)) for external_userid in wanted]
    stage.tell.act(f"{_numbers(number, FROM_THE_NOTE)}扫「{NOTE.name}」，每个回调都重复推了 {COPIES} 次")
    stage.tell.sides(
        wecom=f"推了 {received} 次回调；{_wecom_words(stage, scans)}",
        ours=f"认出 {len(events)} 个事件，各处理一次：变更记录共 {sum(additions)} 条（每位 {len(NOTE.tags)} 个标签）",
    )
    once = len(events) == len(scans) and all(count == len(NOTE.tags) for count in additions)
    # More often than that if a machine is so slow that WeCom tries again.
    stage.played.expect(once and received >= COPIES * len(scans), "重复的回调只处理一次")


def _second_member(stage: Stage, first: Scan) -> None:
    """A customer of one member becomes a contact of another: his tags go to both."""
    second = stage.scan(NOTE, first.name, first.external_userid)
    stage.wait_for([second])
    there = [_tags_there(stage, scan) for scan in (first, second)]
    stage.tell.act(f"老客户「{first.name}」又扫了「{NOTE.name}」，多了一位导购{STAFF[second.userid]}")
    stage.tell.sides(
        wecom=f"在{STAFF[first.userid]}和{STAFF[second.userid]}那里都是：{'、'.join(sorted(there[1]))}",
        ours="还是同一位客户、两条好友关系，标签共用一份",
    )
    stage.played.expect(there[0] == there[1] != set(), "同一客户的两位导购看到同样的标签")


def _mark_by_hand(stage: Stage, scan: Scan) -> None:
    """A member marks a tag in WeCom, in a group of which only one may stand: both sides follow him."""
    mark = {"group": "购买频次", "tag": "高频购买用户"}
    stage.corp.act(scan.userid, "mark", external_userid=scan.external_userid, add=[mark])
    stage.wait_for_everything(with_retries=False)
    tags = {tag["name"]: tag for tag in stage.app.customer(scan.external_userid)["tags"]}
    there = _tags_there(stage, scan)
    stage.tell.act(f"{STAFF[scan.userid]}在企业微信里给「{scan.name}」手动打了「{mark['tag']}」")
    stage.tell.sides(
        wecom=f"现在是：{'、'.join(sorted(there))}",
        ours=f"跟着改（来源 = {_source_words(tags.get(mark['tag']))}）；单选组里原来的「潜在客户」换下",
    )
    stage.played.marked = scan
    taken_over = mark["tag"] in tags and tags[mark["tag"]]["source"]["kind"] == "wecom"
    stage.played.expect(taken_over and "潜在客户" not in {*tags, *there}, "成员在企业微信里打的标签被接收")


def _delete_the_member(stage: Stage, scan: Scan) -> None:
    stage.corp.act(scan.external_userid, "delete_staff", userid=scan.userid)
    stage.wait_for_everything(with_retries=False)
    customer = stage.app.customer(scan.external_userid)
    stage.tell.act(f"「{scan.name}」把{STAFF[scan.userid]}删了")
    stage.tell.sides(
        wecom="好友关系结束（客户删除成员）",
        ours=f"记为流失，不再往企业微信打标签；{len(customer['tags'])} 个标签和来历都留着",
    )
    lost_by = [relation["lost_by"] for relation in customer["relations"]]
    stage.played.expect(lost_by == ["customer"] and bool(customer["tags"]), "客户删除成员后记为流失")


def _expire(stage: Stage) -> None:
    """A callback comes so late that its welcome code cannot be used in time."""
    stage.corp.disturb(callbacks={"hold": True})
    stage.corp.shift_clock(-LATE_BY_S)
    scan = stage.scan(POSTER, LATE)
    stage.corp.shift_clock(0)
    stage.corp.disturb(callbacks={"hold": False})
    stage.wait_for_everything(with_retries=False)
    tries = [call for call in stage.corp.calls() if call["request"].get("welcome_code") == scan.welcome_code]
    stage.tell.act(f"第 30 位客户「{scan.name}」扫了「{POSTER.name}」，可回调晚到了 {LATE_BY_S:.0f} 秒")
    stage.tell.sides(
        wecom=f"打上 {len(_tags_there(stage, scan))} 个标签；欢迎码 20 秒有效，已作废",
        ours=f"标签照打；欢迎语赶不上，记为已过期，发送请求 {len(tries)} 次",
    )
    stage.played.late = scan
    stage.played.expect(all(call["errcode"] for call in tries), "过期的欢迎语没有发出去")


def _tags_there(stage: Stage, scan: Scan) -> set[str]:
    """Return the names of the tags that WeCom has on one relation."""
    relations = stage.corp.state("relations")["relations"]
    return {
        tag["name"]
        for item in relations
        if (item["external_userid"], item["userid"]) == scan.pair
        for tag in item["tags"]
    }


def _is_about(call: Json, scan: Scan) -> bool:
    return (call["external_userid"], call["userid"]) == scan.pair


def _source_words(tag: Json | None) -> str:
    kind = tag["source"]["kind"] if tag else ""
    return SOURCE_WORDS.get(kind, kind)


def _wecom_words(stage: Stage, scans: Sequence[Scan]) -> str:
    state = stage.corp.state("relations", "welcomes")
    pairs, codes = {scan.pair for scan in scans}, {scan.welcome_code for scan in scans}
    tags = sum(len(item["tags"]) for item in state["relations"] if (item["external_userid"], item["userid"]) in pairs)
    delays = [
        _seconds(item["issued_at"], item["sent_at"])
        for item in state["welcomes"]
        if item["welcome_code"] in codes and item["sent_at"]
    ]
    return f"打上 {tags} 个标签；欢迎语 {len(delays)} 条，最慢的 {max(delays, default=0):.1f} 秒送达"


def _our_words(stage: Stage, scans: Sequence[Scan]) -> str:
    wanted = {scan.external_userid for scan in scans}
    tags = [tag for item in stage.app.customers() if item["external_userid"] in wanted for tag in item["tags"]]
    kinds = sorted({_source_words(tag) for tag in tags})
    names = "、".join(dict.fromkeys(tag["name"] for tag in tags))
    return f"{len(wanted)} 位客户入库，标签 {names}；来源 = {'、'.join(kinds)}，两边已一致"


def _seconds(start: str, end: str) -> float:
    return (datetime.fromisoformat(end) - datetime.fromisoformat(start)).total_seconds()
