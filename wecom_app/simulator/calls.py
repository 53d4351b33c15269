"""The log of API calls, for assertions in tests, for the load run's report and for the page."""

import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from typing import Any, overload

from wecom_app.simulator.errcodes import Json


@dataclass(frozen=True, slots=True)
class CallRecord:
    """One API call as WeCom saw it."""

    seq: int
    at: str
    api: str
    userid: str | None
    external_userid: str | None
    errcode: int | None
    """None if the caller never got the answer."""
    request: Json
    duration_s: float
    fault: str | None = None
    """The kind of the fault that was at work."""
    agent_id: int | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return the record as JSON."""
        return asdict(self)


class CallLog(Sequence[CallRecord]):
    """The last calls in the order in which they ended; older ones are dropped."""

    def __init__(self, kept: int) -> None:
        self._lock = threading.Lock()
        self._records: deque[CallRecord] = deque(maxlen=kept)
        self._last_seq = 0

    def append(
        self,
        *,
        at: str,
        api: str,
        request: Json,
        errcode: int | None,
        duration_s: float,
        fault: str | None,
        agent_id: int | None,
    ) -> None:
        """Write a call down."""
        userid, external_userid = request.get("userid"), request.get("external_userid")
        with self._lock:
            self._last_seq += 1
            self._records.append(
                CallRecord(
                    self._last_seq,
                    at,
                    api,
                    userid if isinstance(userid, str) else None,
                    external_userid if isinstance(external_userid, str) else None,
                    errcode,
                    request,
                    duration_s,
                    fault,
                    agent_id,
                )
            )

    def since(self, seq: int, limit: int = 1000) -> tuple[list[CallRecord], int]:
        """Return the calls after number `seq`, and the number to ask from next."""
        with self._lock:
            skipped = max(0, seq - (self._last_seq - len(self._records)))
            items = list(islice(self._records, skipped, skipped + limit))
            return items, items[-1].seq if items else max(seq, 0)

    def about(self, is_meant: Callable[[CallRecord], bool], count: int) -> list[CallRecord]:
        """Return the last calls that are meant, the newest at the end."""
        with self._lock:
            records = list(self._records)
        return list(islice(filter(is_meant, reversed(records)), count))[::-1]

    def of(self, api: str) -> list[CallRecord]:
        """Return the calls of one API."""
        return [record for record in self if record.api == api]

    def last(self, count: int) -> list[CallRecord]:
        """Return the last calls, the newest at the end."""
        with self._lock:
            skipped = max(0, len(self._records) - count)
            return list(islice(self._records, skipped, None))

    def clear(self) -> None:
        """Forget all calls; the numbers go on."""
        with self._lock:
            self._records.clear()

    def __len__(self) -> int:
        return len(self._records)

    def __iter__(self) -> Iterator[CallRecord]:
        with self._lock:
            return iter(list(self._records))

    @overload
    def __getitem__(self, index: int) -> CallRecord: ...
    @overload
    def __getitem__(self, index: slice) -> list[CallRecord]: ...
    def __getitem__(self, index: int | slice) -> CallRecord | list[CallRecord]:
        with self._lock:
            return list(self._records)[index] if isinstance(index, slice) else self._records[index]
