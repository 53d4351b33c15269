"""Encrypts stored tokens and names credentials without showing them, under keys made of SECRET_KEY."""

import base64
import hashlib
import hmac

from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

KEY_LENGTH = 32
SALT = b"wecom-app"
FINGERPRINT_LENGTH = 24


class Seal:
    """One key for encryption and one for fingerprints, derived so that neither tells the other."""

    def __init__(self, secret_key: str) -> None:
        self._fernet = Fernet(base64.urlsafe_b64encode(_derive(secret_key, b"token encryption")))
        self._fingerprint_key = _derive(secret_key, b"credential fingerprint")

    def close(self, text: str) -> str:
        """Return the encrypted text."""
        return self._fernet.encrypt(text.encode()).decode()

    def open(self, sealed: str) -> str | None:
        """Return the text; None if another SECRET_KEY sealed it."""
        try:
            return self._fernet.decrypt(sealed).decode()
        except InvalidToken:
            return None

    def fingerprint(self, *parts: str) -> str:
        """Return a short name for credentials that changes with any of them."""
        joined = "\0".join(parts).encode()
        return hmac.new(self._fingerprint_key, joined, hashlib.sha256).hexdigest()[:FINGERPRINT_LENGTH]


def _derive(secret_key: str, purpose: bytes) -> bytes:
    # HKDF keeps each use of SECRET_KEY apart; it does not slow guessing, so SECRET_KEY must be random.
    return HKDF(algorithm=hashes.SHA256(), length=KEY_LENGTH, salt=SALT, info=purpose).derive(secret_key.encode())
