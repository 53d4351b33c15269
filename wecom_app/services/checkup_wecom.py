"""Checks towards WeCom: clock, token, rights, visible members, and our callback address from the outside."""

import re
from collections.abc import Callable, Mapping
from zoneinfo import ZoneInfo

from wecom_app.errors import WeComError
from wecom_app.services.checkup import EchoReply, Finding, Patient, WeComProbe, fail, fine, skip, warn

CLOCK_LIMIT_S = 30.0
ECHO_LIMIT_S = 1.0
"""WeCom refuses to save an address that takes longer."""
EGRESS_IP = re.compile(r"from ip: ([0-9a-fA-F.:]{3,45})")
APP = "企业微信管理后台「应用管理 → 应用」"
TRUST_IP = ("本机出口 IP {ip}不在企业可信IP中", "在" + APP + "的「企业可信IP」中添加{ip}，保存约 1 分钟后生效")
RIGHTS = ("应用没有「客户联系」接口的权限", "在「客户联系 → 可调用接口的应用」中勾选本应用")
EXPLANATIONS: Mapping[int, tuple[str, str]] = {
    40001: ("Secret 不正确，或应用已停用", "在" + APP + "中复制 Secret，更新 WECOM_SECRET"),
    40013: ("企业 ID 不正确", "在「我的企业 → 企业信息」底部复制企业 ID，更新 WECOM_CORP_ID"),
    40091: ("Secret 属于另一家企业", "核对 WECOM_CORP_ID 与 WECOM_SECRET 来自同一家企业"),
    45009: ("调用次数已达企业微信的上限", "一小时后再试；不要反复用错误的 Secret 取令牌"),
    48001: RIGHTS,
    48002: RIGHTS,
    50003: ("应用已被停用", "在" + APP + "中重新启用"),
    60020: TRUST_IP,
    301042: TRUST_IP,
}


def clock(patient: Patient) -> Finding:
    """WeCom can be reached, and its clock agrees with ours: welcome messages have 20 seconds."""
    assert patient.probe is not None
    try:
        reading = patient.probe.read_clock()
    except WeComError as error:
        return fail(error.message, "检查本机网络、DNS、代理与 WECOM_API_BASE_URL")
    if reading is None:
        return warn("企业微信的回答里没有时间", "检查 WECOM_API_BASE_URL 是否指向企业微信或可信的代理")
    ahead_s = (reading.ours - reading.theirs).total_seconds()
    saw = f"本机时钟比企业微信{'快' if ahead_s > 0 else '慢'} {abs(ahead_s):.0f} 秒"
    if abs(ahead_s) > CLOCK_LIMIT_S:
        return warn(saw, "开启时间同步（如 timedatectl set-ntp true）")
    return fine(saw)


def token(patient: Patient) -> Finding:
    """Corp id and secret are right, and WeCom lets our address in."""
    return _asked(patient, _fetch_token)


def members(patient: Patient) -> Finding:
    """The app may use 客户联系, and sees somebody who has customers."""
    return _asked(patient, _count_members)


def tags(patient: Patient) -> Finding:
    return _asked(patient, _count_tags)


def customers(patient: Patient) -> Finding:
    return _asked(patient, _ask_for_nobody)


def circuit(patient: Patient) -> Finding:
    """The running system may have stopped asking for tokens after refusals."""
    if patient.status is None:
        return skip("缺少 SECRET_KEY")
    state = patient.status.token_state()
    if state.blocked_until is None or patient.clock.now() >= state.blocked_until:
        return fine("没有因取令牌失败而暂停")
    until = state.blocked_until.astimezone(ZoneInfo(patient.settings.time_zone))
    return warn(
        f"取令牌接连被拒，运行中的系统暂停到 {until:%H:%M}（{state.last_error or '原因未知'}）",
        "先解决「访问令牌」一项；换过 Secret 后立即恢复，否则到时自动恢复",
    )


def callback(patient: Patient) -> Finding:
    """The address that WeCom calls opens what each of our key pairs has sealed."""
    assert patient.probe is not None
    assert patient.wecom is not None
    url = patient.callback_url
    if url is None:
        return warn("没有设置 PUBLIC_BASE_URL，没有检查回调地址", "设置 PUBLIC_BASE_URL，或用 --url 指定回调地址")
    slowest = 0.0
    for number, key in enumerate(patient.wecom.callback_keys, start=1):
        reply = patient.probe.open_callback(url, key)
        slowest = max(slowest, reply.seconds)
        found = _judged(url.partition("?")[0], reply)
        if found is not None:
            return found if len(patient.wecom.callback_keys) == 1 else _of_pair(number, found)
    return fine(f"{url.partition('?')[0]} 正确解开了验证内容，用时 {slowest:.2f} 秒")


def _asked(patient: Patient, question: Callable[[WeComProbe], Finding]) -> Finding:
    assert patient.probe is not None
    try:
        return question(patient.probe)
    except WeComError as error:
        return explained(error)


def _fetch_token(probe: WeComProbe) -> Finding:
    probe.fetch_token()
    return fine("企业 ID 与 Secret 正确，取得了访问令牌")


def _count_members(probe: WeComProbe) -> Finding:
    count = probe.count_follow_users()
    if count == 0:
        return warn(
            "应用看不到任何有客户联系权限的成员",
            "在应用详情页扩大「可见范围」，并在「客户联系 → 权限配置」中加入成员",
        )
    return fine(f"可以读取成员：可见范围内有 {count} 名有客户联系权限的成员")


def _count_tags(probe: WeComProbe) -> Finding:
    return fine(f"可以读取企业标签库：{probe.count_corp_tags()} 个标签")


def _ask_for_nobody(probe: WeComProbe) -> Finding:
    probe.ask_for_nobody()
    return fine("可以读取客户")


def explained(error: WeComError) -> Finding:
    """Say what a refusal means, with our own address where that is what the admin must enter."""
    known = EXPLANATIONS.get(error.errcode) if error.errcode is not None else None
    if known is None:
        number = "" if error.errcode is None else f"（错误码 {error.errcode}）"
        return fail(f"{error.message}{number}", "按提示处理后再运行一次；仍不行请查企业微信的错误码说明")
    found = EGRESS_IP.search(str((error.details or {}).get("errmsg", "")))
    ip = f"{found[1]} " if found else ""
    saw, advice = known
    return fail(f"{saw.format(ip=ip)}（错误码 {error.errcode}）", advice.format(ip=f" {ip.strip()}" if ip else ""))


def _judged(url: str, reply: EchoReply) -> Finding | None:
    """Return what is wrong with an answer; None if nothing is."""
    if reply.problem is not None:
        return fail(
            f"{url} 没有应答：{reply.problem}",
            "确认 serve 正在运行，域名、反向代理与防火墙允许从公网访问这个地址",
        )
    if reply.status == 403:
        return fail(
            f"{url} 不认我们的签名（HTTP 403）",
            "确认运行中的进程与这里用同样的设置（改过设置要重启），代理没有改动查询参数",
        )
    if reply.status != 200:
        return fail(f"{url} 返回 HTTP {reply.status}", "企业微信不跟随跳转，只接受 200：检查反向代理是否指向本系统")
    if not reply.is_right:
        return fail(f"{url} 返回的不是验证内容的明文", "确认地址以 /wecom/callback 结尾，代理没有改写返回内容")
    if reply.seconds > ECHO_LIMIT_S:
        return fail(f"{url} 用了 {reply.seconds:.1f} 秒才应答", "企业微信只等 1 秒：检查网络与服务器负载")
    return None


def _of_pair(number: int, found: Finding) -> Finding:
    return Finding(found.state, f"第 {number} 组密钥：{found.saw}", found.advice)
