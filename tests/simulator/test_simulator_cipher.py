"""The callback cipher, against Tencent's published samples and for any message."""

from hypothesis import given
from hypothesis import strategies as st

from wecom_app.simulator.cipher import CallbackCipher

TOKEN, KEY, CORP = "QDG6eK", "jWmYm7qr5nMoAUwZRjGtBxmz3KA1tkAj3ykkR6q2B2C", "wx5823bf96d3bd56c7"
OFFICIAL = CallbackCipher(TOKEN, KEY, CORP)
ECHO = "P9nAzCzyDtyTWESHep1vC5X9xho/qYX3Zpb4yKa9SKld1DsH3Iyt3tP3zNdtp+4RPcs8TgAE7OaBO+FZXvnaqQ=="
PUSH = (
    "RypEvHKD8QQKFhvQ6QleEB4J58tiPdvo+rtK1I9qca6aM/wvqnLSV5zEPeusUiX5L5X/0lWfrf0QADHHhGd3QczcdCUpj911L3vg3W/"
    "sYYvuJTs3TUUkSUXxaccAS0qhxchrRYt66wiSpGLYL42aM6A8dTT+6k4aSknmPj48kzJs8qLjvd4Xgpue06DOdnLxAUHzM6+kDZ+HMZ"
    "fJYuR+LtwGc2hgf5gsijff0ekUNXZiqATP7PF5mZxZ3Izoun1s4zG4LUMnvw2r+KqCKIw+3IQH03v+BCA9nMELNqbSf6tiWSrXJB3L"
    "AVGUcallcrw8V2t9EL4EhzJWrQUax5wLVMNS0+rUPA3k22Ncx4XXZS9o0MBH27Bo6BpNelZpS+/uh9KsNlY6bHCmJU9p8g7m3fVKn2"
    "8H3KDYA5Pl/T8Z1ptDAVe0lXdQ2YoyyH2uyPIGHBZZIs2pDBS8R07+qN+E7Q=="
)


def test_the_official_echo_is_read_and_signed():
    assert OFFICIAL.decrypt(ECHO) == "1616140317555161061"
    signature = OFFICIAL.sign("1409659589", "263014780", ECHO)
    assert signature == "5c45ff5e21c57e6ad56bac8758b79b1d9ac89fd3"


def test_the_official_push_is_read_and_signed():
    assert "<MsgId>4561255354251345929</MsgId>" in OFFICIAL.decrypt(PUSH)
    signature = OFFICIAL.sign("1409659813", "1372623149", PUSH)
    assert signature == "477715d11cdb4164915debcba66cb864d751f3e6"


@given(st.text())
def test_any_message_comes_back(message):
    assert OFFICIAL.decrypt(OFFICIAL.encrypt(message)) == message


@given(st.integers(0, 64))
def test_every_length_of_padding_comes_back(length):
    assert OFFICIAL.decrypt(OFFICIAL.encrypt("x" * length)) == "x" * length


def test_two_encryptions_differ():
    assert OFFICIAL.encrypt("hello") != OFFICIAL.encrypt("hello")
