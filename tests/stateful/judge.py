"""The invariants of two-way sync, checked from outside: SQL on the file, the simulator's state, its log of calls."""

from collections import Counter
from collections.abc import Callable, Iterable

from tests.stateful.corp import CUSTOMERS, FRIENDSHIPS, Corp
from tests.stateful.ledger import Ledger, UnitKey, Value
from tests.stateful.sight import COUNTS, OPEN_CELLS, OPEN_OPERATIONS, VERSIONS, WAITING_JOBS, Sight
from wecom_app.services import cells, pushes

MARK, ADD_TAG = "externalcontact/mark_tag", "externalcontact/add_corp_tag"
WRITES = frozenset({MARK, ADD_TAG, "externalcontact/edit_corp_tag", "externalcontact/del_corp_tag"})
MOST_TRIES = 3
STATES = {"pending", "sent", "verified", "void", "dead", "superseded"}
ADOPTIONS = """
SELECT c.external_userid, count(DISTINCT e.change_set_id) FROM tag_event e
JOIN change_set s ON s.id = e.change_set_id JOIN customer c ON c.id = e.customer_id
WHERE s.actor_kind = 'wecom' GROUP BY 1
"""
ENDS = """
SELECT c.external_userid, count(DISTINCT e.change_set_id) FROM tag_event e
JOIN change_set s ON s.id = e.change_set_id JOIN customer c ON c.id = e.customer_id
WHERE s.actor_kind = 'system' AND e.op = 'remove' GROUP BY 1
"""
"""Friendships that took tags of their own with them: one that was hidden, not ended, shows them again."""
ACTS = "SELECT ct.person_seq FROM customer_tag ct JOIN tag t ON t.id = ct.tag_id WHERE t.name = ?"
RUN_STATES = {"queued", "running", "held", "done", "failed", "stopped"}
RUNS = """
SELECT r.id, r.kind, r.state, (SELECT count(*) FROM sync_chain c WHERE c.run_id = r.id AND c.state = 'open'),
       (SELECT count(*) FROM sync_run_item i WHERE i.run_id = r.id AND i.state = 'waiting')
FROM sync_run r
"""
ENDED_BY_ABSENCE = "SELECT count(*) FROM relation WHERE lost_at IS NOT NULL AND lost_by IS NULL"
HISTORY = "SELECT id, state, tries, closed_at IS NOT NULL FROM tag_operation ORDER BY id"


class Judge:
    """Fails by AssertionError, with what it saw."""

    def __init__(self, corp: Corp) -> None:
        self.corp = corp
        self.sight = Sight(corp)
        self.ledger = Ledger()
        self.expected: dict[UnitKey, Value] = {}
        """What the truth of each unit was when last looked at; it moves only for a reason."""
        self._operations = 0
        self._spare: Counter[str] = Counter()
        """Adoptions that were there before the first act."""
        self._dead_tags: set[str] = set()
        self.approvals = 0
        """How often a person has agreed to what a pull wants to end."""
        self.most_endings: int | None = None
        """How many friendships a pull may end by itself; None for what three friendships never come to."""

    # What the acts tell.

    def start_unknown(self) -> None:
        """Nobody has looked at anything: no value is known."""
        self.ledger.unknown.update(CUSTOMERS)

    def acting(self) -> None:
        """Somebody is about to act on our side: what moved until now moved without him."""
        self._nothing_reverts()

    def acted_here(self, key: UnitKey, tag: str, *, add: bool, by_person: bool) -> None:
        """Write down an act on our side, with what it changed."""
        self.ledger.begin()
        before, now = self.expected.get(key), self.sight.units(self.sight.here()).get(key)
        if by_person:
            if add or before == tag:
                self.ledger.note(key, "person", tag, add, key.friendship)
                assert now == (tag if add else None), f"a person's act had no effect: {key} is {now}"
        elif now != before:
            self.ledger.note(key, "machine", now or tag, now is not None, key.friendship)
            assert now is None or now == tag or not add, f"a machine's wish for {tag} made it {now}"
        self.expected[key] = now

    def undone(self) -> None:
        """Write down what an undo has put back: it holds as what a machine wants, since one may have wanted it."""
        self.ledger.begin()
        now = self.sight.units(self.sight.here())
        for key, value in now.items():
            before = self.expected.get(key)
            if before != value:
                tag = value if value is not None else before
                assert tag is not None
                self.ledger.note(key, "machine", tag, value is not None, key.friendship)
        self.expected = now

    def acted_there(self, friendship: int, changes: Iterable[tuple[UnitKey, str, bool]]) -> None:
        """Write down a member's act in WeCom."""
        self.ledger.begin()
        for key, tag, on in changes:
            self.ledger.note(key, "member", tag, on, friendship)
        self.ledger.member_acts[FRIENDSHIPS[friendship][1]] += 1

    def epoch(self, friendship: int) -> None:
        """Write down that a friendship ended or began; values of its own end with it."""
        self.ledger.begin()
        self.ledger.note_epoch(friendship)
        self.ledger.member_acts[FRIENDSHIPS[friendship][1]] += 1
        for key in [*self.ledger.windows, *self.expected]:
            if key.friendship == friendship:
                self.ledger.forget(key)

    def tag_deleted(self, tag: str) -> None:
        self.ledger.begin()
        self._dead_tags.add(tag)
        self.ledger.forget_tag(tag)
        self.expected = {key: None if value == tag else value for key, value in self.expected.items() if key.tag != tag}

    def has(self, customer: int, name: str) -> bool:
        """Say whether the customer has the tag on our side."""
        tag = self.sight.tag_id(name)
        return any(
            key.customer == CUSTOMERS[customer] and value == tag and key.friendship is None
            for key, value in self.expected.items()
            if value is not None
        )

    # At any moment.

    def look(self) -> None:
        """Check what must hold after every act."""
        self._accounts()
        self._nothing_reverts()
        self._adoptions()
        self._runs()

    def _accounts(self) -> None:
        """Every operation is in one state and never vanishes; each is of an open cell, and no cell lacks one.

        A tag that stands beside the one that changed in a single-choice group, and is as it should be, needs none.
        """
        history = self.corp.rows(HISTORY)
        assert len(history) >= self._operations, "operations vanished"
        self._operations = len(history)
        for number, state, tries, is_closed in history:
            assert state in STATES, (number, state)
            assert is_closed == (state not in ("pending", "sent")), (number, state)
            assert tries <= MOST_TRIES, f"operation {number} was tried {tries} times"
        cells_open = self.corp.rows(OPEN_CELLS)
        waiting = self.corp.rows(OPEN_OPERATIONS)
        assert len(waiting) == len(set(waiting)), f"two operations of one cell: {waiting}"
        assert set(waiting) <= {row[:2] for row in cells_open}, f"open cells {cells_open}, operations {waiting}"
        assert {row[:2] for row in cells_open if row[2]} <= set(waiting), f"cells {cells_open}, operations {waiting}"

    def _nothing_reverts(self) -> None:
        """The truth moves only by an act here, or for an act in WeCom after the last person's act here."""
        units = self.sight.units(self.sight.here())
        for key, value in units.items():
            if key in self.expected and self.expected[key] != value:
                assert self.ledger.excuses_change(key, value), f"{key} went from {self.expected[key]} to {value}"
        self.expected = units

    def _adoptions(self) -> None:
        ends = dict(self.corp.rows(ENDS))
        for customer, count in self.corp.rows(ADOPTIONS):
            most = self.ledger.member_acts[customer] + self._spare[customer] + ends.get(customer, 0)
            assert count <= most, f"{customer}: {count} adoptions, {most} acts in WeCom"

    def _runs(self) -> None:
        """There is one pull at a time; a run that is over has left nothing open; no more is ended than agreed."""
        found = self.corp.rows(RUNS)
        assert all(state in RUN_STATES for _, _, state, _, _ in found), found
        going = [kind for _, kind, state, _, _ in found if state in ("queued", "running", "held")]
        assert len(going) == len(set(going)), f"two runs at once: {found}"
        assert not [run for run in found if run[2] == "done" and (run[3] or run[4])], f"left open: {found}"
        if self.most_endings is not None and not self.approvals:
            assert self.corp.rows(ENDED_BY_ABSENCE)[0][0] <= self.most_endings, "more was ended than anybody agreed to"

    # At rest.

    def jobs_wait(self) -> bool:
        return bool(self.corp.rows(WAITING_JOBS)[0][0])

    def no_job_is_waiting(self) -> None:
        jobs = self.corp.rows("SELECT kind, state, last_error FROM job WHERE state NOT IN ('done')")
        assert not jobs, jobs

    def look_for_rest(self) -> None:
        """If nothing is under way and both sides agree, judge every value and begin anew."""
        if self.jobs_wait() or self.corp.rows(OPEN_OPERATIONS):
            return
        if self.corp.rows("SELECT 1 FROM customer_tag WHERE dead"):
            return
        self.rest([customer for customer in CUSTOMERS if self.sight.is_equal(customer)], judged=True)

    def rest(self, customers: Iterable[str], *, judged: bool = False) -> None:
        """Judge the values of customers at rest, and take them for the start of what follows."""
        if judged:
            self.look()
        here = self.sight.here()
        units, rows = self.sight.units(here), self.sight.rows(here)
        for customer in customers:
            mine = {key: (value, rows[key]) for key, value in units.items() if key.customer == customer}
            if judged:
                for key, (value, count) in mine.items():
                    self._judge(key, value, count)
            friendships = [index for index, pair in enumerate(FRIENDSHIPS) if pair[1] == customer]
            self.ledger.rest(customer, mine, friendships)
        if not judged:
            self.expected = units
            self._spare.update(dict(self.corp.rows(ADOPTIONS)))

    def _judge(self, key: UnitKey, value: Value, rows: int) -> None:
        verdict = self.ledger.judge(key, value, rows)
        window = self.ledger.windows.get(key)
        assert verdict.ok, f"{key} came to rest at {value}, allowed {set(verdict.allowed)}: {window}"
        if self.ledger.is_quiet(key):
            assert window is None or rows == window.rows, f"a row without a reason: {key} {window}"

    def revive_what_is_dead(self) -> None:
        """Ask for another attempt where the application gave up, as a person does."""
        for (customer_id,) in self.corp.rows("SELECT DISTINCT customer_id FROM customer_tag WHERE dead"):
            with self.corp.runtime.write() as session:
                pushes.revive(session, customer_id)
                cells.request_sync(session, self.corp.runtime.queue, customer_id)

    def meets_in(self, passes: int, make_pass: Callable[[], None]) -> None:
        """Check that so many passes suffice for both sides to agree, with nothing left open."""
        for _ in range(passes):
            make_pass()
            if self._agree() and not self.corp.rows(OPEN_OPERATIONS):
                break
        here = self.sight.here()
        there = {index: self.sight.there(index) for index in range(len(FRIENDSHIPS))}
        assert self._agree(), f"after {passes} passes: here {sorted(here.wanted)}, there {there}"
        assert not self.corp.rows(OPEN_OPERATIONS), self.corp.rows(HISTORY)
        self.no_job_is_waiting()

    def stays(self, make_pass: Callable[[], None]) -> None:
        """Check that a further pass, with its echoes, writes nothing and moves nothing."""
        before = self.corp.rows(VERSIONS), self.corp.rows(COUNTS)
        calls = self.corp.simulator.calls
        calls.clear()
        make_pass()
        assert not [call for call in calls if call.api in WRITES], list(calls)
        after = self.corp.rows(VERSIONS), self.corp.rows(COUNTS)
        moved = [set(now) ^ set(then) for then, now in zip(before, after, strict=True)]
        assert after == before, f"moved at rest: {moved}"

    def _agree(self) -> bool:
        return all(self.sight.is_equal(customer) for customer in CUSTOMERS)

    # What a pinned history asks besides.

    def customer_has(self, customer: int, name: str) -> None:
        assert self.has(customer, name), f"{CUSTOMERS[customer]} has not {name}"

    def has_one_row(self, kind: str) -> None:
        kinds = [row[0] for row in self.corp.rows("SELECT kind FROM sync_conflict")]
        assert kinds == [kind], kinds

    def nothing_was_taken_off(self) -> None:
        assert not self.corp.rows("SELECT id FROM tag_event WHERE op = 'remove'")

    def a_person_has_acted(self, name: str) -> None:
        acts = self.corp.rows(ACTS, name)
        assert any(seq for (seq,) in acts), "the member's act was not counted"

    def friendships_are_live(self, *friendships: int) -> None:
        assert set(friendships) <= set(self.sight.here().friends)

    def first_call_is(self, api: str) -> None:
        assert self.corp.simulator.calls[0].api == api, list(self.corp.simulator.calls)
