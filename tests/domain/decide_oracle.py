"""Who wins a tag, told once more as a ballot: every source has one vote, one of the voters holds the unit.

An independent reading of the precedence rules, for `test_decide_states.py`; it shares no code with `domain.tagging`.
"""

from dataclasses import dataclass, field

POWER = {
    "manual": 90,
    "wecom": 90,
    "campaign": 70,
    "channel": 65,
    "rule": 60,
    "api": 50,
    "import": 40,
    "wecom_link": 20,
}
Voter = tuple[str, str]
"""The kind of a source and its name within the kind."""


@dataclass
class Ballot:
    """The votes that count now, and who holds."""

    votes: dict[Voter, int] = field(default_factory=dict)
    holder: Voter | None = None

    @property
    def value(self) -> int | None:
        return None if self.holder is None else self.votes[self.holder]

    @property
    def waiting(self) -> set[tuple[Voter, int]]:
        return {(voter, tag) for voter, tag in self.votes.items() if voter != self.holder}

    def wish(self, kind: str, name: str, tag: int, *, add: bool) -> None:
        """Hear one wish."""
        voter = ("person", "") if POWER[kind] == 90 else (kind, name)
        (self._add if add else self._remove)(voter, tag)

    def _add(self, voter: Voter, tag: int) -> None:
        if voter[0] == "person":
            self.votes, self.holder = {voter: tag}, voter
            return
        rival = self.holder
        stronger = rival is None or _power(voter) > _power(rival)
        newer = rival is not None and _power(voter) == _power(rival) and self.votes[rival] != tag
        self._cast(voter, tag)
        if rival is not None and rival != voter and (stronger or newer):
            self._cast(rival, self.votes[rival])
        if stronger or newer:
            self.holder = voter

    def _cast(self, voter: Voter, tag: int) -> None:
        """Put a vote behind the others: of equals for one tag the one that has waited longest is elected."""
        self.votes.pop(voter, None)
        self.votes[voter] = tag

    def _remove(self, voter: Voter, tag: int) -> None:
        if self.value == tag and voter[0] == "person":
            self.votes, self.holder = {}, None
        elif self.value == tag and self.holder is not None and voter == self.holder:
            del self.votes[voter]
            self._elect()
        elif self.value == tag and self.holder is not None and _power(voter) >= _power(self.holder):
            del self.votes[self.holder]
            self.votes = {other: vote for other, vote in self.votes.items() if vote != tag}
            self._elect()
        elif voter != self.holder and self.votes.get(voter) == tag:
            del self.votes[voter]

    def _elect(self) -> None:
        self.holder = max(self.votes, key=lambda voter: (_power(voter), -self.votes[voter]), default=None)


def _power(voter: Voter) -> int:
    return 90 if voter[0] == "person" else POWER[voter[0]]
