"""The callback cipher opens what WeCom sends, and refuses everything else with one error."""

import ast
import json
import re
from pathlib import Path

import pytest

from tests.adapters.wecom.callback_sender import CORP_ID, NONCE, TIMESTAMP, Sender, envelope
from wecom_app.adapters.wecom import crypto
from wecom_app.adapters.wecom.crypto import Cipher
from wecom_app.config import CallbackKey, decode_aes_key
from wecom_app.errors import CallbackRejected
from wecom_app.services.ports import CallbackQuery

PUBLISHED = CallbackKey("QDG6eK", decode_aes_key("jWmYm7qr5nMoAUwZRjGtBxmz3KA1tkAj3ykkR6q2B2C"))
PUBLISHED_CORP = "wx5823bf96d3bd56c7"
V1_QUERY = CallbackQuery("5c45ff5e21c57e6ad56bac8758b79b1d9ac89fd3", "1409659589", "263014780")
V1_ECHO = "P9nAzCzyDtyTWESHep1vC5X9xho/qYX3Zpb4yKa9SKld1DsH3Iyt3tP3zNdtp+4RPcs8TgAE7OaBO+FZXvnaqQ=="
V2_QUERY = CallbackQuery("477715d11cdb4164915debcba66cb864d751f3e6", "1409659813", "1372623149")
V2_ENCRYPT = (
    "RypEvHKD8QQKFhvQ6QleEB4J58tiPdvo+rtK1I9qca6aM/wvqnLSV5zEPeusUiX5L5X/0lWfrf0QADHHhGd3QczcdCUpj911L3vg3W"
    "/sYYvuJTs3TUUkSUXxaccAS0qhxchrRYt66wiSpGLYL42aM6A8dTT+6k4aSknmPj48kzJs8qLjvd4Xgpue06DOdnLxAUHzM6+kDZ+H"
    "MZfJYuR+LtwGc2hgf5gsijff0ekUNXZiqATP7PF5mZxZ3Izoun1s4zG4LUMnvw2r+KqCKIw+3IQH03v+BCA9nMELNqbSf6tiWSrXJB"
    "3LAVGUcallcrw8V2t9EL4EhzJWrQUax5wLVMNS0+rUPA3k22Ncx4XXZS9o0MBH27Bo6BpNelZpS+/uh9KsNlY6bHCmJU9p8g7m3fVK"
    "n28H3KDYA5Pl/T8Z1ptDAVe0lXdQ2YoyyH2uyPIGHBZZIs2pDBS8R07+qN+E7Q=="
)
SENDER = Sender()
CIPHER = Cipher(CORP_ID, [SENDER.callback_key])
MESSAGE = "<xml><Event>change_external_contact</Event><Name>李女士 😀</Name></xml>"


def rejection(query: CallbackQuery, body: bytes, cipher: Cipher = CIPHER) -> str:
    with pytest.raises(CallbackRejected) as caught:
        cipher.open_message(query, body)
    return caught.value.reason


def test_the_published_echo_opens() -> None:
    assert Cipher(PUBLISHED_CORP, [PUBLISHED]).open_echo(V1_QUERY, V1_ECHO) == "1616140317555161061"


def test_the_published_message_opens() -> None:
    message = Cipher(PUBLISHED_CORP, [PUBLISHED]).open_message(V2_QUERY, envelope(V2_ENCRYPT))
    assert len(message.encode()) == 284
    for part in (
        "<![CDATA[mycreate]]>",
        "<CreateTime>1409659813<",
        "<![CDATA[hello]]>",
        "4561255354251345929",
    ):
        assert part in message


@pytest.mark.parametrize(
    "body",
    [
        lambda text: envelope(text),
        lambda text: f'<?xml version="1.0" encoding="UTF-8"?>\n<xml>\n <Encrypt>{text}</Encrypt>\n</xml>\n'.encode(),
        lambda text: json.dumps({"ToUserName": CORP_ID, "Encrypt": text, "AgentID": 218}).encode(),
        lambda text: json.dumps({"tousername": CORP_ID, "encrypt": text, "agentid": "218"}).encode(),
    ],
    ids=["xml", "xml with declaration", "json", "json in lower case"],
)
def test_each_form_of_envelope_is_taken(body) -> None:
    encrypted = SENDER.sealed(MESSAGE)
    assert CIPHER.open_message(SENDER.sign(encrypted), body(encrypted)) == MESSAGE


def test_any_of_several_key_pairs_opens_a_message() -> None:
    old, new = Sender(token="OldToken", key=b"o" * 32), Sender(token="NewToken", key=b"n" * 32)
    cipher = Cipher(CORP_ID, [old.callback_key, new.callback_key])
    for sender in (old, new):
        encrypted = sender.sealed(MESSAGE)
        assert cipher.open_message(sender.sign(encrypted), envelope(encrypted)) == MESSAGE


def test_a_rotated_aes_key_under_the_same_token_still_opens() -> None:
    new = Sender(key=b"n" * 32)
    cipher = Cipher(CORP_ID, [SENDER.callback_key, new.callback_key])
    encrypted = new.sealed(MESSAGE)
    assert cipher.open_message(new.sign(encrypted), envelope(encrypted)) == MESSAGE


def test_the_outer_receiver_is_not_believed() -> None:
    encrypted = SENDER.sealed(MESSAGE)
    body = envelope(encrypted).replace(CORP_ID.encode(), b"another-corp")
    assert CIPHER.open_message(SENDER.sign(encrypted), body) == MESSAGE


def test_no_secret_is_compared_character_by_character() -> None:
    secret = re.compile("sign|secret|token|key|given|receiver|padding", re.IGNORECASE)
    for node in ast.walk(ast.parse(Path(crypto.__file__).read_text(encoding="utf-8"))):
        if isinstance(node, ast.Compare) and any(isinstance(op, ast.Eq | ast.NotEq) for op in node.ops):
            assert not secret.search(ast.unparse(node)), ast.unparse(node)


def test_every_flipped_digit_of_the_signature_is_refused() -> None:
    encrypted = SENDER.sealed(MESSAGE)
    query = SENDER.sign(encrypted)
    digits = query.msg_signature
    for place, right in enumerate(digits):
        for wrong in set("0123456789abcdefABCDEF") - {right}:
            forged = digits[:place] + wrong + digits[place + 1 :]
            assert rejection(CallbackQuery(forged, TIMESTAMP, NONCE), envelope(encrypted)) == "signature"


def test_every_changed_character_of_the_ciphertext_is_refused() -> None:
    encrypted = SENDER.sealed(MESSAGE)
    query = SENDER.sign(encrypted)
    for place, right in enumerate(encrypted):
        wrong = "A" if right != "A" else "B"
        assert rejection(query, envelope(encrypted[:place] + wrong + encrypted[place + 1 :])) == "signature"


@pytest.mark.parametrize("size", range(1, 33))
def test_every_spoilt_padding_byte_is_refused(size: int) -> None:
    message = b"m" * ((-20 - len(CORP_ID) - size) % 32)
    right = SENDER.padded(message)
    assert right[-1] == size
    for place in range(1, size + 1):
        spoilt = bytearray(right)
        spoilt[-place] ^= 0x40
        encrypted = SENDER.seal(bytes(spoilt))
        assert rejection(SENDER.sign(encrypted), envelope(encrypted)) == "padding"


@pytest.mark.parametrize("last", [0, 33, 64, 255])
def test_a_padding_size_out_of_range_is_refused(last: int) -> None:
    encrypted = SENDER.seal(bytes([last]) * 96)
    assert rejection(SENDER.sign(encrypted), envelope(encrypted)) == "padding"


@pytest.mark.parametrize("receiver", ["", CORP_ID[:-1], CORP_ID + "0", CORP_ID.upper(), "suite0123"])
def test_a_message_for_another_receiver_is_refused(receiver: str) -> None:
    encrypted = Sender(receiver=receiver).sealed(MESSAGE)
    assert rejection(SENDER.sign(encrypted), envelope(encrypted)) == "receiveid"
    with pytest.raises(CallbackRejected):
        CIPHER.open_echo(SENDER.sign(encrypted), encrypted)


def sealed_with(plain: bytes) -> str:
    padding = 32 - len(plain) % 32
    return SENDER.seal(plain + bytes([padding]) * padding)


@pytest.mark.parametrize(
    ("encrypted", "reason"),
    [
        (SENDER.seal(SENDER.padded(b"hi", length=len(CORP_ID) + 3)), "length"),
        (SENDER.seal(SENDER.padded(b"hi", length=2**32 - 1)), "length"),
        (SENDER.seal(SENDER.padded(b"hi", length=0)), "receiveid"),
        (SENDER.seal(SENDER.padded(b"hi", length=1)), "receiveid"),
        (sealed_with(b"R" * 16), "length"),
        (sealed_with(b""), "length"),
        (SENDER.seal(SENDER.padded(b"\xff\xfe")), "utf8"),
        (SENDER.seal(SENDER.padded("\ud800".encode("utf-8", "surrogatepass"))), "utf8"),
        ("", "block"),
        ("QUJD", "block"),
        ("####", "base64"),
        ("QUJ", "base64"),
        (SENDER.sealed(MESSAGE)[:-4] + "QUJD", "block"),
        ("QUJD\u00e9", "base64"),
    ],
)
def test_a_signed_but_malformed_ciphertext_is_refused(encrypted: str, reason: str) -> None:
    assert rejection(SENDER.sign(encrypted), envelope(encrypted)) == reason


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "xml"),
        (b"\x00", "xml"),
        (b"x" * 65_537, "size"),
        (b"<xml/>", "encrypt_field"),
        (b"<xml><Encrypt/></xml>", "signature"),
        (b"<xml><Encrypt>a</Encrypt><Encrypt>b</Encrypt></xml>", "encrypt_field"),
        (b"<xml><Encrypt>a</Encrypt><encrypt>b</encrypt></xml>", "encrypt_field"),
        (b"<xml><Encrypt><A>b</A></Encrypt></xml>", "encrypt_field"),
        (b"<xml><a><b><c><d/></c></b></a></xml>", "xml"),
        (b"<xml>" + b"<a/>" * 100 + b"</xml>", "xml"),
        (b"<a>" * 20_000, "xml"),
        (b"<!DOCTYPE xml><xml><Encrypt>a</Encrypt></xml>", "xml"),
        (b'<!DOCTYPE x [<!ENTITY a "b">]><xml><Encrypt>&a;</Encrypt></xml>', "xml"),
        (b'<!DOCTYPE x SYSTEM "file:///etc/passwd"><xml><Encrypt>a</Encrypt></xml>', "xml"),
        (b"<?php x?><xml><Encrypt>a</Encrypt></xml>", "xml"),
        (b"<xml><Encrypt>&undefined;</Encrypt></xml>", "xml"),
        ('<?xml version="1.0" encoding="UTF-16"?><xml><Encrypt>a</Encrypt></xml>'.encode("utf-16"), "xml"),
        (b'<?xml version="1.0" encoding="UTF-7"?><xml><Encrypt>a</Encrypt></xml>', "xml"),
        (b'<?xml version="1.0" encoding="GBK"?><xml><Encrypt>a</Encrypt></xml>', "xml"),
        ("<xml><Encrypt>中</Encrypt></xml>".encode("gbk"), "xml"),
        (b'{"Encrypt": "a", "Encrypt": "b"}', "json"),
        (b'{"Encrypt": "a", "encrypt": "b"}', "encrypt_field"),
        (b'{"Encrypt": 1}', "signature"),
        (b'{"Encrypt": null}', "encrypt_field"),
        (b'{"Encrypt": ["a"]}', "json"),
        (b'{"Encrypt": {"a": 1}}', "json"),
        (b'{"Encrypt": NaN}', "json"),
        (b'{"Encrypt": "a"', "json"),
        (b'{"a": ' + b"[" * 60_000, "json"),
        (b'{"AgentID": ' + b"9" * 60_000 + b"}", "encrypt_field"),
        (b'{"Encrypt": "\\ud800"}', "encoding"),
        (b"[]", "xml"),
    ],
)
def test_a_body_that_is_no_envelope_is_refused(body: bytes, reason: str) -> None:
    assert rejection(SENDER.sign("a"), body) == reason


@pytest.mark.parametrize("body", [None, "<xml/>", 1, bytearray(b"<xml/>")])
def test_a_body_of_another_type_is_refused(body: object) -> None:
    assert rejection(SENDER.sign("a"), body) == "body"


@pytest.mark.parametrize("odd", [None, 1, "\ud800", "é" * 40, "", "0" * 39, "0" * 41, "9" * 100_000, b"0" * 40])
def test_odd_signed_parameters_are_refused(odd: object) -> None:
    encrypted = SENDER.sealed(MESSAGE)
    right = SENDER.sign(encrypted)
    for query in (
        CallbackQuery(odd, right.timestamp, right.nonce),
        CallbackQuery(right.msg_signature, odd, right.nonce),
        CallbackQuery(right.msg_signature, right.timestamp, odd),
    ):
        assert rejection(query, envelope(encrypted)) in {"query", "signature", "encoding"}


@pytest.mark.parametrize("echostr", [None, 1, "", "\ud800", "x" * 65_537, "P9nA"])
def test_odd_echo_strings_are_refused(echostr: object) -> None:
    with pytest.raises(CallbackRejected):
        CIPHER.open_echo(V1_QUERY, echostr)
