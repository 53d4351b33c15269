"""The simulated corp as a whole: its people, customers, tags and messages.

The API and the acts change it under `lock`; nothing that waits (posting, latency) happens inside.
"""

import threading
from collections.abc import Iterator
from datetime import datetime

from wecom_app.clock import Clock
from wecom_app.simulator.config import SimulatorConfig
from wecom_app.simulator.contact_ways import ContactWays
from wecom_app.simulator.customers import WECHAT, WECOM, Customer, Customers, Relation
from wecom_app.simulator.ids import Ids
from wecom_app.simulator.mass_messages import MassMessages
from wecom_app.simulator.media import Media
from wecom_app.simulator.members import ACTIVE, ROOT_DEPARTMENT, Department, Member, Members
from wecom_app.simulator.messages import Mailbox
from wecom_app.simulator.tags import CONSOLE, Tag, TagLibrary
from wecom_app.simulator.tokens import Tokens
from wecom_app.simulator.transfers import Transfers
from wecom_app.simulator.welcomes import Welcomes


class World:
    """State of the corp; its methods set a scene directly, without events."""

    def __init__(self, config: SimulatorConfig, clock: Clock) -> None:
        self.config = config
        self.lock = threading.RLock()
        self._clock = clock
        self._build()

    def _build(self) -> None:
        self.ids = Ids(self.config.seed)
        self.members = Members()
        self.customers = Customers()
        self.tags = TagLibrary(self.ids)
        self.contact_ways = ContactWays()
        self.welcomes = Welcomes(self.ids, self.config.welcome_life_s)
        self.tokens = Tokens(self.ids)
        self.media = Media(self.ids, self.config.media_life_s)
        self.mailbox = Mailbox()
        self.mass_messages = MassMessages()
        self.transfers = Transfers()

    def reset(self) -> None:
        """Begin anew with an empty corp."""
        with self.lock:
            self._build()

    def kill_tokens(self) -> None:
        """End every access token before its time, as WeCom may do."""
        with self.lock:
            self.tokens.kill_all()

    def now(self) -> datetime:
        """Return the corp's present moment."""
        return self._clock.now()

    def unix_now(self) -> int:
        """Return the corp's present moment in whole seconds, as WeCom writes it."""
        return int(self._clock.now().timestamp())

    def add_department(self, id: int, name: str, parentid: int = ROOT_DEPARTMENT) -> Department:
        """Put a department into the tree."""
        with self.lock:
            department = Department(id, name, parentid)
            self.members.departments[id] = department
            return department

    def add_member(
        self,
        userid: str,
        name: str,
        *,
        department: list[int] | None = None,
        status: int = ACTIVE,
        position: str = "",
        customer_contact: bool = True,
        verified: bool = True,
        licensed: bool = True,
        customer_limit: int | None = None,
    ) -> Member:
        """Put a member into the corp."""
        with self.lock:
            return self.members.add(
                Member(
                    userid,
                    name,
                    department or [ROOT_DEPARTMENT],
                    status,
                    position,
                    customer_contact=customer_contact,
                    verified=verified,
                    licensed=licensed,
                    customer_limit=customer_limit,
                )
            )

    def add_customer(
        self,
        name: str | None = None,
        external_userid: str | None = None,
        type: int = WECHAT,
        corp_name: str | None = None,
    ) -> Customer:
        """Make a person outside the corp, not yet anybody's contact."""
        with self.lock:
            is_wecom = type == WECOM
            company = corp_name or ("合作伙伴公司" if is_wecom else None)
            return self.customers.add(
                Customer(
                    external_userid or self.ids.prefixed("wo" if is_wecom else "wm"),
                    name or self.ids.customer_name(),
                    type,
                    self.ids.gender(),
                    corp_name=company,
                    corp_full_name=f"{company}有限公司" if company else None,
                    position="采购经理" if is_wecom else None,
                )
            )

    def add_relation(
        self,
        userid: str,
        external_userid: str,
        *,
        add_way: int = 1,
        state: str | None = None,
        createtime: int | None = None,
        tags: list[str] | None = None,
    ) -> Relation:
        """Make a member and a customer contacts."""
        with self.lock:
            relation = Relation(
                userid,
                external_userid,
                self.unix_now() if createtime is None else createtime,
                add_way,
                state,
                oper_userid=external_userid if state else userid,
            )
            relation.tags.update(dict.fromkeys(tags or []))
            return self.customers.connect(relation)

    def add_tag(self, group: str, name: str, *, made_by: str = CONSOLE, order: int = 0) -> Tag:
        """Put a tag into the library, with its group if that is new; an existing one is returned."""
        with self.lock:
            now = self.unix_now()
            home = self.tags.group_named(group) or self.tags.make_group(group, made_by=made_by, now=now)
            return home.tag_named(name) or self.tags.make_tag(home, name, made_by=made_by, now=now, order=order)

    def tags_of(self, relation: Relation) -> Iterator[Tag]:
        """Yield the corp tags that a relation carries now."""
        return self.tags.live(relation.tags)

    def tag_names(self, userid: str, external_userid: str) -> set[tuple[str, str]]:
        """Return the corp tags of a relation as (group, tag) names; empty if there is no relation."""
        with self.lock:
            relation = self.customers.relation(userid, external_userid)
            if relation is None:
                return set()
            return {(self.tags.group(tag.group_id).name, tag.name) for tag in self.tags_of(relation)}
