"""Signatures for WeCom's JS-SDK, for the addresses of our own pages only; called by the sidebar and `/diag`."""

import secrets
from dataclasses import dataclass
from urllib.parse import urlsplit

from wecom_app.config import Settings
from wecom_app.domain.links import is_loopback, origin_of
from wecom_app.domain.sdk_signature import sign
from wecom_app.errors import InvalidInput
from wecom_app.services.ports import TicketKind
from wecom_app.services.runtime import Runtime

LONGEST_URL = 2048


@dataclass(frozen=True)
class SdkSignature:
    """What `ww.register` asks for; good for this very address (without `#…`) as long as the ticket lives."""

    corp_id: str
    agent_id: int
    timestamp: int
    nonce: str
    signature: str


def sign_page(runtime: Runtime, kind: TicketKind, url: str) -> SdkSignature:
    """Sign the address of a page of ours; raise InvalidInput for any other, and the WeComError family.

    May fetch a ticket from WeCom, once in two hours.
    """
    if len(url) > LONGEST_URL or not is_ours(runtime.settings, url):
        raise InvalidInput("只能为本系统自己的页面签名：请检查 PUBLIC_BASE_URL 是否与访问的域名一致")
    wecom = runtime.settings.require_wecom()
    timestamp, nonce = int(runtime.clock.now().timestamp()), secrets.token_hex(8)
    signature = sign(runtime.wecom.sdk_ticket(kind), nonce, timestamp, url)
    return SdkSignature(wecom.corp_id, wecom.agent_id, timestamp, nonce, signature)


def is_ours(settings: Settings, url: str) -> bool:
    """Tell whether an address is below PUBLIC_BASE_URL; where that is not set, below this machine's own."""
    origin = origin_of(url)
    if origin is None:
        return False
    if settings.public_base_url is not None:
        return origin == origin_of(settings.public_base_url)
    return origin.startswith("http:") and is_loopback(urlsplit(origin).hostname or "")
