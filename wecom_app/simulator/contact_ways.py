"""The live codes (contact ways, 联系我) that apps have made."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice


@dataclass(slots=True)
class ContactWay:
    """One code: scanning it adds one of its members."""

    config_id: str
    type: int
    scene: int
    created: int
    made_by: str
    """The agentid of the app that made it."""
    style: int = 1
    remark: str = ""
    skip_verify: bool = True
    state: str = ""
    user: list[str] = field(default_factory=list)
    party: list[int] = field(default_factory=list)
    is_temp: bool = False
    expires_in: int = 0
    chat_expires_in: int = 0
    unionid: str = ""
    is_exclusive: bool = False
    conclusions: dict[str, object] | None = None
    qr_code: str = ""
    scans: int = 0
    """How often it was scanned; a code of several members hands them out in turn."""

    def is_expired(self, now: int) -> bool:
        """Whether a temporary code has run out."""
        return self.is_temp and now >= self.created + self.expires_in


class ContactWays:
    """All codes; call it under the world's lock."""

    def __init__(self) -> None:
        self._ways: dict[str, ContactWay] = {}

    def __iter__(self) -> Iterator[ContactWay]:
        return iter(self._ways.values())

    def __len__(self) -> int:
        return len(self._ways)

    def find(self, config_id: str) -> ContactWay | None:
        """Return the code or None."""
        return self._ways.get(config_id)

    def latest(self, count: int, *, skip: int = 0) -> list[ContactWay]:
        """Return the codes made last, the newest first, after `skip` of them."""
        return list(islice(reversed(self._ways.values()), skip, skip + count))

    def find_by(self, *, state: str | None = None, qr_code: str | None = None) -> ContactWay | None:
        """Return the newest code with that state or picture address."""
        for way in reversed(self._ways.values()):
            if (state and way.state == state) or (qr_code and way.qr_code == qr_code):
                return way
        return None

    def add(self, way: ContactWay) -> ContactWay:
        """Take a new code in."""
        self._ways[way.config_id] = way
        return way

    def remove(self, config_id: str) -> None:
        """Delete a code; its picture adds nobody from now on."""
        self._ways.pop(config_id, None)
