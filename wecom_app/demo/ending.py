"""The end of the demo: both sides compared cell by cell, and links for a person to go on with."""

from wecom_app.demo.cast import MANAGER, REP, STAFF
from wecom_app.demo.comparison import EXPIRED, Comparison, Facts, compare, read_ours, read_theirs
from wecom_app.demo.stage import Stage

SHOWN = 20
"""Differences listed; the table has the count of all."""


def compare_sides(stage: Stage) -> bool:
    """Compare and say what came out; return whether nothing differs and the story went as told."""
    _check_our_records(stage)
    app = stage.app
    ours = read_ours(app.customers(), app.tags(), app.groups(), _expected_welcomes(stage))
    found = compare(ours, read_theirs(stage.corp.state()))
    stage.tell.act("对账：我们的数据库与企业微信，逐格比较")
    _say(stage, found)
    for holds, text in stage.played.expectations:
        stage.tell.verdict(holds, text)
    as_told = all(holds for holds, _ in stage.played.expectations)
    return as_told and not found.differences


def _say(stage: Stage, found: Comparison) -> None:
    rows = [(row.kind, str(row.ours), str(row.theirs), str(row.differences)) for row in found.rows]
    stage.tell.table(("", "我们", "企业微信", "差异"), rows)
    stage.tell.verdict(not found.differences, f"差异：{len(found.differences)}")
    for difference in found.differences[:SHOWN]:
        stage.tell.verdict(False, str(difference))
    if len(found.differences) > SHOWN:
        stage.tell.note(f"… 其余 {len(found.differences) - SHOWN} 处差异略")


def _expected_welcomes(stage: Stage) -> dict[str, Facts]:
    """Return what we meant to say to whom, and who cannot have been greeted in time."""
    late = stage.played.late
    return {
        "sent": {scan.pair: scan.greeting for scan in stage.played.scans if scan is not late},
        "expired": {late.pair: EXPIRED} if late else {},
    }


def _check_our_records(stage: Stage) -> None:
    """Add what only our own records and WeCom's call log can tell."""
    expect = stage.played.expect
    counts = stage.app.welcomes()
    total = len(stage.played.scans)
    expect(
        counts == {"sent": total - 1, "expired": 1},
        f"我们的记录：欢迎语已发送 {counts.get('sent', 0)} 条，已过期 {counts.get('expired', 0)} 条",
    )
    codes = [call["request"].get("welcome_code") for call in stage.corp.calls()]
    used = [code for code in codes if code]
    expect(len(used) == len(set(used)), f"{len(set(used))} 个欢迎码各只用了一次")
    failed = [event for event in stage.app.events() if event["state"] == "failed"]
    dead = stage.app.jobs("dead")
    expect(not failed and not dead, f"处理失败的回调 {len(failed)} 个，任务 {len(dead)} 个")


def say_links(stage: Stage) -> None:
    """Print how to enter everything that a person wants to see, a command to copy, and how to stop."""
    tell, app = stage.tell, stage.app
    shown = stage.played.marked or stage.played.scans[0]
    customer = f"/customers/{shown.external_userid}"
    first = next(scan for scan in stage.played.scans if scan.userid == REP)
    stories = f"{app.origin}/playground"
    tell.act("都还开着，用浏览器打开就能接着玩（不用密码）：")
    for words, address in (
        ("演练场：扮演客户扫码、导购聊天，看系统在背后做了什么", stories),
        (
            f"侧边栏：以导购{STAFF[REP]}的身份，看客户「{first.name}」",
            f"{stories}/as/{REP}?next=/playground?customer={first.external_userid}",
        ),
        (f"后台：以店长{MANAGER[1]}的身份，他有管理员角色", f"{stories}/as/{MANAGER[0]}?next=/admin"),
        ("全部客户：谁来了、打了什么标签、为什么", f"{stories}/customers"),
        ("企业微信那一边：更多动作与故障", f"{stage.corp.origin}/"),
    ):
        tell.line(f"    {words}")
        tell.line(f"      {address}")
    tell.line("    程序怎么读同一位客户（仅供演示的密钥）：")
    tell.line(f"      KEY={app.key}")
    tell.line('      curl -H "Authorization: Bearer $KEY" \\')
    tell.line(f"        {app.origin}/api/v1{customer}")
    tell.note("同一个浏览器里一次只能是一个人：点上面的链接就换成谁；在演练场右上角也能换")
    tell.note("按 Ctrl-C 结束，两个进程会一起停下")
