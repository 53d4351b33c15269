"""`/wecom/callback` takes what is WeCom's: the published samples, every envelope, every key pair in force."""

from collections.abc import Callable, Iterator

import pytest
from sqlalchemy import select
from wechatpy.work.crypto import WeChatCrypto

from tests.flows.company import Company
from tests.web.conftest import open_receiver
from tests.web.sender import ENVELOPES, MESSAGE, PATH, ROTATED, SAME_TOKEN, SAMPLE, Sender, as_xml, deliver, post
from wecom_app.clock import ManualClock
from wecom_app.models import InboxEvent

PAIRS = {"the old pair": SAMPLE, "the new pair": ROTATED, "a pair with the same token": SAME_TOKEN}
SAMPLE_ECHO = "P9nAzCzyDtyTWESHep1vC5X9xho/qYX3Zpb4yKa9SKld1DsH3Iyt3tP3zNdtp+4RPcs8TgAE7OaBO+FZXvnaqQ=="
SAMPLE_MESSAGE = (
    "RypEvHKD8QQKFhvQ6QleEB4J58tiPdvo+rtK1I9qca6aM/wvqnLSV5zEPeusUiX5L5X/0lWfrf0QADHHhGd3QczcdCUpj911L3vg3W/sYYvuJTs3TU"
    "UkSUXxaccAS0qhxchrRYt66wiSpGLYL42aM6A8dTT+6k4aSknmPj48kzJs8qLjvd4Xgpue06DOdnLxAUHzM6+kDZ+HMZfJYuR+LtwGc2hgf5gsijff"
    "0ekUNXZiqATP7PF5mZxZ3Izoun1s4zG4LUMnvw2r+KqCKIw+3IQH03v+BCA9nMELNqbSf6tiWSrXJB3LAVGUcallcrw8V2t9EL4EhzJWrQUax5wLVM"
    "NS0+rUPA3k22Ncx4XXZS9o0MBH27Bo6BpNelZpS+/uh9KsNlY6bHCmJU9p8g7m3fVKn28H3KDYA5Pl/T8Z1ptDAVe0lXdQ2YoyyH2uyPIGHBZZIs2p"
    "DBS8R07+qN+E7Q=="
)


@pytest.fixture
def receiver(database_url: str, clock: ManualClock) -> Iterator[Company]:
    """A deployment with the settings of the published samples, and two more key pairs."""
    opened = open_receiver(database_url, clock, *PAIRS.values())
    yield opened
    opened.close()


def stored(company: Company) -> list[InboxEvent]:
    with company.runtime.read() as session:
        return list(session.execute(select(InboxEvent).order_by(InboxEvent.id)).scalars())


def test_the_published_sample_of_the_verification_is_answered_with_its_plaintext(receiver: Company) -> None:
    query = {
        "msg_signature": "5c45ff5e21c57e6ad56bac8758b79b1d9ac89fd3",
        "timestamp": "1409659589",
        "nonce": "263014780",
        "echostr": SAMPLE_ECHO,
    }

    answer = receiver.client.get(PATH, query_string=query)

    assert (answer.status_code, answer.data) == (200, b"1616140317555161061")


def test_the_published_sample_message_is_stored(receiver: Company) -> None:
    query = {
        "msg_signature": "477715d11cdb4164915debcba66cb864d751f3e6",
        "timestamp": "1409659813",
        "nonce": "1372623149",
    }

    answer = post(receiver, query, as_xml(SAMPLE_MESSAGE))

    assert (answer.status_code, answer.data) == (200, b"success")
    (event,) = stored(receiver)
    assert (event.event, event.subject) == ("text", "mycreate")
    assert event.fields is not None
    assert (event.fields["Content"], event.fields["AgentID"]) == ("hello", "218")


@pytest.mark.parametrize("envelope", ENVELOPES, ids=lambda envelope: envelope.__name__)
def test_any_envelope_of_an_independent_sender_is_taken(receiver: Company, envelope: Callable[[str], bytes]) -> None:
    sealed = SAMPLE.seal(MESSAGE)

    answer = post(receiver, SAMPLE.query(sealed), envelope(sealed))

    assert (answer.status_code, answer.data) == (200, b"success")
    assert [event.body for event in stored(receiver)] == [MESSAGE]


@pytest.mark.parametrize("sender", PAIRS.values(), ids=PAIRS)
def test_every_key_pair_of_a_rotation_verifies_the_address(receiver: Company, sender: Sender) -> None:
    sealed = sender.seal("12345")

    answer = receiver.client.get(PATH, query_string=sender.query(sealed) | {"echostr": sealed})

    assert (answer.status_code, answer.data) == (200, b"12345")


@pytest.mark.parametrize("sender", PAIRS.values(), ids=PAIRS)
def test_every_key_pair_of_a_rotation_delivers_messages(receiver: Company, sender: Sender) -> None:
    assert deliver(receiver, sender, MESSAGE).data == b"success"
    assert [event.body for event in stored(receiver)] == [MESSAGE]


@pytest.mark.parametrize("sender", PAIRS.values(), ids=PAIRS)
def test_what_wechatpy_encrypts_is_taken(receiver: Company, sender: Sender) -> None:
    crypto = WeChatCrypto(sender.token, sender.encoding_aes_key, sender.receiver)
    body = crypto.encrypt_message(MESSAGE, "263014780", "1700000000")
    signature = body.split("<MsgSignature><![CDATA[")[1][:40]
    query = {"msg_signature": signature, "timestamp": "1700000000", "nonce": "263014780"}

    answer = post(receiver, query, body.encode())

    assert (answer.status_code, answer.data) == (200, b"success")
    assert [event.body for event in stored(receiver)] == [MESSAGE]


@pytest.mark.parametrize("text", ["a", "您好😀", " text with space ", "x" * 200])
def test_a_verification_is_answered_with_exactly_the_plaintext(receiver: Company, text: str) -> None:
    sealed = SAMPLE.seal(text)

    answer = receiver.client.get(PATH, query_string=SAMPLE.query(sealed) | {"echostr": sealed})

    assert (answer.status_code, answer.data) == (200, text.encode())
    assert answer.mimetype == "text/plain"


def test_unsigned_outer_fields_decide_nothing(receiver: Company) -> None:
    sealed = SAMPLE.seal(MESSAGE)
    body = f"<xml><ToUserName>another</ToUserName><Encrypt>{sealed}</Encrypt><Event>forged</Event></xml>"

    assert post(receiver, SAMPLE.query(sealed), body.encode()).status_code == 200
    assert [event.event for event in stored(receiver)] == ["brand_new"]


def test_a_plus_sign_in_the_echo_must_be_percent_encoded(receiver: Company) -> None:
    """As WeCom does it; a bare `+` means a space in a query."""
    sealed = next(sealed for number in range(1000) if "+" in (sealed := SAMPLE.seal(str(number))))
    query = SAMPLE.query(sealed)
    bare = "&".join(f"{name}={value}" for name, value in query.items())

    assert receiver.client.get(PATH, query_string=query | {"echostr": sealed}).status_code == 200
    assert receiver.client.get(f"{PATH}?{bare}&echostr={sealed}").status_code == 403


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND"])
def test_other_methods_are_not_allowed(receiver: Company, method: str) -> None:
    sealed = SAMPLE.seal(MESSAGE)

    answer = receiver.client.open(PATH, method=method, query_string=SAMPLE.query(sealed), data=as_xml(sealed))

    assert answer.status_code == 405
    assert {"GET", "POST"} <= set(answer.headers["Allow"].split(", "))
    assert stored(receiver) == []
