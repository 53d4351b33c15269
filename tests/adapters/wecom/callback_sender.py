"""WeCom's side of the callback cipher, written from Tencent's page 90968 without any of our code."""

import base64
import hashlib
from dataclasses import dataclass

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from wecom_app.config import CallbackKey
from wecom_app.services.ports import CallbackQuery

CORP_ID = "ww0123456789abcdef"
TIMESTAMP, NONCE = "1409659813", "1372623149"


@dataclass(frozen=True)
class Sender:
    """Seals messages for one receiver; the parts of the padding can be spoilt."""

    token: str = "SenderToken"
    key: bytes = bytes(range(32))
    receiver: str = CORP_ID

    @property
    def callback_key(self) -> CallbackKey:
        return CallbackKey(self.token, self.key)

    def padded(self, message: bytes, *, length: int | None = None) -> bytes:
        size = len(message) if length is None else length
        plain = b"R" * 16 + size.to_bytes(4, "big") + message + self.receiver.encode()
        padding = 32 - len(plain) % 32
        return plain + bytes([padding]) * padding

    def seal(self, padded: bytes) -> str:
        encryptor = Cipher(algorithms.AES(self.key), modes.CBC(self.key[:16])).encryptor()
        return base64.b64encode(encryptor.update(padded) + encryptor.finalize()).decode()

    def sealed(self, message: str) -> str:
        return self.seal(self.padded(message.encode()))

    def sign(self, encrypted: str, timestamp: str = TIMESTAMP, nonce: str = NONCE) -> CallbackQuery:
        joined = "".join(sorted((self.token, timestamp, nonce, encrypted)))
        return CallbackQuery(hashlib.sha1(joined.encode()).hexdigest(), timestamp, nonce)


def envelope(encrypted: str) -> bytes:
    text = (
        f"<xml><ToUserName><![CDATA[{CORP_ID}]]></ToUserName><AgentID><![CDATA[218]]></AgentID>"
        f"<Encrypt><![CDATA[{encrypted}]]></Encrypt></xml>"
    )
    return text.encode()
