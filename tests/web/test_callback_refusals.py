"""`/wecom/callback` refuses whatever is not provably WeCom's, always with the same bytes, and is never upset by it."""

import json
from collections.abc import Iterator
from io import BytesIO
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select
from werkzeug.test import TestResponse

from tests.conftest import START
from tests.flows.company import Company
from tests.web.conftest import open_receiver
from tests.web.sender import MESSAGE, PATH, ROTATED, SAMPLE, Sender, as_xml, post
from wecom_app.clock import ManualClock
from wecom_app.models import InboxEvent
from wecom_app.web.callback import MAX_BODY

STRANGER = Sender("Stranger", ROTATED.encoding_aes_key, SAMPLE.receiver)
SEALED = SAMPLE.seal(MESSAGE)
QUERY = SAMPLE.query(SEALED)
BODY = as_xml(SEALED)
PADDED = SAMPLE.padded(MESSAGE.encode())

Request = tuple[Any, bytes]
Shape = tuple[int, bytes, list[tuple[str, str]]]


def signed(sealed: str) -> Request:
    """Return a request whose signature is right for the ciphertext."""
    return SAMPLE.query(sealed), as_xml(sealed)


def with_plain(padded: bytes) -> Request:
    """Return a request that is right but for what it decrypts to."""
    return signed(SAMPLE.encrypt(padded))


def with_query(**changes: Any) -> Request:
    return {name: value for name, value in (QUERY | changes).items() if value is not None}, BODY


def twice(name: str) -> Request:
    return [*QUERY.items(), (name, QUERY[name])], BODY


def with_body(body: bytes | str) -> Request:
    return QUERY, body.encode() if isinstance(body, str) else body


REFUSED: dict[str, Request] = {
    "wrong signature": with_query(msg_signature="0" * 40),
    "signature in capitals": with_query(msg_signature=QUERY["msg_signature"].upper()),
    "signature that is no hex": with_query(msg_signature="é" * 40),
    "signature with a line end": with_query(msg_signature=QUERY["msg_signature"] + "\n"),
    "empty signature": with_query(msg_signature=""),
    "no signature": with_query(msg_signature=None),
    "no timestamp": with_query(timestamp=None),
    "no nonce": with_query(nonce=None),
    "signature twice": twice("msg_signature"),
    "timestamp twice": twice("timestamp"),
    "nonce twice": twice("nonce"),
    "another timestamp": with_query(timestamp="1700000001"),
    "endless nonce": with_query(nonce="1" * 10_000),
    "unknown token": (STRANGER.query(SEALED), BODY),
    "known token and unknown key": signed(STRANGER.seal(MESSAGE)),
    "another receiver": with_plain(SAMPLE.padded(b"x", receiver="wx0000000000000000")),
    "no receiver": with_plain(SAMPLE.padded(b"x", receiver="")),
    "beginning of the receiver": with_plain(SAMPLE.padded(b"x", receiver=SAMPLE.receiver[:-1])),
    "receiver and more": with_plain(SAMPLE.padded(b"x", receiver=SAMPLE.receiver + "x")),
    "length too large": with_plain(SAMPLE.padded(b"x", length=500)),
    "length far too large": with_plain(SAMPLE.padded(b"x", length=2**32 - 1)),
    "length too small": with_plain(SAMPLE.padded(b"xx", length=1)),
    "padding of zero": with_plain(PADDED[:-1] + b"\0"),
    "padding of 33": with_plain(PADDED[:-1] + b"\x21"),
    "padding of different bytes": with_plain(PADDED[:-2] + bytes([PADDED[-2] ^ 1, PADDED[-1]])),
    "padding and nothing else": with_plain(b"\x20" * 32),
    "too short for a length": with_plain(b"R" * 18 + b"\x0e" * 14),
    "no whole blocks": signed("AAAA"),
    "not base64": signed("@" * 64),
    "base64 cut off": signed(SEALED[:-1]),
    "base64 with a line end in it": signed(SEALED[:20] + "\n" + SEALED[20:]),
    "nothing sealed": signed(""),
    "plaintext that is not UTF-8": with_plain(SAMPLE.padded(b"<xml>\xff</xml>")),
    "empty body": with_body(b""),
    "space": with_body(" \n"),
    "huge body": with_body(BODY + b" " * 65_536),
    "document type": with_body(b"<!DOCTYPE xml>" + BODY),
    "entity": with_body(b'<!DOCTYPE x [<!ENTITY a "b">]>' + BODY),
    "processing instruction": with_body(b"<?php ?>" + BODY),
    "two elements Encrypt": with_body(f"<xml><Encrypt>{SEALED}</Encrypt><Encrypt>{SEALED}</Encrypt></xml>"),
    "two spellings of Encrypt": with_body(f"<xml><Encrypt>{SEALED}</Encrypt><encrypt>{SEALED}</encrypt></xml>"),
    "no element Encrypt": with_body("<xml><ToUserName>ww1</ToUserName></xml>"),
    "Encrypt with children": with_body(f"<xml><Encrypt><a>{SEALED}</a></Encrypt></xml>"),
    "deep nesting": with_body("<a>" * 5000 + "</a>" * 5000),
    "many elements": with_body("<xml>" + "<a/>" * 5000 + f"<Encrypt>{SEALED}</Encrypt></xml>"),
    "cut XML": with_body(BODY[:-10]),
    "XML as UTF-16": with_body(BODY.decode().encode("utf-16")),
    "XML declared as UTF-7": with_body(b'<?xml version="1.0" encoding="UTF-7"?>' + BODY),
    "bytes that are not UTF-8": with_body(b"<xml><Encrypt>\xc3\x28</Encrypt></xml>"),
    "NUL": with_body("<xml>\0</xml>"),
    "JSON without Encrypt": with_body('{"ToUserName": "ww1"}'),
    "JSON with Encrypt twice": with_body(f'{{"Encrypt": "{SEALED}", "Encrypt": "{SEALED}"}}'),
    "JSON with a number for Encrypt": with_body('{"Encrypt": 7}'),
    "JSON with null for Encrypt": with_body('{"Encrypt": null}'),
    "JSON with a lone surrogate": with_body('{"Encrypt": "\\ud800"}'),
    "JSON of many digits": with_body('{"Encrypt": ' + "9" * 60_000 + "}"),
    "JSON list": with_body("[1]"),
    "deep JSON": with_body('{"a":' * 5000),
    "form": with_body("Encrypt=1"),
}
ECHOES: dict[str, Any] = {
    "no parameters": {},
    "no echostr": QUERY,
    "echostr twice": [*QUERY.items(), ("echostr", SEALED), ("echostr", SEALED)],
    "echostr of another signature": QUERY | {"echostr": SAMPLE.seal("12345")},
    "echostr of another receiver": SAMPLE.query(
        foreign := SAMPLE.encrypt(SAMPLE.padded(b"12345", receiver="wx0000000000000000"))
    )
    | {"echostr": foreign},
    "endless echostr": SAMPLE.query("A" * 70_000) | {"echostr": "A" * 70_000},
    "echostr that is no base64": SAMPLE.query("%") | {"echostr": "%"},
    "empty echostr": SAMPLE.query("") | {"echostr": ""},
}


@pytest.fixture(scope="module")
def receiver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Company]:
    """One deployment for all that is refused."""
    path = tmp_path_factory.mktemp("refusals") / "test.db"
    opened = open_receiver(f"sqlite:///{path}", ManualClock(START), SAMPLE, ROTATED)
    yield opened
    opened.close()


def shape(answer: TestResponse) -> Shape:
    return answer.status_code, answer.data, sorted(answer.headers.items())


@pytest.fixture(scope="module")
def refusal(receiver: Company) -> Shape:
    """What every refusal must look like."""
    return shape(receiver.client.get(PATH))


def count_stored(company: Company) -> int:
    with company.runtime.read() as session:
        return session.execute(select(func.count()).select_from(InboxEvent)).scalar_one()


def test_a_refusal_is_an_empty_403(refusal: Shape) -> None:
    status, body, headers = refusal

    assert (status, body, dict(headers)["Content-Length"]) == (403, b"", "0")


@pytest.mark.parametrize("cause", REFUSED)
def test_every_cause_is_refused_with_the_same_bytes(receiver: Company, refusal: Shape, cause: str) -> None:
    query, body = REFUSED[cause]
    before = count_stored(receiver)

    assert shape(post(receiver, query, body)) == refusal
    assert count_stored(receiver) == before


@pytest.mark.parametrize("cause", ECHOES)
def test_a_verification_is_refused_with_the_same_bytes(receiver: Company, refusal: Shape, cause: str) -> None:
    assert shape(receiver.client.get(PATH, query_string=ECHOES[cause])) == refusal


def test_a_huge_body_of_unknown_length_is_refused_with_the_same_bytes(receiver: Company, refusal: Shape) -> None:
    """A chunked body has no Content-Length; the server says that it knows where it ends."""
    answer = receiver.client.post(
        PATH,
        query_string=QUERY,
        input_stream=BytesIO(BODY + b" " * 200_000),
        environ_overrides={"wsgi.input_terminated": True},
    )

    assert shape(answer) == refusal


@pytest.mark.parametrize("told", [True, False], ids=["length told", "length not told"])
def test_a_huge_body_is_not_read_to_its_end(receiver: Company, told: bool) -> None:
    stream = BytesIO(b"<xml>" + b" " * 900_000)
    environ = {} if told else {"wsgi.input_terminated": True}
    length = {"content_length": 900_005} if told else {}

    answer = receiver.client.post(PATH, query_string=QUERY, input_stream=stream, environ_overrides=environ, **length)

    assert answer.status_code == 403
    assert stream.tell() <= 2 * MAX_BODY


def test_each_digit_of_the_signature_counts(receiver: Company) -> None:
    signature = QUERY["msg_signature"]
    for position, digit in enumerate(signature):
        forged = signature[:position] + ("0" if digit != "0" else "1") + signature[position + 1 :]
        assert post(receiver, QUERY | {"msg_signature": forged}, BODY).status_code == 403


def test_each_character_of_the_ciphertext_counts(receiver: Company) -> None:
    for position, character in enumerate(SEALED):
        forged = SEALED[:position] + ("A" if character != "A" else "B") + SEALED[position + 1 :]
        assert post(receiver, QUERY, as_xml(forged)).status_code == 403


@pytest.mark.parametrize("position", range(1, PADDED[-1] + 1))
def test_each_byte_of_the_padding_counts(receiver: Company, position: int) -> None:
    plain = bytearray(PADDED)
    plain[-position] ^= 0x80

    assert post(receiver, *with_plain(bytes(plain))).status_code == 403


def test_refusals_are_counted_but_not_by_cause(receiver: Company) -> None:
    def refused() -> float:
        found = receiver.runtime.metrics.registry.get_sample_value(
            "wecom_app_callback_requests_total", {"result": "refused"}
        )
        return found or 0.0

    before = refused()
    post(receiver, {}, b"")
    post(receiver, QUERY, b"<xml/>")

    assert refused() == before + 2


def flipped(flips: list[tuple[int, int]]) -> bytes:
    body = bytearray(BODY)
    for position, mask in flips:
        body[position] ^= mask
    return bytes(body)


FLIPS = st.lists(
    st.tuples(st.integers(0, len(BODY) - 1), st.integers(1, 255)),
    min_size=1,
    max_size=4,
    unique_by=lambda flip: flip[0],
)
ANY_TEXT = st.text(st.characters(), max_size=60)
BODIES = st.one_of(
    st.binary(max_size=400),
    ANY_TEXT.map(lambda text: text.encode("utf-8", "surrogatepass")),
    FLIPS.map(flipped),
    st.integers(0, len(BODY) - 2).map(lambda size: BODY[:size]),
    st.integers(5, 300).map(lambda depth: b"<xml>" * depth + b"</xml>" * depth),
    st.sampled_from(["utf-16", "utf-16-be", "utf-32", "utf-7", "cp037"]).map(BODY.decode().encode),
    ANY_TEXT.map(lambda text: f"<xml><Encrypt>{text}</Encrypt></xml>".encode("utf-8", "surrogatepass")),
    st.dictionaries(st.sampled_from(["Encrypt", "encrypt", "a"]), ANY_TEXT | st.integers() | st.none()).map(
        lambda fields: json.dumps(fields).encode()
    ),
)


@given(BODIES)
@settings(max_examples=1000, deadline=None, suppress_health_check=list(HealthCheck))
def test_a_malformed_body_is_refused_whatever_it_is(receiver: Company, body: bytes) -> None:
    status = post(receiver, QUERY, body).status_code

    # Some changes leave `Encrypt` as it was, and what stands around it is not signed.
    assert status == 403 or (status == 200 and SEALED.encode() in body)


@given(st.binary(max_size=200), st.booleans())
@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
def test_a_signed_body_that_decrypts_to_nonsense_is_refused(receiver: Company, plain: bytes, padded: bool) -> None:
    pad = 32 - len(plain) % 32
    padding = bytes([pad]) * pad if padded else b"\0" * pad

    assert post(receiver, *with_plain(plain + padding)).status_code == 403


@given(st.dictionaries(st.sampled_from(["msg_signature", "timestamp", "nonce", "echostr"]), ANY_TEXT))
@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
def test_any_parameters_of_a_verification_are_refused(receiver: Company, query: dict[str, str]) -> None:
    given_query = {name: value.encode("utf-8", "replace").decode() for name, value in query.items()}

    assert receiver.client.get(PATH, query_string=given_query).status_code == 403
