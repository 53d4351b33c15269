"""The `CallbackCipher`: proves that a callback is WeCom's (Tencent's page 90968) and opens it.

The signature is checked before anything is decrypted, and every failure is a CallbackRejected.
"""

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Sequence

from wechatpy.crypto.base import WeChatCipher

from wecom_app.adapters.wecom.envelope import MAX_BODY_BYTES, read_encrypted
from wecom_app.config import CallbackKey
from wecom_app.errors import CallbackRejected
from wecom_app.services.ports import CallbackQuery

AES_BLOCK = 16
PADDING_BLOCK = 32
"""WeCom pads as PKCS#7 to blocks of 32, so that up to 32 bytes of padding are right."""
RANDOM_LENGTH = 16
SIZE_LENGTH = 4
MAX_PARAMETER = 256
SIGNATURE = re.compile(r"[0-9a-f]{40}")


class Cipher:
    """Opens callbacks of one corp that were made with any of the given key pairs."""

    def __init__(self, corp_id: str, keys: Sequence[CallbackKey]) -> None:
        self._receiver = corp_id.encode()
        self._keys = tuple((key.token, WeChatCipher(key.aes_key)) for key in keys)

    def open_echo(self, query: CallbackQuery, echostr: str) -> str:
        """Return the text that proves the URL to WeCom."""
        if not isinstance(echostr, str) or len(echostr) > MAX_BODY_BYTES:
            raise CallbackRejected("echostr")
        return self._open(query, echostr)

    def open_message(self, query: CallbackQuery, body: bytes) -> str:
        """Return the decrypted message of an XML or JSON envelope."""
        return self._open(query, read_encrypted(body))

    def _open(self, query: CallbackQuery, encrypted: str) -> str:
        given = _given_signature(query)
        reason = "signature"
        for token, cipher in self._keys:
            if not hmac.compare_digest(given, _sign(token, query.timestamp, query.nonce, encrypted)):
                continue
            try:
                return _message(_decrypt(cipher, encrypted), self._receiver)
            except CallbackRejected as error:
                reason = error.reason  # another pair may have the same token and the right key
        raise CallbackRejected(reason)


def _given_signature(query: CallbackQuery) -> bytes:
    values = (query.msg_signature, query.timestamp, query.nonce)
    if not all(isinstance(value, str) and len(value) <= MAX_PARAMETER for value in values):
        raise CallbackRejected("query")
    if SIGNATURE.fullmatch(query.msg_signature) is None:
        raise CallbackRejected("signature")
    return query.msg_signature.encode()


def _sign(token: str, timestamp: str, nonce: str, encrypted: str) -> bytes:
    joined = "".join(sorted((token, timestamp, nonce, encrypted)))
    try:
        return hashlib.sha1(joined.encode()).hexdigest().encode()  # noqa: S324  WeCom's protocol demands SHA-1
    except UnicodeEncodeError:
        raise CallbackRejected("encoding") from None


def _decrypt(cipher: WeChatCipher, encrypted: str) -> bytes:
    try:
        sealed = base64.b64decode(encrypted, validate=True)
    except (binascii.Error, ValueError):
        raise CallbackRejected("base64") from None
    if not sealed or len(sealed) % AES_BLOCK:
        raise CallbackRejected("block")
    plain: bytes = cipher.decrypt(sealed)
    return _unpadded(plain)


def _unpadded(plain: bytes) -> bytes:
    size = plain[-1]
    if not 1 <= size <= min(PADDING_BLOCK, len(plain)):
        raise CallbackRejected("padding")
    if not hmac.compare_digest(plain[-size:], bytes([size]) * size):
        raise CallbackRejected("padding")
    return plain[:-size]


def _message(plain: bytes, receiver: bytes) -> str:
    start = RANDOM_LENGTH + SIZE_LENGTH
    end = start + int.from_bytes(plain[RANDOM_LENGTH:start], "big")
    if end > len(plain):  # also where there is no length field
        raise CallbackRejected("length")
    if not hmac.compare_digest(plain[end:], receiver):
        raise CallbackRejected("receiveid")
    try:
        return plain[start:end].decode()
    except UnicodeDecodeError:
        raise CallbackRejected("utf8") from None
