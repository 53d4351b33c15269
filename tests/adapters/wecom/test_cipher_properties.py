"""Whatever bytes come in, the cipher gives back the sealed message or CallbackRejected, and nothing else."""

import random

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.adapters.wecom.callback_sender import CORP_ID, Sender, envelope
from wecom_app.adapters.wecom.crypto import Cipher
from wecom_app.errors import CallbackRejected
from wecom_app.services.ports import CallbackQuery

SENDER = Sender()
CIPHER = Cipher(CORP_ID, [SENDER.callback_key])
MESSAGE = "<xml><Event>change_external_contact</Event></xml>"
ENCRYPTED = SENDER.sealed(MESSAGE)
BODY = envelope(ENCRYPTED)
QUERY = SENDER.sign(ENCRYPTED)
FAST = settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def opened(query: CallbackQuery, body: bytes) -> str | None:
    try:
        return CIPHER.open_message(query, body)
    except CallbackRejected:
        return None


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=2000))
@FAST
def test_every_message_comes_out_as_it_went_in(message: str) -> None:
    encrypted = SENDER.sealed(message)
    assert CIPHER.open_message(SENDER.sign(encrypted), envelope(encrypted)) == message


@given(st.binary(max_size=2000))
@FAST
def test_random_bodies_are_refused(body: bytes) -> None:
    assert opened(QUERY, body) is None


@given(st.binary(max_size=400))
@FAST
def test_random_plaintexts_that_are_signed_open_only_if_well_formed(plain: bytes) -> None:
    padding = 32 - len(plain) % 32
    encrypted = SENDER.seal(plain + bytes([padding]) * padding)
    assert opened(SENDER.sign(encrypted), envelope(encrypted)) is None


@given(st.text(max_size=200), st.text(max_size=200), st.text(max_size=200), st.text(max_size=400))
@FAST
def test_random_queries_and_echoes_are_refused(signature: str, timestamp: str, nonce: str, echo: str) -> None:
    try:
        CIPHER.open_echo(CallbackQuery(signature, timestamp, nonce), echo)
    except CallbackRejected:
        return
    raise AssertionError("a forged echo was opened")


def mutated(chance: random.Random) -> bytes:
    """Flip, cut, double, move or insert a few pieces of a good body."""
    body = bytearray(BODY)
    for _ in range(chance.randint(1, 4)):
        start, length = chance.randrange(len(body) + 1), chance.randint(0, 40)
        piece = bytes(body[start : start + length])
        kind = chance.randrange(6)
        if kind == 0 and start < len(body):
            body[start] ^= 1 << chance.randrange(8)
        elif kind == 1:
            del body[start : start + length]
        elif kind == 2:
            body[start:start] = piece * chance.randint(1, 3)
        elif kind == 3:
            body[start:start] = chance.choice(PIECES)
        elif kind == 4:
            del body[start:]
        else:
            body += piece
    return bytes(body)


PIECES = (
    b"<Encrypt>",
    b"</Encrypt>",
    b"<Encrypt>x</Encrypt>",
    b"<!DOCTYPE a>",
    b"<?x y?>",
    b"&amp;",
    b"&#0;",
    b"&#xd800;",
    b"]]>",
    b"\x00",
    b"\xff\xfe",
    b"\xef\xbb\xbf",
    b"<a><a><a><a>",
    b'{"Encrypt":',
)


def test_ten_thousand_mutated_bodies_are_opened_right_or_refused() -> None:
    chance = random.Random(20261123)
    results = [opened(QUERY, mutated(chance)) for _ in range(10_000)]
    assert set(results) == {None, MESSAGE}  # only the unsigned parts of the envelope may change
    assert results.count(None) > 8_000


def test_ten_thousand_signed_malformed_ciphertexts_are_refused() -> None:
    chance = random.Random(20261124)
    plain = SENDER.padded(MESSAGE.encode())
    for _ in range(10_000):
        spoilt = bytearray(plain)
        for _ in range(chance.randint(1, 3)):
            spoilt[chance.randrange(16, len(spoilt))] ^= 1 << chance.randrange(8)
        if chance.random() < 0.3:
            del spoilt[: 16 * chance.randint(1, len(spoilt) // 16 - 1)]
        encrypted = SENDER.seal(bytes(spoilt))
        message = opened(SENDER.sign(encrypted), envelope(encrypted))
        assert message is None or len(message.encode()) == len(MESSAGE)  # only bytes of the text changed
