"""The signature that lets a page use WeCom's JS-SDK (Tencent's page 96909); called by `services.sdk`."""

import hashlib


def sign(ticket: str, nonce: str, timestamp: int, url: str) -> str:
    """Return the SHA-1 over ticket, nonce, time and the page's address up to its `#`, in this order, as hex."""
    text = f"jsapi_ticket={ticket}&noncestr={nonce}&timestamp={timestamp}&url={url.partition('#')[0]}"
    return hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()
