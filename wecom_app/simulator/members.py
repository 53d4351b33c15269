"""The corp's members and departments."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

ROOT_DEPARTMENT = 1

ACTIVE, DISABLED, NOT_ACTIVATED, LEFT = 1, 2, 4, 5
"""The values of a member's `status` in user/get."""


@dataclass(slots=True)
class Department:
    """A node of the corp's tree."""

    id: int
    name: str
    parentid: int = 0
    order: int = 100_000_000
    leaders: list[str] = field(default_factory=list)
    """Userids of those who lead it."""


@dataclass(slots=True)
class Member:
    """A person who works for the corp."""

    userid: str
    name: str
    department: list[int] = field(default_factory=lambda: [ROOT_DEPARTMENT])
    status: int = ACTIVE
    position: str = ""
    alias: str = ""
    customer_contact: bool = True
    """Whether the member has the 客户联系 feature."""
    verified: bool = True
    """Whether the member's real name has been verified."""
    licensed: bool = True
    """Whether the member has an interop licence."""
    customer_limit: int | None = None


def key_of(userid: str) -> str:
    """Return the form by which members are compared: WeCom ignores case in a userid."""
    return userid.lower()


class Members:
    """All members and departments; call it under the world's lock."""

    def __init__(self) -> None:
        self._members: dict[str, Member] = {}
        self.departments: dict[int, Department] = {ROOT_DEPARTMENT: Department(ROOT_DEPARTMENT, "示例公司")}

    def __iter__(self) -> Iterator[Member]:
        return iter(self._members.values())

    def __len__(self) -> int:
        return len(self._members)

    def find(self, userid: str) -> Member | None:
        """Return the member, whatever the case of the letters, or None."""
        return self._members.get(key_of(userid))

    def add(self, member: Member) -> Member:
        """Take a new member in, or put one in the place of another with that userid."""
        self._members[key_of(member.userid)] = member
        return member

    def remove(self, userid: str) -> Member | None:
        """Forget a member."""
        return self._members.pop(key_of(userid), None)

    def rename(self, member: Member, new_userid: str) -> None:
        """Give a member another userid."""
        self._members.pop(key_of(member.userid), None)
        member.userid = new_userid
        self.add(member)

    def with_descendants(self, department_id: int) -> list[int]:
        """Return the department and all below it."""
        found = [department_id]
        for parent in found:
            found.extend(item.id for item in self.departments.values() if item.parentid == parent)
        return found

    def inside(self, departments: Iterable[int]) -> list[Member]:
        """Return the members of these departments and of those below them."""
        wanted = {child for item in departments for child in self.with_descendants(item)}
        return [member for member in self if wanted.intersection(member.department)]
