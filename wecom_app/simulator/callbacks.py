"""The sender of callbacks: encrypts events, posts them, tries again, and disturbs delivery if told to.

Stepped by hand (`step`) in tests, by a pool of threads in the running simulator.
"""

import heapq
import secrets
import threading
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from random import Random
from urllib.parse import urlencode

import requests

from wecom_app.clock import Clock
from wecom_app.simulator.cipher import CallbackCipher
from wecom_app.simulator.config import SimulatorConfig
from wecom_app.simulator.events import Event, envelope, to_xml
from wecom_app.simulator.faults import Faults

Post = Callable[[str, bytes, float], int]
"""(address with query, body, seconds to wait) → HTTP status; raises on a transport failure."""
Get = Callable[[str, float], tuple[int, bytes]]
"""(address with query, seconds to wait) → HTTP status and body."""

KEPT = 200_000
IDLE_WAIT_S = 0.2
"""Longest wait of an idle thread: the simulator's time can be moved without its knowing."""
VERIFY_TIMEOUT_S = 1.0
"""Tencent's page 90930: the echo must be answered within one second."""
OK = 200


@dataclass(slots=True)
class Delivery:
    """One event on its way; a duplicated event has several."""

    event: Event
    due_at: float
    emitted_at: str = ""
    tries: int = 0
    tried_at: str | None = None
    took_s: float | None = None
    """How long the last try waited for its answer, or until it was given up."""
    last_status: int | None = None
    """HTTP status of the last try; None if there was none or it ended without an answer."""
    delivered: bool = False
    lost: bool = False
    finished: bool = False

    def as_dict(self) -> dict[str, object]:
        """Return what the state shows of it."""
        return {
            "seq": self.event.seq,
            "event": self.event.event,
            "change_type": self.event.change_type,
            "emitted_at": self.emitted_at,
            "tries": self.tries,
            "tried_at": self.tried_at,
            "took_s": self.took_s,
            "last_status": self.last_status,
            "delivered": self.delivered,
            "lost": self.lost,
            "finished": self.finished,
            "plaintext": self.event.plaintext,
        }


class HttpPoster:
    """Posts with `requests`, one session a thread."""

    def __init__(self) -> None:
        self._local = threading.local()

    def post(self, url: str, body: bytes, timeout_s: float) -> int:
        """Post a callback and return the HTTP status."""
        headers = {"Content-Type": "text/xml"}
        answer = self._session().post(url, data=body, timeout=timeout_s, headers=headers, allow_redirects=False)
        return answer.status_code

    def get(self, url: str, timeout_s: float) -> tuple[int, bytes]:
        """Fetch the echo of a verification."""
        answer = self._session().get(url, timeout=timeout_s, allow_redirects=False)
        return answer.status_code, answer.content

    def _session(self) -> requests.Session:
        session = getattr(self._local, "session", None)
        if session is None:
            session = self._local.session = requests.Session()
            session.trust_env = False
        return session


class Callbacks:
    """The queue of events and their delivery."""

    def __init__(
        self,
        config: SimulatorConfig,
        clock: Clock,
        faults: Faults,
        post: Post | None = None,
        get: Get | None = None,
    ) -> None:
        poster = HttpPoster()
        self._config = config
        self._clock = clock
        self._faults = faults
        self._post = post or poster.post
        self._get = get or poster.get
        self.url = config.callback_url
        self._cipher = CallbackCipher(config.callback_token, config.callback_aes_key, config.corp_id)
        self._changed = threading.Condition()
        self._waiting: list[tuple[float, int, Delivery]] = []
        self._ready: deque[Delivery] = deque()
        self._count = 0
        self._seq = 0
        self._random = Random(config.seed)  # noqa: S311  repeatable, not secret
        self.records: deque[Delivery] = deque(maxlen=KEPT)
        self._threads: list[threading.Thread] = []
        self._stopping = False

    def emit(self, fields: Mapping[str, object], *, sender: str = "sys", agent_id: str = "") -> Event:
        """Queue an event for delivery, and return it."""
        settings = self._faults.settings.callbacks
        now = self._clock.now()
        with self._changed:
            self._seq += 1
            event = Event(
                self._seq,
                str(fields.get("Event") or fields.get("MsgType", "")),
                str(fields.get("ChangeType", "")),
                to_xml(self._config.corp_id, int(now.timestamp()), fields, sender),
                agent_id,
            )
            lost = self.url is None or self._random.random() < settings.loss
            for _ in range(1 if lost else max(1, settings.duplicates)):
                delivery = Delivery(event, self._clock.monotonic() + settings.delay_s, now.isoformat())
                delivery.lost = delivery.finished = lost
                self.records.append(delivery)
                if not lost:
                    self._queue(delivery)
            self._changed.notify_all()
        return event

    def repeat(self, seq: int) -> bool:
        """Deliver a past event once more, long after; False if it is not kept."""
        with self._changed:
            event = next((item.event for item in self.records if item.event.seq == seq), None)
            if event is None:
                return False
            delivery = Delivery(event, self._clock.monotonic(), self._clock.now().isoformat())
            self.records.append(delivery)
            self._queue(delivery)
            self._changed.notify_all()
        return True

    def step(self) -> bool:
        """Deliver the next event that is due; False if there is none."""
        with self._changed:
            delivery = self._take()
        if delivery is None:
            return False
        self._try(delivery)
        return True

    def run_until_idle(self) -> int:
        """Deliver everything that is due and return how many tries that took."""
        count = 0
        while self.step():
            count += 1
        return count

    def last(self, count: int) -> list[Delivery]:
        """Return the deliveries begun last, the newest first."""
        with self._changed:
            return list(islice(reversed(self.records), count))

    def about(self, subject: str, count: int) -> list[Delivery]:
        """Return the deliveries begun last of events that name a customer or a member, the oldest first."""
        named = f"<![CDATA[{subject}]]>"
        with self._changed:
            found = islice((item for item in reversed(self.records) if named in item.event.plaintext), count)
            return list(found)[::-1]

    def waiting(self) -> int:
        """Return how many deliveries are not finished."""
        with self._changed:
            return len(self._waiting) + len(self._ready)

    def verify(self, url: str | None = None) -> dict[str, object]:
        """Check a callback address as the admin console does when it is saved; keep it if it is good."""
        target = url or self.url
        if target is None:
            return {"ok": False, "errcode": 40057, "reason": "没有设置回调地址"}
        echo = str(secrets.randbelow(10**19))
        sealed = self._cipher.encrypt(echo)
        query = self._signed(sealed) | {"echostr": sealed}
        try:
            status, body = self._get(_with_query(target, query), VERIFY_TIMEOUT_S)
        except requests.RequestException as error:
            return {"ok": False, "errcode": 40057, "reason": type(error).__name__}
        if status != OK or body != echo.encode():
            return {"ok": False, "errcode": 40057, "status": status, "reason": "返回内容不是解密后的明文"}
        self.url = target
        return {"ok": True, "status": status}

    def start(self, threads: int) -> None:
        """Deliver by threads from now on."""
        for number in range(threads):
            thread = threading.Thread(target=self._loop, name=f"callback-{number}", daemon=True)
            self._threads.append(thread)
            thread.start()

    def stop(self) -> None:
        """Let the threads finish what they are posting and end."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
        for thread in self._threads:
            thread.join()
        self._threads.clear()

    def wake(self) -> None:
        """Look again at what is due: time was moved or the settings changed."""
        with self._changed:
            self._changed.notify_all()

    def reset(self) -> None:
        """Forget all events; those being posted end by themselves."""
        with self._changed:
            self._waiting.clear()
            self._ready.clear()
            self.records.clear()

    def _loop(self) -> None:
        while True:
            with self._changed:
                delivery = self._take()
                while delivery is None and not self._stopping:
                    self._changed.wait(IDLE_WAIT_S)
                    delivery = self._take()
                if delivery is None:
                    return
            self._try(delivery)

    def _queue(self, delivery: Delivery) -> None:
        self._count += 1
        heapq.heappush(self._waiting, (delivery.due_at, self._count, delivery))

    def _take(self) -> Delivery | None:
        settings = self._faults.settings.callbacks
        if settings.hold or self._stopping:
            return None
        now = self._clock.monotonic()
        while self._waiting and self._waiting[0][0] <= now:
            self._ready.append(heapq.heappop(self._waiting)[2])
        if not self._ready:
            return None
        if settings.reorder:
            self._ready.rotate(-self._random.randrange(len(self._ready)))
        return self._ready.popleft()

    def _try(self, delivery: Delivery) -> None:
        """Post once. Each try is encrypted and signed afresh; the plaintext stays."""
        delivery.tries += 1
        delivery.tried_at, started = self._clock.now().isoformat(), self._clock.monotonic()
        delivery.last_status = None
        sealed = self._cipher.encrypt(delivery.event.plaintext)
        body = envelope(self._config.corp_id, delivery.event.agent_id, sealed)
        address = _with_query(self.url or "", self._signed(sealed))
        try:
            with suppress(requests.RequestException, OSError):
                delivery.last_status = self._post(address, body, self._config.callback_timeout_s)
        finally:
            delivery.took_s = round(self._clock.monotonic() - started, 6)
            self._settle(delivery)

    def _settle(self, delivery: Delivery) -> None:
        delivery.delivered = delivery.last_status == OK
        delivery.finished = delivery.delivered or delivery.tries >= self._faults.settings.callbacks.retries
        if not delivery.finished:
            with self._changed:
                pause = self._config.callback_retry_s * 2 ** (delivery.tries - 1)
                delivery.due_at = self._clock.monotonic() + pause
                self._queue(delivery)

    def _signed(self, sealed: str) -> dict[str, str]:
        timestamp, nonce = str(int(self._clock.now().timestamp())), str(secrets.randbelow(10**10))
        signature = self._cipher.sign(timestamp, nonce, sealed)
        return {"msg_signature": signature, "timestamp": timestamp, "nonce": nonce}


def _with_query(url: str, query: dict[str, str]) -> str:
    return f"{url}{'&' if '?' in url else '?'}{urlencode(query)}"
