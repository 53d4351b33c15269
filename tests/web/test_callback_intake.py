"""What is genuine is stored before it is answered, however odd, and handled without harm; what cannot be is 503."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

import pytest

from tests.flows.company import Company
from tests.web.conftest import sender_for
from tests.web.sender import Sender, deliver, event_xml
from wecom_app import db
from wecom_app.services import inbox
from wecom_app.web.callback import MAX_BODY

LOOK = "externalcontact/get"
LARGEST = MAX_BODY * 3 // 4 - 512
"""About as long as a message can be whose envelope just fits."""


@contextmanager
def locked(company: Company) -> Iterator[None]:
    """Hold the database's write lock, as another process would."""
    path = company.runtime.database.url.database
    assert path
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        yield
        other.execute("ROLLBACK")


def events(company: Company) -> list[Any]:
    items: list[Any] = company.get("/inbox?limit=200")["items"]
    return items


def jobs(company: Company, kind: str) -> list[Any]:
    return [job for job in company.get("/jobs?limit=200")["items"] if job["kind"] == kind]


@pytest.fixture
def customer(company: Company) -> str:
    """A customer of zhang's, at rest."""
    channel = company.make_channel()
    found: str = company.simulator.scan(channel["config_id"])["external_userid"]
    company.settle()
    company.simulator.calls.clear()
    return found


def edit(customer: str, **more: str) -> str:
    return event_xml(
        FromUserName="sys",
        CreateTime="1795399200",
        MsgType="event",
        Event="change_external_contact",
        ChangeType="edit_external_contact",
        UserID="zhang",
        ExternalUserID=customer,
        **more,
    )


# Storing.


@pytest.mark.both
def test_success_is_answered_after_event_and_job_are_stored(company: Company, sender: Sender) -> None:
    message = event_xml(MsgType="event", Event="change_external_tag", ChangeType="update", Id="et1")

    assert deliver(company, sender, message).data == b"success"

    (event,) = events(company)
    assert (event["event"], event["change_type"], event["state"]) == ("change_external_tag", "update", "waiting")
    assert [job["args"] for job in jobs(company, inbox.HANDLE_KIND)] == [{"event_id": event["id"]}]


@pytest.mark.parametrize("with_writer", [False, True], ids=["caller stores", "writer stores"])
def test_what_cannot_be_stored_is_asked_for_again(
    company: Company, sender: Sender, monkeypatch: pytest.MonkeyPatch, with_writer: bool
) -> None:
    monkeypatch.setattr(db, "LOCK_WAIT_S", 0.05)
    if with_writer:
        company.runtime.intake.start()
    with locked(company):
        answer = deliver(company, sender, edit("wm_li"))

    assert (answer.status_code, answer.data) == (503, b"")
    assert int(answer.headers["Retry-After"]) >= 1
    assert events(company) == []
    assert jobs(company, inbox.HANDLE_KIND) == []


def test_a_delivery_that_was_refused_for_a_lock_is_taken_the_next_time(
    company: Company, sender: Sender, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(db, "LOCK_WAIT_S", 0.05)
    with locked(company):
        assert deliver(company, sender, edit("wm_li")).status_code == 503

    assert deliver(company, sender, edit("wm_li")).status_code == 200
    assert [event["deliveries"] for event in events(company)] == [1]


@pytest.mark.both
def test_the_same_message_again_is_only_counted(company: Company, sender: Sender) -> None:
    message = event_xml(MsgType="event", Event="brand_new", CreateTime="1700000000")
    for _ in range(3):
        assert deliver(company, sender, message).data == b"success"
        company.settle()

    assert [event["deliveries"] for event in events(company)] == [3]
    assert len(jobs(company, inbox.HANDLE_KIND)) == 1


@pytest.mark.both
def test_messages_that_differ_in_one_character_are_two(company: Company, sender: Sender) -> None:
    for text in ("a", "b"):
        deliver(company, sender, event_xml(MsgType="text", Content=text))

    assert [event["deliveries"] for event in events(company)] == [1, 1]


# Hints.


@pytest.mark.both
def test_two_hints_of_one_second_both_lead_to_a_look(company: Company, sender: Sender, customer: str) -> None:
    for number in ("1", "2"):
        deliver(company, sender, edit(customer, Number=number))
        company.settle()

    assert len(company.simulator.calls.of(LOOK)) == 2


@pytest.mark.both
def test_a_hint_delivered_again_after_its_look_leads_to_a_second_look(
    company: Company, sender: Sender, customer: str
) -> None:
    for _ in range(2):
        deliver(company, sender, edit(customer))
        company.settle()

    assert len(company.simulator.calls.of(LOOK)) == 2
    assert [event["deliveries"] for event in events(company) if event["change_type"] == "edit_external_contact"] == [2]


def test_a_hint_delivered_again_before_its_look_leads_to_one_look(
    company: Company, sender: Sender, customer: str
) -> None:
    for _ in range(3):
        deliver(company, sender, edit(customer))
    company.settle()

    assert len(company.simulator.calls.of(LOOK)) == 1


def test_an_effect_delivered_again_leads_to_no_look(company: Company, sender: Sender, customer: str) -> None:
    message = edit(customer).replace("edit_external_contact", "add_external_contact")
    deliver(company, sender, message)
    company.settle()
    company.simulator.calls.clear()

    deliver(company, sender, message)
    company.settle()

    assert len(company.simulator.calls) == 0


# Oddities: signed properly, so stored; handled without harm.

ADDED = {"MsgType": "event", "Event": "change_external_contact", "ChangeType": "add_external_contact"}
ODD: dict[str, str] = {
    "no XML at all": "hello",
    "empty": "",
    "XML cut off": "<xml><MsgType>event</MsgType>",
    "document type": "<!DOCTYPE x><xml><MsgType>event</MsgType></xml>",
    "text in place of elements": "<xml>text</xml>",
    "no MsgType": "<xml><ChangeType>x</ChangeType></xml>",
    "no elements": "<xml/>",
    "unknown event": event_xml(MsgType="event", Event="brand_new"),
    "unknown message type": event_xml(MsgType="hologram"),
    "event name twice": "<xml><MsgType>event</MsgType><Event>a</Event><Event>b</Event></xml>",
    "event name with children": "<xml><MsgType>event</MsgType><Event><a>b</a></Event></xml>",
    "NUL": "<xml><MsgType>text</MsgType><Content>a\0b</Content></xml>",
    "nothing but NUL": "\0",
    "lone carriage return": event_xml(MsgType="text", Content="a\rb", FromUserName="zh\rang"),
    "control characters": event_xml(MsgType="text", Content="a\u0085b\u2028c"),
    "characters beyond the base plane": event_xml(MsgType="text", Content="😀", FromUserName="😀" * 100),
    "very long names": event_xml(MsgType="event", Event="e" * 500, ChangeType="c" * 500, ExternalUserID="x" * 500),
    "largest text": event_xml(MsgType="text", Content="x" * LARGEST),
    "many elements": "<xml>" + "<a>1</a>" * 1500 + "</xml>",
    "huge CreateTime": event_xml(**ADDED, UserID="zhang", ExternalUserID="wm_odd", CreateTime="99999999999"),
    "CreateTime beyond every calendar": event_xml(
        **ADDED, UserID="zhang", ExternalUserID="wm_odd", CreateTime="9" * 40
    ),
    "negative CreateTime": event_xml(**ADDED, UserID="zhang", ExternalUserID="wm_odd", CreateTime="-1"),
    "CreateTime in words": event_xml(**ADDED, UserID="zhang", ExternalUserID="wm_odd", CreateTime="soon"),
    "no customer": event_xml(**ADDED, UserID="zhang", CreateTime="1795399200"),
    "no member": event_xml(**ADDED, ExternalUserID="wm_odd", CreateTime="1795399200"),
    "very long customer": event_xml(**ADDED, UserID="zhang", ExternalUserID="x" * 65),
    "very long member": event_xml(**ADDED, UserID="z" * 65, ExternalUserID="wm_odd"),
    "unknown member": event_xml(**ADDED, UserID="nobody", ExternalUserID="wm_odd"),
    "very long State": event_xml(**ADDED, UserID="zhang", ExternalUserID="wm_odd", State="s" * 500),
    "empty welcome code": event_xml(**ADDED, UserID="zhang", ExternalUserID="wm_odd", WelcomeCode=" "),
    "unknown welcome code": event_xml(**ADDED, UserID="zhang", ExternalUserID="wm_odd", WelcomeCode="w" * 600),
    "deletion of a stranger": event_xml(
        **ADDED | {"ChangeType": "del_follow_user"}, UserID="zhang", ExternalUserID="wm_odd", CreateTime="99999999999"
    ),
    "edit of a stranger": event_xml(
        **ADDED | {"ChangeType": "edit_external_contact"}, UserID="zhang", ExternalUserID="wm_odd"
    ),
    "tag event without an id": event_xml(MsgType="event", Event="change_external_tag", ChangeType="delete"),
}


def assert_all_handled(company: Company) -> None:
    company.settle_later(20, step=10)
    assert [event for event in events(company) if event["state"] not in ("done", "ignored")] == []
    assert [job for state in ("dead", "retrying") for job in company.get(f"/jobs?state={state}")["items"]] == []


@pytest.mark.parametrize("oddity", ODD)
def test_an_oddity_is_stored_and_handling_it_does_no_harm(standing_company: Company, oddity: str) -> None:
    before = len(events(standing_company))

    answer = deliver(standing_company, sender_for(standing_company), ODD[oddity])

    assert (answer.status_code, answer.data) == (200, b"success")
    assert len(events(standing_company)) == before + 1
    assert_all_handled(standing_company)


@pytest.mark.both
def test_all_oddities_together_do_no_harm_on_either_database(company: Company, sender: Sender) -> None:
    answers = {name: deliver(company, sender, message).status_code for name, message in ODD.items()}

    assert {name: status for name, status in answers.items() if status != 200} == {}
    assert len(events(company)) == len(ODD)
    assert_all_handled(company)


@pytest.mark.both
def test_an_oddity_that_comes_again_is_known(company: Company, sender: Sender) -> None:
    for _ in range(2):
        deliver(company, sender, ODD["NUL"])

    assert [(event["event"], event["deliveries"]) for event in events(company)] == [("unreadable", 2)]


@pytest.mark.both
def test_the_welcome_of_a_channel_to_nobody_ends_in_a_recorded_expiry(company: Company, sender: Sender) -> None:
    """An event with a code but without customer: nothing can be asked, and the code leads nowhere."""
    channel = company.make_channel(welcome={"text": "{customer_name}，您好"})

    deliver(company, sender, event_xml(**ADDED, State=channel["state"], WelcomeCode="nowhere"))
    company.settle_later(30)

    assert [job["state"] for job in jobs(company, inbox.WELCOME_KIND)] == ["done"]
