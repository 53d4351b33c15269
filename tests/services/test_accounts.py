"""API keys, and the memory that lets a request that comes twice be answered once."""

import threading
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import START
from tests.services.waiting import wait_until_blocked
from wecom_app.db import Database
from wecom_app.errors import AppError, Conflict, InvalidInput, NotSignedIn
from wecom_app.models import ApiKey, IdempotencyRecord
from wecom_app.services import accounts
from wecom_app.services.accounts import (
    ABANDONED_AFTER,
    KEPT_FOR,
    Caller,
    KeyScope,
    StoredAnswer,
    authenticate,
    begin_once,
    create_key,
    end_once,
)

ANSWER = StoredAnswer(201, '{"名称":"甲"}')


@pytest.fixture
def caller(database: Database) -> Caller:
    return known(database, create(database))


def create(database: Database, *scopes: str) -> str:
    with database.write() as session:
        return create_key(session, "mall", scopes or ["read"], START)


def known(database: Database, key: str) -> Caller:
    with database.read() as session:
        return authenticate(session, key)


def begin(
    database: Database, caller: Caller, key: str = "one", *, request: str = "hash", after: timedelta = timedelta(0)
) -> StoredAnswer | None:
    with database.write() as session:
        return begin_once(session, caller, key, request, START + after)


def end(database: Database, caller: Caller, answer: StoredAnswer | None, key: str = "one") -> None:
    with database.write() as session:
        end_once(session, caller, key, answer)


# Keys.


@pytest.mark.both
def test_a_new_key_opens_the_door_with_its_name_and_scopes(database: Database) -> None:
    found = known(database, create(database, "write", "read", "write"))

    assert (found.name, found.scopes) == ("mall", {"read", "write"})


def test_no_two_keys_are_alike(database: Database) -> None:
    assert len({create(database) for _ in range(5)}) == 5


def test_the_secret_is_kept_nowhere(database: Database, tmp_path: Path) -> None:
    secret = create(database).partition(".")[2]
    database.close()

    written = b"".join(path.read_bytes() for path in tmp_path.glob("test.db*"))
    assert secret.encode() not in written


@pytest.mark.parametrize("scopes", [[], ["everything"], ["read", "Write"]])
def test_a_key_without_known_scopes_is_refused(database: Database, scopes: list[str]) -> None:
    with database.write() as session, pytest.raises(InvalidInput):
        create_key(session, "mall", scopes, START)


@pytest.mark.parametrize("name", ["", "  "])
def test_a_key_without_a_name_is_refused(database: Database, name: str) -> None:
    with database.write() as session, pytest.raises(InvalidInput):
        create_key(session, name, ["read"], START)


@pytest.mark.both
def test_nothing_like_a_key_opens_the_door(database: Database) -> None:
    key = create(database)
    prefix, secret = key.split(".")
    forms = [
        f"{key}x",
        f"x{key}",
        f"{key}\n",
        prefix,
        f"{prefix}.",
        f".{secret}",
        f"{prefix}.\0",
        f"{prefix}.é",
        "",
        "\0.\0",
    ]

    for form in forms:
        with pytest.raises(NotSignedIn):
            known(database, form)
    assert known(database, key)


def test_a_revoked_key_opens_nothing(database: Database) -> None:
    key = create(database)
    with database.write() as session:
        session.get_one(ApiKey, 1).revoked_at = START

    with pytest.raises(NotSignedIn):
        known(database, key)


def test_the_scope_admin_includes_all_others() -> None:
    admin, reader = (Caller(1, "name", frozenset({scope})) for scope in ("admin", "read"))

    assert all(admin.may(scope) for scope in KeyScope)
    assert [scope for scope in KeyScope if reader.may(scope)] == [KeyScope.READ]


# Requests that come twice.


@pytest.mark.both
def test_the_first_request_may_run_and_the_next_gets_its_answer(database: Database, caller: Caller) -> None:
    assert begin(database, caller) is None
    end(database, caller, ANSWER)

    assert begin(database, caller) == ANSWER


def test_a_request_that_still_runs_is_not_run_again(database: Database, caller: Caller) -> None:
    begin(database, caller)

    with pytest.raises(Conflict):
        begin(database, caller, after=ABANDONED_AFTER - timedelta(seconds=1))


def test_a_request_that_was_cut_off_may_be_run_again(database: Database, caller: Caller) -> None:
    begin(database, caller)

    assert begin(database, caller, after=ABANDONED_AFTER) is None
    with pytest.raises(Conflict):
        begin(database, caller, after=ABANDONED_AFTER + timedelta(seconds=1))


def test_a_failure_that_may_pass_frees_the_key(database: Database, caller: Caller) -> None:
    begin(database, caller)
    end(database, caller, None)

    assert begin(database, caller, request="another") is None


@pytest.mark.parametrize("answered", [True, False])
def test_a_key_used_for_another_request_is_refused(database: Database, caller: Caller, answered: bool) -> None:
    begin(database, caller)
    if answered:
        end(database, caller, ANSWER)

    with pytest.raises(InvalidInput):
        begin(database, caller, request="another")


@pytest.mark.both
def test_answers_are_forgotten_after_a_day(database: Database, caller: Caller) -> None:
    begin(database, caller)
    end(database, caller, ANSWER)

    assert begin(database, caller, after=KEPT_FOR) == ANSWER
    begin(database, caller, "two", after=KEPT_FOR + timedelta(seconds=1))
    with database.read() as session:
        assert session.get(IdempotencyRecord, (caller.id, "one")) is None


@pytest.mark.both
def test_an_old_answer_is_not_given_again_though_only_so_many_are_deleted_at_once(
    database: Database, caller: Caller, monkeypatch: Any
) -> None:
    for key in ("one", "two", "three"):
        begin(database, caller, key)
        end(database, caller, ANSWER)
    monkeypatch.setattr(accounts, "FORGOTTEN_AT_ONCE", 1)

    after = KEPT_FOR + timedelta(seconds=1)
    assert [begin(database, caller, key, after=after) for key in ("three", "two", "one")] == [None, None, None]


def test_two_callers_do_not_share_their_keys(database: Database, caller: Caller) -> None:
    other = known(database, create(database))
    begin(database, caller)
    end(database, caller, ANSWER)

    assert begin(database, other) is None


@pytest.mark.both
def test_of_two_equal_requests_at_once_one_runs(database: Database, caller: Caller) -> None:
    outcome: list[StoredAnswer | AppError | None] = []

    def second() -> None:
        try:
            outcome.append(begin(database, caller))
        except AppError as error:
            outcome.append(error)

    thread = threading.Thread(target=second)
    with database.write() as session:
        begin_once(session, caller, "one", "hash", START)
        thread.start()
        wait_until_blocked(thread, database)
    thread.join()

    assert [type(found) for found in outcome] == [Conflict]
