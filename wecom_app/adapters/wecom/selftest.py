"""The `WeComProbe` of `wecom-app doctor`: plain calls, and a verification of our own callback address.

It seals the verification by itself: a mistake in the cipher that opens callbacks must not hide here too.
"""

import base64
import hashlib
import secrets
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any

import requests
from cryptography.hazmat.primitives import padding
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from wecom_app.adapters.wecom import apis
from wecom_app.adapters.wecom.answers import Reader
from wecom_app.adapters.wecom.apis import Api
from wecom_app.adapters.wecom.call_log import CallLog
from wecom_app.adapters.wecom.ticket_calls import TICKET_APIS
from wecom_app.adapters.wecom.transport import CONNECT_S, READ_S, Deadline, build_session
from wecom_app.adapters.wecom.wire import Json, Request, Wire
from wecom_app.clock import Clock
from wecom_app.config import CallbackKey, WeComSettings
from wecom_app.errors import WeComGone, WeComRejected, WeComUnavailable
from wecom_app.services.checkup import ClockReading, EchoReply
from wecom_app.services.ports import TicketKind

CLOCK_PATH = "getcallbackip"
"""Asked without a token: refused (41001), with a Date header, and counted against nothing."""
NOBODY = "wm-nobody-asked-by-doctor"
CALL_S = 15.0
ECHO_S = 5.0
"""Longer than the second that WeCom waits, to tell a slow address from a dead one."""
ECHO_DIGITS = 19
BLOCK_BITS = 256
"""WeCom pads as PKCS#7 to blocks of 32 bytes."""
READ_BYTES = 4096


class DirectProbe:
    """Asks with the app's own credentials, once each."""

    def __init__(
        self, settings: WeComSettings, clock: Clock, log: CallLog, *, session: requests.Session | None = None
    ) -> None:
        self._settings, self._clock = settings, clock
        self._session = session or build_session(settings.api_base_url)
        self._wire = Wire(self._session, settings.api_base_url, log)
        self._token = ""

    def read_clock(self) -> ClockReading | None:
        before = self._clock.now()
        url = f"{self._settings.api_base_url}/cgi-bin/{CLOCK_PATH}"
        try:
            answer = self._session.get(url, timeout=(CONNECT_S, READ_S), allow_redirects=False)
        except (requests.RequestException, OSError) as error:
            raise WeComUnavailable(f"连不上企业微信（{_reason(error)}）", api=CLOCK_PATH) from None
        theirs = _date(answer.headers.get("Date"))
        return None if theirs is None else ClockReading(theirs, before + (self._clock.now() - before) / 2)

    def fetch_token(self) -> None:
        credentials = {"corpid": self._settings.corp_id, "corpsecret": self._settings.secret}
        answer = self._exchange(apis.TOKEN, Request("get", credentials))
        self._token = Reader(apis.TOKEN.path, answer).text("access_token")

    def count_follow_users(self) -> int:
        answer = self._exchange(apis.FOLLOW_USERS, self._request("get"))
        return len(Reader(apis.FOLLOW_USERS.path, answer).texts("follow_user"))

    def count_corp_tags(self) -> int:
        answer = self._exchange(apis.TAGS, self._request("post", body=b"{}"))
        groups = Reader(apis.TAGS.path, answer).children("tag_group")
        return sum(len(list(group.children("tag"))) for group in groups)

    def ask_for_nobody(self) -> None:
        try:
            self._exchange(apis.CONTACT, self._request("get", external_userid=NOBODY))
        except (WeComGone, WeComRejected):
            return  # refused for the customer's sake, so that we had the right to ask

    def fetch_sdk_ticket(self, kind: TicketKind) -> str:
        found = TICKET_APIS[kind]
        answer = self._exchange(found.api, Request("get", {**found.params, "access_token": self._token}))
        return Reader(found.api.path, answer).text("ticket")

    def open_callback(self, url: str, key: CallbackKey) -> EchoReply:
        text = "".join(secrets.choice("0123456789") for _ in range(ECHO_DIGITS))
        started = self._clock.monotonic()
        try:
            with self._session.get(
                url,
                params=self._verification(text, key),
                timeout=(CONNECT_S, ECHO_S),
                allow_redirects=False,
                stream=True,
            ) as answer:
                body = next(answer.iter_content(READ_BYTES), b"")
        except (requests.RequestException, OSError) as error:
            return EchoReply(problem=_reason(error))
        seconds = self._clock.monotonic() - started
        return EchoReply(answer.status_code, body == text.encode(), seconds)

    def _exchange(self, api: Api, request: Request) -> Json:
        return self._wire.exchange(api, request, Deadline(self._clock, CALL_S))

    def _request(self, method: str, *, body: bytes | None = None, **params: Any) -> Request:
        return Request(method, {**params, "access_token": self._token}, body)

    def _verification(self, text: str, key: CallbackKey) -> dict[str, str]:
        """Return the query with which WeCom verifies an address (Tencent's page 90930)."""
        sealed = _seal(text.encode(), key.aes_key, self._settings.corp_id.encode())
        timestamp, nonce = str(int(self._clock.now().timestamp())), secrets.token_hex(8)
        joined = "".join(sorted((key.token, timestamp, nonce, sealed)))
        signature = hashlib.sha1(joined.encode()).hexdigest()  # noqa: S324  WeCom's protocol demands SHA-1
        return {"msg_signature": signature, "timestamp": timestamp, "nonce": nonce, "echostr": sealed}


def _seal(message: bytes, key: bytes, receiver: bytes) -> str:
    """Encrypt as Tencent's page 90968 says: 16 random bytes, length, message, receiver."""
    padder = padding.PKCS7(BLOCK_BITS).padder()
    plain = secrets.token_bytes(16) + len(message).to_bytes(4, "big") + message + receiver
    encryptor = Cipher(algorithms.AES(key), modes.CBC(key[:16])).encryptor()
    padded = padder.update(plain) + padder.finalize()
    return base64.b64encode(encryptor.update(padded) + encryptor.finalize()).decode()


def _date(header: str | None) -> datetime | None:
    try:
        moment = parsedate_to_datetime(header or "")
    except ValueError:
        return None
    return moment if moment.tzinfo is not None else None


def _reason(error: Exception) -> str:
    """Say why there was no answer; the error's own text holds the URL."""
    if isinstance(error, requests.exceptions.SSLError):
        return "TLS 证书或握手失败"
    if isinstance(error, requests.Timeout):
        return "超时"
    return "连接失败" if isinstance(error, requests.ConnectionError) else type(error).__name__
