"""Everything that may happen to a corp, act by act, with the judge looking on.

The state machine calls these acts at random; a pinned history calls them one after another.
"""

from collections.abc import Sequence

from sqlalchemy import select

from tests.stateful.corp import CARD, CUSTOMERS, FRIENDSHIPS, GROUPS, LEVELS, LONG_AGO, NOTES, Corp, open_corp
from tests.stateful.ledger import UnitKey
from tests.stateful.pulling import Pulling
from tests.stateful.scripted import act
from wecom_app.domain.tagging import Source
from wecom_app.domain.vocabulary import SourceKind
from wecom_app.models import Customer, Tag
from wecom_app.services import tagging
from wecom_app.services.history import Act
from wecom_app.services.tagging import TagChange

BEFORE_PUSH, AFTER_PUSH = "sync.before_push", "sync.after_push"
AFTER_LOOK, AFTER_MERGE = "sync.after_look", "sync.after_merge"
POINTS = (
    *(BEFORE_PUSH, AFTER_PUSH, AFTER_LOOK, AFTER_MERGE),
    *("event.before_commit", "event.after_commit", "library.before_create", "library.after_create"),
)
AFTER_PAGE = "pull.after_page"
PULL_POINTS = ("pull.after_members", AFTER_PAGE, "pull.before_commit", "pull.after_slice", "pull.after_step")
MARK, GET, LIBRARY = "externalcontact/mark_tag", "externalcontact/get", "externalcontact/get_corp_tag_list"
PAGES, MEMBERS = "externalcontact/batch/get_by_user", "externalcontact/get_follow_user_list"
PATIENCE = (70, 70, 70, 70, 3700, 70, 3700)
"""How long it may take until no job waits: WeCom shuts an API for a minute, or for an hour if it was called again."""


class Life(Pulling):
    """One corp from its beginning; every act ends with the checks that hold at any moment."""

    def __init__(self, corp: Corp | None = None, *, met: bool = True) -> None:
        super().__init__(corp or open_corp(met=met))
        self._rules: dict[tuple[str, str, int], bool] = {}
        if met:
            self.judge.rest(CUSTOMERS)
        else:
            self.judge.start_unknown()

    def trouble(self) -> None:
        self.ledger.troubled.update(CUSTOMERS)

    # Acts here.

    @act
    def person(self, customer: int, name: str, *, add: bool, friendship: int | None = None) -> None:
        """A person adds or removes a tag on our side, as the sidebar does."""
        self._here(customer, name, add, Source(SourceKind.MANUAL, "tests", "zhang"), friendship)

    @act
    def machine(self, customer: int, name: str, *, kind: str, friendship: int | None = None) -> None:
        """A rule, a channel, the API or an import flips: it wants what it did not want before, or the reverse."""
        flipped = (kind, name, customer)
        on = self._rules[flipped] = not self._rules.get(flipped, False)
        self._here(customer, name, on, Source(SourceKind(kind), f"{kind}-1"), friendship)

    def _here(self, customer: int, name: str, add: bool, source: Source, friendship: int | None) -> None:
        tag_id = self.judge.sight.tag_id(name)
        relation_id = 0 if friendship is None else self.judge.sight.here().friends.get(friendship)
        if tag_id is None or relation_id is None:
            return
        self.judge.acting()
        with self.corp.runtime.write() as session:
            known = session.execute(
                select(Tag.id).where(Tag.wecom_tag_id == tag_id, Tag.gone_at.is_(None))
            ).scalar_one_or_none()
            customer_id = session.execute(
                select(Customer.id).where(Customer.external_userid == CUSTOMERS[customer])
            ).scalar_one_or_none()
            if known is None or customer_id is None:
                return
            change = TagChange(customer_id, known, add, source, relation_id=relation_id)
            why = Act("tests", actor_ref=source.ref)
            tagging.apply(session, [change], why, queue=self.corp.runtime.queue, now=self.corp.clock.now())
        key = self._key(customer, name, tag_id, friendship)
        self.judge.acted_here(key, tag_id, add=add, by_person=source.is_person)

    @act
    def put_back_what_a_member_takes_off(self, customer: int, friendship: int, name: str) -> None:
        """A member takes a tag off in WeCom; a person here, who cannot know, takes it off and puts it on again."""
        self.member(friendship, name, add=False)
        self.person(customer, name, add=False)
        self.person(customer, name, add=True)

    # Acts in WeCom.

    @act
    def member(self, friendship: int, name: str, *, add: bool, replacing: bool = True) -> None:
        """A member puts a tag on or takes it off in WeCom; of a single-choice group he may leave the old one on."""
        tags = self.judge.sight.there(friendship)
        tag_id = self.judge.sight.tag_id(name)
        if tags is None or tag_id is None or (tag_id in tags) == add:
            return
        removed = [] if add else [tag_id]
        if add and replacing and name in LEVELS:
            removed = sorted(tags & set(self.judge.sight.live_ids(LEVELS).values()))
        self._pause()
        userid, external_userid = FRIENDSHIPS[friendship]
        self.corp.simulator.act(
            userid, "mark", external_userid=external_userid, add=[tag_id] if add else [], remove=removed
        )
        customer = CUSTOMERS.index(external_userid)
        of = friendship if name in NOTES else None
        self.judge.acted_there(
            friendship,
            [(self._key(customer, name, tag, of), tag, False) for tag in removed]
            + ([(self._key(customer, name, tag_id, of), tag_id, True)] if add else []),
        )

    @act
    def lose(self, friendship: int, *, by_staff: bool) -> None:
        """The customer deletes the member, or the member the customer."""
        if self.judge.sight.there(friendship) is None:
            return
        self._pause()
        userid, external_userid = FRIENDSHIPS[friendship]
        if by_staff:
            self.corp.simulator.act(userid, "delete_customer", external_userid=external_userid)
        else:
            self.corp.simulator.act(external_userid, "delete_staff", userid=userid)
        self.judge.epoch(friendship)

    @act
    def meet(self, friendship: int, *, keep: bool | None = None) -> None:
        """The two become contacts, again with the tags kept or dropped, or for the first time."""
        if self.judge.sight.there(friendship) is not None:
            return
        self._pause()
        userid, external_userid = FRIENDSHIPS[friendship]
        self.corp.simulator.act(
            userid, "add", external_userid=external_userid, name=external_userid, add_way=CARD, keep_tags=keep
        )
        self.judge.epoch(friendship)

    @act
    def was_there(self, friendship: int, names: Sequence[str]) -> None:
        """The two were contacts long before the application was set up, with these tags; nothing tells of it."""
        userid, external_userid = FRIENDSHIPS[friendship]
        world = self.corp.simulator.world
        if self.judge.sight.there(friendship) is not None:
            return
        if world.customers.find(external_userid) is None:
            world.add_customer(external_userid, external_userid)
        tags = [tag_id for name in names if (tag_id := self.judge.sight.tag_id(name))]
        world.add_relation(userid, external_userid, createtime=LONG_AGO + friendship, add_way=CARD, tags=tags)
        self.judge.epoch(friendship)

    @act
    def remark(self, friendship: int) -> None:
        """A member writes a remark: a hint that says nothing of tags."""
        if self.judge.sight.there(friendship) is not None:
            self._pause()
            userid, external_userid = FRIENDSHIPS[friendship]
            self.corp.simulator.act(userid, "remark", external_userid=external_userid, remark="老客")

    @act
    def delete_tag(self, name: str) -> None:
        """An admin deletes a tag in WeCom."""
        tag_id = self.judge.sight.tag_id(name)
        if tag_id is None:
            return
        self._pause()
        self.corp.simulator.act("admin", "tag_delete", tag_id=tag_id)
        self.judge.tag_deleted(tag_id)

    @act
    def make_tag(self, name: str) -> None:
        """An admin makes a tag of a name that was deleted: to us it is another tag."""
        if self.judge.sight.tag_id(name) is None:
            self._pause()
            group = next(group for group, names in GROUPS.items() if name in names)
            self.corp.simulator.act("admin", "tag_create", group=group, name=name)

    # Callbacks and time.

    @act
    def settle(self) -> None:
        """Deliver everything and run everything that is due; the judge looks whether both sides are at rest."""
        self._deliver_and_work()
        self.judge.look_for_rest()

    @act
    def heal(self) -> None:
        """Nothing goes wrong any more: at most three passes bring both sides together, and then nothing moves."""
        self.corp.undisturb()
        self._plans.clear()
        self.settle()
        for seconds in PATIENCE:
            if not self.judge.jobs_wait():
                break
            self.wait(seconds)
            self.settle()
        self.judge.no_job_is_waiting()
        self.judge.revive_what_is_dead()
        self.judge.meets_in(3, self._pull)
        self.judge.rest(CUSTOMERS, judged=True)
        self.echo(on=True)
        # A history of an even number of acts ends with looks at single customers, the others with pages.
        self.judge.stays(self._pull if len(self.script) % 2 else self._looks)
        self.echo(on=False)

    def _looks(self) -> None:
        """Look at every customer by himself."""
        self.corp.ask_for_looks()
        self._see_through()

    def _pull(self) -> None:
        """Have everything read that WeCom lists; a person agrees to whatever waits for him."""
        self._agree()
        self.pull()
        self._see_through()
        self._agree()

    def _agree(self) -> None:
        while self.is_held():
            self.approve()
            self._see_through()

    def _see_through(self) -> None:
        for _ in range(6):
            self._collect()
            self.deliver()
            self.work()
            self.wait(3)
            if not self.events and not self.judge.jobs_wait():
                break

    def _key(self, customer: int, name: str, tag_id: str, friendship: int | None) -> UnitKey:
        return UnitKey(CUSTOMERS[customer], None if name in LEVELS else tag_id, friendship)
