"""What becomes of a customer's wants when tags themselves change: one goes into another, a group turns single-choice.

Pure, like `domain.tagging`; `services.unit_moves` loads the units and writes the answer.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from wecom_app.domain.tagging import Holding, Unit


def parted(unit: Unit, tag_id: int) -> tuple[Unit, Unit]:
    """Return the unit without a tag, and what held and claimed the tag in it.

    Of a single-choice unit the best claim on another tag takes over where the tag was held.
    """
    rest = [claim for claim in unit.claims if claim.tag_id != tag_id]
    taken = tuple(claim for claim in unit.claims if claim.tag_id == tag_id)
    if unit.held is None or unit.held.tag_id != tag_id:
        return Unit(unit.held, tuple(rest)), Unit(None, taken)
    heir = max(rest, key=lambda claim: (claim.source.rank, -claim.tag_id), default=None)
    return Unit(heir, tuple(claim for claim in rest if claim is not heir)), Unit(unit.held, taken)


def renamed(unit: Unit, old: int, new: int) -> Unit:
    """Return a single-choice unit in which whoever wanted one value wants another of the same group."""
    held = unit.held if unit.held is None or unit.held.tag_id != old else replace(unit.held, tag_id=new)
    claims = (replace(claim, tag_id=new) if claim.tag_id == old else claim for claim in unit.claims)
    return Unit(held, tuple(claims))


def joined(unit: Unit, coming: Unit, new: int) -> Unit:
    """Return the unit with all that `coming` wanted of another tag now wanting `new` in it.

    The highest rank holds, since the earliest moment at which either tag was held. A source that wanted both wants
    one, for the longer of both times; in a single-choice unit, where it wanted another value, the later one.
    Whoever does not hold keeps a claim, a person's holding beside a person's included in one.
    """
    arriving = tuple(replace(want, tag_id=new) for want in _wants(coming))
    holders = [unit.held] if unit.held is not None else []
    if coming.held is not None:
        holders.append(arriving[0])
    kept = _one_per_source([*_wants(unit), *arriving])
    if not kept:
        return Unit(None)
    best = max(kept, key=lambda want: (want.source.rank, _is_among(want, holders), _moment(want)))
    since = [want.since for want in holders if want.tag_id == best.tag_id and want.since is not None]
    held = replace(best, since=min(since)) if since else best
    return Unit(held, tuple(want for want in kept if want is not best))


def narrowed(units: Mapping[int, Unit], keep: int) -> dict[int, Unit]:
    """Return the units of a multi-choice group, by tag, of which only `keep` stays held.

    Whoever held another tag keeps a claim on it, unless he is the one who holds the tag that stays: a source wants
    one value of a single-choice group.
    """
    held = units[keep].held
    assert held is not None
    others = sorted(
        (want for unit in units.values() for want in _wants(unit) if want is not held),
        key=lambda want: (want.tag_id != keep, -want.source.rank, -_moment(want)),
    )
    kept = [held]
    for want in others:
        if not any(want.source.same_as(one.source) for one in kept):
            kept.append(want)
    return {
        tag_id: Unit(
            held if tag_id == keep else None, tuple(want for want in kept if want is not held and want.tag_id == tag_id)
        )
        for tag_id in units
    }


def strongest(held: Iterable[Holding], positions: Mapping[int, int]) -> int:
    """Return the tag that wins in a single-choice group: by rank of its source, then its place, then the newest."""
    return max(held, key=lambda one: (one.source.rank, positions.get(one.tag_id, 0), _moment(one), -one.tag_id)).tag_id


def _wants(unit: Unit) -> tuple[Holding, ...]:
    return unit.claims if unit.held is None else (unit.held, *unit.claims)


def _one_per_source(wants: Sequence[Holding]) -> list[Holding]:
    kept: list[Holding] = []
    for want in wants:
        place = next((place for place, one in enumerate(kept) if one.source.same_as(want.source)), None)
        if place is None:
            kept.append(want)
        elif kept[place].tag_id == want.tag_id:
            kept[place] = replace(kept[place], expires_at=_later(kept[place].expires_at, want.expires_at))
        elif _moment(want) > _moment(kept[place]):
            kept[place] = want
    return kept


def _is_among(want: Holding, holders: Sequence[Holding]) -> bool:
    return any(want.tag_id == one.tag_id and want.source.same_as(one.source) for one in holders)


def _later(one: datetime | None, other: datetime | None) -> datetime | None:
    """Return the later end; none at all is the latest."""
    return None if one is None or other is None else max(one, other)


def _moment(want: Holding) -> float:
    return want.since.timestamp() if want.since is not None else 0.0
