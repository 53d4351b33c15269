"""The cipher of WeCom's callbacks (Tencent's page 90968), from the sending side.

AES-256-CBC with the key's first 16 bytes as IV over: 16 random bytes, the message's length as four
big-endian bytes, the message, the receiver's id; padded as PKCS#7 to blocks of 32 bytes.
"""

import base64
import hashlib
import os
import struct

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

BLOCK = 32
KEY_LENGTH = 43
RANDOM_LENGTH = 16


class CallbackCipher:
    """Encrypts and signs what is posted to one receiver."""

    def __init__(self, token: str, encoding_aes_key: str, receive_id: str) -> None:
        if len(encoding_aes_key) != KEY_LENGTH:
            raise ValueError("EncodingAESKey has 43 characters")
        self._token = token
        self._key = base64.b64decode(encoding_aes_key + "=")
        self._receive_id = receive_id.encode()

    def encrypt(self, message: str) -> str:
        """Return the base64 text of the `Encrypt` element; no two calls give the same."""
        body = message.encode()
        plain = os.urandom(RANDOM_LENGTH) + struct.pack(">I", len(body)) + body + self._receive_id
        pad = BLOCK - len(plain) % BLOCK
        encryptor = self._cipher().encryptor()
        sealed = encryptor.update(plain + bytes([pad]) * pad) + encryptor.finalize()
        return base64.b64encode(sealed).decode()

    def decrypt(self, sealed: str) -> str:
        """Return the message inside an `Encrypt` text, for passive replies and for the tests."""
        decryptor = self._cipher().decryptor()
        padded = decryptor.update(base64.b64decode(sealed)) + decryptor.finalize()
        plain = padded[: -padded[-1]]
        (length,) = struct.unpack(">I", plain[RANDOM_LENGTH : RANDOM_LENGTH + 4])
        start = RANDOM_LENGTH + 4
        if plain[start + length :] != self._receive_id:
            raise ValueError("the message is for another receiver")
        return plain[start : start + length].decode()

    def sign(self, timestamp: str, nonce: str, sealed: str) -> str:
        """Return `msg_signature`: SHA-1 over the four values in sorted order."""
        joined = "".join(sorted((self._token, timestamp, nonce, sealed)))
        return hashlib.sha1(joined.encode()).hexdigest()  # noqa: S324  WeCom's protocol demands SHA-1

    def _cipher(self) -> Cipher[modes.CBC]:
        return Cipher(algorithms.AES(self._key), modes.CBC(self._key[:16]))
