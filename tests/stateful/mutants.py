"""The product broken on purpose, in the ways the sync design lists; a suite that lets one of them live is no proof.

A mutant breaks the merge or the decision (and must then differ from a second reading of the design as well), or one
named function of the services. Each names the pinned history that must fail under it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import func, select, text

from tests.conftest import START
from tests.stateful import mutant_histories as pinned
from tests.stateful.histories import Script
from wecom_app.domain.merge import Cell, Conflict, Look, Merge, RelationState, UnitTruth
from wecom_app.domain.tagging import Decision, Unit, Wish
from wecom_app.domain.vocabulary import SourceKind
from wecom_app.models import CustomerTag, Relation, SyncRunItem
from wecom_app.prepared import Prepared
from wecom_app.services import cells, customers, looks, page_lines, pull_finish, pushes, relations, sightings, tagging

MergeFunction = Callable[[UnitTruth, Mapping[int, Cell], RelationState, Look], Merge]
DecideFunction = Callable[[Unit, Wish], Decision]
Break = Callable[[pytest.MonkeyPatch], None]


@dataclass(frozen=True)
class Mutant:
    """What is broken, how, and which history shows it."""

    name: str
    history: Script
    merge: Callable[[MergeFunction], MergeFunction] | None = None
    decide: Callable[[DecideFunction], DecideFunction] | None = None
    breaks: Break | None = None

    def enter(self, patch: pytest.MonkeyPatch) -> None:
        """Break the product until the patch is undone."""
        if self.merge is not None:
            patch.setattr(looks, "merge", self.merge(looks.merge))
        if self.decide is not None:
            patch.setattr(tagging, "decide", self.decide(tagging.decide))
        if self.breaks is not None:
            self.breaks(patch)


def machine_ignores_people(decide: DecideFunction) -> DecideFunction:
    def broken(unit: Unit, wish: Wish) -> Decision:
        if unit.held is not None and unit.held.source.is_person and not wish.source.is_person:
            unit = replace(unit, held=None)
        return decide(unit, wish)

    return broken


def no_base(merge: MergeFunction) -> MergeFunction:
    def broken(truth: UnitTruth, cells: Mapping[int, Cell], relation: RelationState, look: Look) -> Merge:
        looked = {
            tag: cell if cell.base is None else replace(cell, base=tag in truth.wanted) for tag, cell in cells.items()
        }
        return merge(truth, looked, relation, look)

    return broken


def guard_without_version(merge: MergeFunction) -> MergeFunction:
    def broken(truth: UnitTruth, cells: Mapping[int, Cell], relation: RelationState, look: Look) -> Merge:
        return merge(truth, cells, relation, replace(look, seq=max(look.seq, truth.latest)))

    return broken


def leftovers_are_edits(merge: MergeFunction) -> MergeFunction:
    def broken(truth: UnitTruth, cells: Mapping[int, Cell], relation: RelationState, look: Look) -> Merge:
        return merge(truth, cells, replace(relation, parted=frozenset()), look)

    return broken


def last_look_wins(merge: MergeFunction) -> MergeFunction:
    def broken(truth: UnitTruth, cells: Mapping[int, Cell], relation: RelationState, look: Look) -> Merge:
        found = merge(truth, cells, relation, look)
        if found.adopted is not None or Conflict.CONCURRENT not in {note.kind for note in found.notes}:
            return found
        return Merge(adopted=frozenset(sorted(look.observed)[:1]) if truth.single else look.observed)

    return broken


def machine_beats_unseen_edit(merge: MergeFunction) -> MergeFunction:
    def broken(truth: UnitTruth, cells: Mapping[int, Cell], relation: RelationState, look: Look) -> Merge:
        if truth.source is None or truth.by_person:
            return merge(truth, cells, relation, look)
        found = merge(replace(truth, source=SourceKind.MANUAL), cells, relation, look)
        return replace(found, notes=tuple(note for note in found.notes if note.kind is not Conflict.CONCURRENT))

    return broken


def coincidence_ignored(merge: MergeFunction) -> MergeFunction:
    def broken(truth: UnitTruth, cells: Mapping[int, Cell], relation: RelationState, look: Look) -> Merge:
        return replace(merge(truth, cells, relation, look), confirmed=False)

    return broken


def single_choice_per_tag(merge: MergeFunction) -> MergeFunction:
    def broken(truth: UnitTruth, cells: Mapping[int, Cell], relation: RelationState, look: Look) -> Merge:
        if not truth.single:
            return merge(truth, cells, relation, look)
        wanted: set[int] = set()
        changed = False
        for tag, cell in cells.items():
            one = replace(truth, single=False, wanted=truth.wanted & {tag})
            found = merge(one, {tag: cell}, relation, replace(look, observed=look.observed & {tag}))
            if found.skipped is not None:
                return found
            changed = changed or found.adopted is not None
            wanted |= one.wanted if found.adopted is None else found.adopted
        return Merge(adopted=frozenset(wanted) if changed else None)

    return broken


def union_merge(merge: MergeFunction) -> MergeFunction:
    def broken(truth: UnitTruth, cells: Mapping[int, Cell], relation: RelationState, look: Look) -> Merge:
        found = merge(truth, cells, relation, look)
        if found.adopted is None or truth.single:
            return found
        value = found.adopted | truth.wanted
        return replace(found, adopted=None if value == truth.wanted else value)

    return broken


def opposite_cancels(patch: pytest.MonkeyPatch) -> None:
    fan_out = cells.fan_out

    def broken(session: Any, units: Any, facts: Any, **more: Any) -> None:
        fan_out(session, units, facts, **more)
        at_rest = "relation_id > 0 AND base = wanted AND acked_ver < ver"
        session.execute(
            text(
                "UPDATE tag_operation SET state = 'void', closed_at = 0 WHERE state IN ('pending', 'sent') AND EXISTS ("
                "SELECT 1 FROM customer_tag c WHERE c.relation_id = tag_operation.relation_id "
                f"AND c.tag_id = tag_operation.tag_id AND {at_rest.replace('relation_id', 'c.relation_id')})"
            )
        )
        session.execute(text(f"UPDATE customer_tag SET acked_ver = ver, sent = NULL WHERE {at_rest}"))

    patch.setattr(cells, "fan_out", broken)


def sent_not_written(patch: pytest.MonkeyPatch) -> None:
    mark_sent = pushes._mark_sent

    def broken(session: Any, *arguments: Any) -> None:
        mark_sent(session, *arguments)
        session.execute(text("UPDATE customer_tag SET sent = NULL"))

    patch.setattr(pushes, "_mark_sent", broken)


def push_without_a_look(patch: pytest.MonkeyPatch) -> None:
    blind = pushes.OPEN_CELLS.where(CustomerTag.wanted != func.coalesce(CustomerTag.base, False))
    patch.setattr(pushes, "BEFORE_FIRST_LOOK", Prepared(blind))


def loss_is_removal(patch: pytest.MonkeyPatch) -> None:
    close_epoch = relations.close_epoch

    def broken(session: Any, relation: Any, *arguments: Any, **more: Any) -> None:
        close_epoch(session, relation, *arguments, **more)
        of = {"customer": relation.customer_id}
        session.execute(text("UPDATE customer_tag SET wanted = 0 WHERE customer_id = :customer"), of)

    patch.setattr(relations, "close_epoch", broken)


def createtime_ignored(patch: pytest.MonkeyPatch) -> None:
    take = sightings._relation

    def broken(session: Any, context: Any, customer_id: int, staff_id: int, follower: Any, seq: int) -> Any:
        known = customers.find_relation(session, customer_id, staff_id)
        if known is not None and known.lost_at is None and known.epoch_at is not None:
            follower = replace(follower, createtime=known.epoch_at)
        return take(session, context, customer_id, staff_id, follower, seq)

    patch.setattr(sightings, "_relation", broken)


def no_library_check(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(looks, "_suspects", lambda units: frozenset())


def errcode_zero_closes(patch: pytest.MonkeyPatch) -> None:
    record = pushes._record

    def broken(session: Any, push: Any, answer: Any, seq: int) -> None:
        record(session, push, answer, seq)
        if answer == pushes.Answer():
            cells.close_operations(session, push.relation_id, "verified", None, START, tag_ids=push.tag_ids)
            for tag_id in push.tag_ids:
                cell = {"relation": push.relation_id, "tag": tag_id}
                closed = "UPDATE customer_tag SET acked_ver = ver, base = wanted, sent = NULL"
                session.execute(text(f"{closed} WHERE relation_id = :relation AND tag_id = :tag"), cell)

    patch.setattr(pushes, "_record", broken)


def absence_closes(patch: pytest.MonkeyPatch) -> None:
    take_in = sightings.take_in

    def broken(session: Any, context: Any, customer_id: int, details: Any, *arguments: Any, **more: Any) -> Any:
        seen = take_in(session, context, customer_id, details, *arguments, **more)
        named = {follower.userid for follower in details.follow_users}
        userids = dict(session.execute(text("SELECT id, userid FROM staff")).all())
        for relation in customers.live_relations(session, customer_id):
            if userids[relation.staff_id] not in named:
                relations.close_epoch(session, relation, "customer", context.now, context.now)
        return seen

    patch.setattr(sightings, "take_in", broken)


def bulk_absence_closes(patch: pytest.MonkeyPatch) -> None:
    ask = pull_finish.PHASES["ask"]

    def broken(session: Any, runtime: Any, run: Any) -> Any:
        asking = ask(session, runtime, run)

        def closing(session: Any, runtime: Any, run: Any) -> bool:
            query = select(SyncRunItem).where(SyncRunItem.run_id == run.id, SyncRunItem.kind == "absent")
            for item in session.scalars(query.where(SyncRunItem.state == "waiting")):
                now = runtime.clock.now()
                relations.close_epoch(session, session.get(Relation, item.relation_id), "customer", now, now)
            return asking(session, runtime, run)

        return closing

    patch.setattr(pull_finish, "PHASES", {**pull_finish.PHASES, "ask": broken})


def bulk_skips_nothing_sent(merge: MergeFunction) -> MergeFunction:
    def broken(truth: UnitTruth, cells: Mapping[int, Cell], relation: RelationState, look: Look) -> Merge:
        return merge(truth, cells, relation, replace(look, bulk=False))

    return broken


def restless_lines_are_quiet(patch: pytest.MonkeyPatch) -> None:
    is_quiet = page_lines.Line.is_quiet

    def broken(line: page_lines.Line, ours: Mapping[str, int]) -> bool:
        if line.known is not None:
            known = SimpleNamespace(**{**line.known._mapping, "is_restless": False})
            line = line._replace(known=known)
        return is_quiet(line, ours)

    patch.setattr(page_lines.Line, "is_quiet", broken)


def older_page_counts(merge: MergeFunction) -> MergeFunction:
    def broken(truth: UnitTruth, cells: Mapping[int, Cell], relation: RelationState, look: Look) -> Merge:
        return merge(truth, cells, relation, replace(look, seq=max(look.seq, truth.latest)) if look.bulk else look)

    return broken


MUTANTS = (
    Mutant(
        "a machine takes what a person holds",
        pinned.a_rule_does_not_take_what_a_person_put_on,
        decide=machine_ignores_people,
    ),
    Mutant("no base: what waits is read as edits", pinned.what_waits_to_be_pushed_is_no_edit_of_anybody, merge=no_base),
    Mutant(
        "an opposite intent cancels the operation",
        pinned.there_and_back_while_a_push_is_unresolved_ends_at_the_last_act,
        breaks=opposite_cancels,
    ),
    Mutant(
        "sent is not written before the call",
        pinned.our_own_push_is_no_edit_even_after_a_crash,
        breaks=sent_not_written,
    ),
    Mutant(
        "guard without the version",
        pinned.an_answer_from_before_an_act_does_not_decide_about_it,
        merge=guard_without_version,
    ),
    Mutant("push without a look", pinned.nothing_is_pushed_over_what_nobody_has_looked_at, breaks=push_without_a_look),
    Mutant("loss is removal", pinned.the_end_of_a_friendship_takes_no_tag_from_the_customer, breaks=loss_is_removal),
    Mutant(
        "createtime is ignored",
        pinned.tags_dropped_by_a_friendship_made_anew_are_no_removals,
        breaks=createtime_ignored,
    ),
    Mutant("leftovers are edits", pinned.what_a_friendship_kept_is_not_put_on_anew, merge=leftovers_are_edits),
    Mutant("no library check", pinned.a_deleted_tag_is_taken_off_nobody, breaks=no_library_check),
    Mutant(
        "the last look wins without a row",
        pinned.two_people_who_have_not_seen_each_other_leave_a_row,
        merge=last_look_wins,
    ),
    Mutant("a machine beats an unseen edit", pinned.an_unseen_edit_beats_a_machine, merge=machine_beats_unseen_edit),
    Mutant("coincidence is ignored", pinned.who_did_in_wecom_what_we_want_has_acted, merge=coincidence_ignored),
    Mutant(
        "single choice per tag",
        pinned.a_single_choice_group_has_one_value_on_every_friendship,
        merge=single_choice_per_tag,
    ),
    Mutant("union undoes removals", pinned.a_removal_in_wecom_is_carried_to_the_other_friendships, merge=union_merge),
    Mutant("errcode 0 closes", pinned.errcode_zero_proves_nothing, breaks=errcode_zero_closes),
    Mutant("absence from one answer closes", pinned.a_short_answer_ends_no_friendship, breaks=absence_closes),
    Mutant("absence from a page closes", pinned.a_short_page_ends_no_friendship, breaks=bulk_absence_closes),
    Mutant(
        "a page counts where a push is under way",
        pinned.a_page_does_not_decide_about_a_push_that_is_under_way,
        merge=bulk_skips_nothing_sent,
    ),
    Mutant(
        "a page older than an intent counts",
        pinned.a_page_from_before_an_act_does_not_decide_about_it,
        merge=older_page_counts,
    ),
    Mutant(
        "a line that shows nothing new counts, however old",
        pinned.a_page_from_before_an_act_does_not_decide_about_it,
        breaks=restless_lines_are_quiet,
    ),
)
