"""Checks of what the sidebar needs: a domain that can be trusted, the JS-SDK's tickets, and a signature."""

from urllib.parse import urlsplit

from wecom_app.domain.links import is_loopback, origin_of
from wecom_app.domain.sdk_signature import sign
from wecom_app.errors import WeComError
from wecom_app.services.checkup import Finding, Patient, fail, fine, warn
from wecom_app.services.checkup_wecom import explained
from wecom_app.services.ports import TicketKind

PLACE = "企业微信管理后台「应用 → 网页授权及 JS-SDK」"
SIDEBAR = "/sidebar"
TICKET_WORDS = {TicketKind.AGENT: "应用票据", TicketKind.CORP: "企业票据"}


def domain(patient: Patient) -> Finding:
    """PUBLIC_BASE_URL is a domain that WeCom can be told to trust; whether it was told, no API says."""
    base = patient.settings.public_base_url
    if base is None:
        return warn(
            "没有设置 PUBLIC_BASE_URL，侧边栏与登录不能使用", "设为成员访问本系统的地址，如 https://tags.example.com"
        )
    parts = urlsplit(base)
    if is_loopback(parts.hostname or "") or (parts.hostname or "").replace(".", "").isdecimal():
        return warn(f"{base} 不是域名，只能在本机演示", "上线时换成已备案的域名")
    if parts.scheme != "https":
        return fail(f"{base} 不是 https，企业微信不会在其中登录", "给域名配上证书，PUBLIC_BASE_URL 改为 https://…")
    return fine(f"{parts.netloc}；{PLACE}的可信域名要与它一字不差（含端口），聊天工具栏的页面是 {base}{SIDEBAR}")


def signature(patient: Patient) -> Finding:
    """Both tickets can be had, and a page can be signed with each."""
    assert patient.probe is not None
    url = f"{origin_of(patient.settings.public_base_url or '') or 'http://127.0.0.1:8000'}{SIDEBAR}"
    for kind, words in TICKET_WORDS.items():
        try:
            ticket = patient.probe.fetch_sdk_ticket(kind)
        except WeComError as error:
            found = explained(error)
            return Finding(found.state, f"{words}：{found.saw}", found.advice)
        sign(ticket, "doctor", int(patient.clock.now().timestamp()), url)
    return fine(f"取得了{'与'.join(TICKET_WORDS.values())}，可以为 {url} 签名")
