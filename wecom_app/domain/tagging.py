"""Who wins a tag: precedence, single-choice groups and claims, decided on values without a database.

`services.tagging` loads a unit (one tag of a multi-choice group, or a whole single-choice group), asks
`decide` what a wish does to it, and writes the answer.
"""

from dataclasses import dataclass, field, replace
from datetime import datetime

from wecom_app.domain.vocabulary import PERSON_RANK, RANK, SourceKind


@dataclass(frozen=True)
class Source:
    """Who or what wants the tag; `ref` names it within its kind (a channel's id, a rule's key)."""

    kind: SourceKind
    ref: str = ""
    actor: str | None = None

    @property
    def rank(self) -> int:
        return RANK[self.kind]

    @property
    def is_person(self) -> bool:
        return self.rank == PERSON_RANK

    def same_as(self, other: "Source") -> bool:
        """Return whether both are one wanting party (for persons, any person)."""
        if self.is_person and other.is_person:
            return True
        return (self.kind, self.ref) == (other.kind, other.ref)


@dataclass(frozen=True)
class Holding:
    """A tag and the source that wants it."""

    tag_id: int
    source: Source
    evidence: dict[str, object] = field(default_factory=dict, compare=False)
    since: datetime | None = field(default=None, compare=False)
    expires_at: datetime | None = None

    def is_over(self, now: datetime) -> bool:
        return self.expires_at is not None and self.expires_at <= now


@dataclass(frozen=True)
class Wish:
    """Add or remove one tag."""

    tag_id: int
    add: bool
    source: Source
    evidence: dict[str, object] = field(default_factory=dict, compare=False)
    expires_at: datetime | None = None

    def holding(self) -> Holding:
        return Holding(self.tag_id, self.source, self.evidence, expires_at=self.expires_at)


@dataclass(frozen=True)
class Unit:
    """What stands before the wish: at most one holding in a single-choice unit, at most one tag in any."""

    held: Holding | None
    claims: tuple[Holding, ...] = ()


@dataclass(frozen=True)
class Decision:
    """What stands after: `changed` if the value differs, `confirmed` if a person repeated it.

    `refused` says why a wish had no effect: `outranked` or `absent`.
    """

    unit: Unit
    changed: bool = False
    confirmed: bool = False
    refused: str | None = None


def decide(unit: Unit, wish: Wish) -> Decision:
    """Return what the wish does to the unit."""
    return _add(unit, wish) if wish.add else _remove(unit, wish)


def restore(unit: Unit, before: Unit, after: Unit, now: datetime) -> Unit:
    """Return what stands once the act that led from `before` to `after` is undone.

    Who has come to want something since keeps wanting it, who let go since does not want it again, and what has
    run out does not come back. A source that came since and outranks what stood before wins, as it would have.
    """
    since = tuple(claim for claim in unit.claims if claim not in after.claims and not claim.is_over(now))
    dropped = [claim for claim in after.claims if claim not in unit.claims]
    earlier = (claim for claim in before.claims if claim not in dropped and not claim.is_over(now))
    claims = (*since, *(claim for claim in earlier if not any(claim.source.same_as(other.source) for other in since)))
    held = before.held
    stronger = [claim for claim in claims if held is None or claim.source.rank > held.source.rank]
    if stronger:
        held, claims = max(stronger, key=_weight), claims if held is None else (*claims, held)
    if held is None:
        return Unit(None)
    return Unit(held, tuple(claim for claim in claims if not claim.source.same_as(held.source)))


def _add(unit: Unit, wish: Wish) -> Decision:
    held, wanted = unit.held, wish.holding()
    same_value = held is not None and held.tag_id == wish.tag_id
    if wish.source.is_person:
        return Decision(Unit(wanted), changed=not same_value, confirmed=same_value)
    # A source wants one value at a time: what it claimed before, it claims no longer.
    others = tuple(claim for claim in unit.claims if not claim.source.same_as(wish.source))
    if held is None:
        return Decision(Unit(wanted, others), changed=True)
    if held.source.same_as(wish.source):
        again = replace(held, expires_at=wanted.expires_at) if same_value else wanted
        return Decision(Unit(again, others), changed=not same_value)
    if wish.source.rank > held.source.rank or (wish.source.rank == held.source.rank and not same_value):
        return Decision(Unit(wanted, (*others, held)), changed=not same_value)
    return Decision(Unit(held, (*others, wanted)), refused=None if same_value else "outranked")


def _remove(unit: Unit, wish: Wish) -> Decision:
    held = unit.held
    if held is None or held.tag_id != wish.tag_id:
        return Decision(replace(unit, claims=_without(unit.claims, wish)), refused="absent")
    if wish.source.is_person:
        return Decision(Unit(None), changed=True)
    if held.source.same_as(wish.source):
        return _let_go(held, unit.claims)
    if wish.source.rank < held.source.rank:
        return Decision(replace(unit, claims=_without(unit.claims, wish)), refused="outranked")
    return _let_go(held, tuple(claim for claim in unit.claims if claim.tag_id != wish.tag_id))


def _let_go(held: Holding, claims: tuple[Holding, ...]) -> Decision:
    """The value goes; the best of the claims takes over, on the same tag or on another of the group."""
    if not claims:
        return Decision(Unit(None), changed=True)
    best = max(claims, key=_weight)
    left = tuple(claim for claim in claims if claim is not best)
    return Decision(Unit(best, left), changed=best.tag_id != held.tag_id)


def _weight(claim: Holding) -> tuple[int, int]:
    return claim.source.rank, -claim.tag_id


def _without(claims: tuple[Holding, ...], wish: Wish) -> tuple[Holding, ...]:
    return tuple(c for c in claims if not (c.tag_id == wish.tag_id and c.source.same_as(wish.source)))
