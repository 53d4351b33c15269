"""WeCom's side of the callback protocol, written from its description with `cryptography` alone.

The cipher and the envelopes are here; `post` and `deliver` carry them to a company's application.
"""

import base64
import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from werkzeug.test import TestResponse

from tests.flows.company import Company

PATH = "/wecom/callback"
TIMESTAMP, NONCE = "1700000000", "263014780"


@dataclass(frozen=True)
class Sender:
    """Seals and signs for one receiver."""

    token: str
    encoding_aes_key: str
    receiver: str

    @property
    def key(self) -> bytes:
        return base64.b64decode(self.encoding_aes_key + "=")

    def padded(self, message: bytes, *, length: int | None = None, receiver: str | None = None) -> bytes:
        """Return the plaintext block; length and receiver can be told falsely."""
        size = len(message) if length is None else length
        tail = (self.receiver if receiver is None else receiver).encode()
        plain = b"0123456789abcdef" + size.to_bytes(4, "big") + message + tail
        pad = 32 - len(plain) % 32
        return plain + bytes([pad]) * pad

    def encrypt(self, padded: bytes) -> str:
        encryptor = Cipher(algorithms.AES(self.key), modes.CBC(self.key[:16])).encryptor()
        return base64.b64encode(encryptor.update(padded) + encryptor.finalize()).decode()

    def seal(self, message: str) -> str:
        return self.encrypt(self.padded(message.encode()))

    def query(self, sealed: str, timestamp: str = TIMESTAMP, nonce: str = NONCE) -> dict[str, Any]:
        """Return the signed query parameters."""
        joined = "".join(sorted([self.token, timestamp, nonce, sealed]))
        signature = hashlib.sha1(joined.encode()).hexdigest()
        return {"msg_signature": signature, "timestamp": timestamp, "nonce": nonce}


def as_xml(sealed: str) -> bytes:
    """Return the envelope as Tencent's page shows it."""
    return (
        "<xml><ToUserName><![CDATA[ww1]]></ToUserName><AgentID><![CDATA[218]]></AgentID>"
        f"<Encrypt><![CDATA[{sealed}]]></Encrypt></xml>"
    ).encode()


def as_plain_xml(sealed: str) -> bytes:
    return f"<xml><Encrypt>{sealed}</Encrypt><ToUserName>ww1</ToUserName><AgentID>218</AgentID></xml>".encode()


def as_spaced_xml(sealed: str) -> bytes:
    return (
        '\ufeff<?xml version="1.0" encoding="UTF-8"?>\r\n<xml>\r\n  <AgentID></AgentID>\r\n'
        f"  <Encrypt>\n    {sealed}\n  </Encrypt>\r\n  <ToUserName>ww1</ToUserName>\r\n</xml>\r\n"
    ).encode()


def as_bare_xml(sealed: str) -> bytes:
    return f"<xml><Encrypt><![CDATA[{sealed}]]></Encrypt></xml>".encode()


def as_json(sealed: str) -> bytes:
    return json.dumps({"ToUserName": "ww1", "Encrypt": sealed, "AgentID": 218}).encode()


def as_small_json(sealed: str) -> bytes:
    return json.dumps({"agentid": "218", "encrypt": sealed, "tousername": "ww1"}, indent=2).encode()


ENVELOPES: list[Callable[[str], bytes]] = [as_xml, as_plain_xml, as_spaced_xml, as_bare_xml, as_json, as_small_json]


def event_xml(**fields: str) -> str:
    """Return a plaintext message with the given elements."""
    inner = "".join(f"<{name}><![CDATA[{value}]]></{name}>" for name, value in fields.items())
    return f"<xml>{inner}</xml>"


SAMPLE = Sender("QDG6eK", "jWmYm7qr5nMoAUwZRjGtBxmz3KA1tkAj3ykkR6q2B2C", "wx5823bf96d3bd56c7")
"""The receiver of Tencent's published sample messages."""
ROTATED = Sender("NewToken", "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG", SAMPLE.receiver)
SAME_TOKEN = Sender("QDG6eK", "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefg", SAMPLE.receiver)
MESSAGE = event_xml(MsgType="event", Event="brand_new", ChangeType="whatever", CreateTime="1700000000")


def post(company: Company, query: Any, body: bytes) -> TestResponse:
    return company.client.post(PATH, query_string=query, data=body)


def deliver(company: Company, sender: Sender, message: str | bytes) -> TestResponse:
    """Post a message sealed and signed properly; bytes are sealed as they are."""
    plain = message.encode() if isinstance(message, str) else message
    sealed = sender.encrypt(sender.padded(plain))
    return post(company, sender.query(sealed), as_xml(sealed))
