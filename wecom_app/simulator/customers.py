"""The corp's customers (external contacts) and their relations with members."""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice

from wecom_app.simulator.members import key_of

RECENT = 24
WECHAT, WECOM = 1, 2
"""The values of an external contact's `type`."""


@dataclass(slots=True)
class Customer:
    """A person outside the corp: a WeChat user, or a WeCom user of another corp."""

    external_userid: str
    name: str
    type: int = WECHAT
    gender: int = 0
    avatar: str = ""
    unionid: str | None = None
    position: str | None = None
    corp_name: str | None = None
    corp_full_name: str | None = None


@dataclass(slots=True)
class Relation:
    """What WeCom keeps about one customer for one member (a `follow_user`)."""

    userid: str
    external_userid: str
    createtime: int
    add_way: int = 0
    state: str | None = None
    remark: str = ""
    description: str = ""
    remark_company: str = ""
    remark_mobiles: list[str] = field(default_factory=list)
    oper_userid: str = ""
    tags: dict[str, None] = field(default_factory=dict)
    """Ids of the corp's tags in the order of marking; a tag since deleted may still stand here."""
    personal_tags: dict[tuple[str, str], None] = field(default_factory=dict)
    """The member's own tags as (group, name); the API shows them without an id."""
    pending: bool = False
    """The customer has added the member, who has not confirmed yet: reads answer 84061."""
    chatting: bool = False
    deleted_by: str | None = None
    """Who ended it: customer, staff, transfer or resigned; None while it lasts."""

    @property
    def is_listed(self) -> bool:
        """Whether list, get and batch/get_by_user show it."""
        return self.deleted_by is None and not self.pending

    @property
    def is_writable(self) -> bool:
        """Whether mark_tag and remark take it.

        A customer who deleted the member stays in that member's address book, so writing still works.
        """
        return self.deleted_by in (None, "customer") and not self.pending


class Customers:
    """All customers and relations; call it under the world's lock."""

    def __init__(self) -> None:
        self._customers: dict[str, Customer] = {}
        self._of_customer: dict[str, dict[str, Relation]] = {}
        self._of_member: dict[str, dict[str, Relation]] = {}
        self.recent: deque[Relation] = deque(maxlen=RECENT)
        """The relations made last, the newest at the end."""

    def __iter__(self) -> Iterator[Customer]:
        return iter(self._customers.values())

    def __len__(self) -> int:
        return len(self._customers)

    def find(self, external_userid: str) -> Customer | None:
        """Return the customer or None."""
        return self._customers.get(external_userid)

    def add(self, customer: Customer) -> Customer:
        """Take a new customer in."""
        self._customers[customer.external_userid] = customer
        return customer

    def relation(self, userid: str, external_userid: str) -> Relation | None:
        """Return the relation, ended or not, or None."""
        return self._of_customer.get(external_userid, {}).get(key_of(userid))

    def connect(self, relation: Relation) -> Relation:
        """Put a relation in, in the place of an earlier one of the same two."""
        key = key_of(relation.userid)
        self._of_customer.setdefault(relation.external_userid, {})[key] = relation
        self._of_member.setdefault(key, {})[relation.external_userid] = relation
        self.recent.append(relation)
        return relation

    def latest(self, count: int, *, skip: int = 0, named: str = "") -> list[Customer]:
        """Return the customers made last, the newest first, after `skip` of them; `named` is a part of the name."""
        found = (customer for customer in reversed(self._customers.values()) if named in customer.name)
        return list(islice(found, skip, skip + count))

    def count(self, named: str = "") -> int:
        """Return how many customers there are whose name contains this."""
        return sum(named in customer.name for customer in self) if named else len(self)

    def of_customer(self, external_userid: str) -> list[Relation]:
        """Return the customer's relations, ended ones too, oldest first."""
        return list(self._of_customer.get(external_userid, {}).values())

    def of_member(self, userid: str) -> Iterator[Relation]:
        """Yield the member's relations, ended ones too, oldest first."""
        yield from self._of_member.get(key_of(userid), {}).values()

    def listed_of(self, userid: str) -> Iterator[Relation]:
        """Yield the member's relations that the API shows."""
        return (relation for relation in self.of_member(userid) if relation.is_listed)

    def rename_member(self, old: str, new: str) -> None:
        """Carry a member's relations over to a new userid."""
        moved = self._of_member.pop(key_of(old), {})
        for external_userid, relation in moved.items():
            self._of_customer[external_userid].pop(key_of(old), None)
            relation.userid = new
            self.connect(relation)

    def relations(self) -> Iterator[Relation]:
        """Yield every relation, ended ones too."""
        for members in self._of_customer.values():
            yield from members.values()
