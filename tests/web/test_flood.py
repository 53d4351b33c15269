"""Ten thousand bodies that nobody at WeCom wrote, in eight families: every one a 4xx, and no memory kept."""

import random
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.flows.company import Company

pytestmark = pytest.mark.slow
PER_FAMILY = 1250
MOST_GROWTH_MB = 20
GOOD = b"<xml><ToUserName><![CDATA[ww]]></ToUserName><Encrypt><![CDATA[%s]]></Encrypt></xml>" % (b"QUJD" * 120)


def random_bytes(chance: random.Random) -> bytes:
    return chance.randbytes(chance.randrange(2000))


def bit_flips(chance: random.Random) -> bytes:
    body = bytearray(GOOD)
    for _ in range(chance.randrange(1, 9)):
        body[chance.randrange(len(body))] ^= 1 << chance.randrange(8)
    return bytes(body)


def truncated(chance: random.Random) -> bytes:
    return GOOD[: chance.randrange(len(GOOD))]


def nested(chance: random.Random) -> bytes:
    depth = chance.randrange(5, 3000)
    return b"<xml>" + b"<a>" * depth + b"</a>" * depth + b"</xml>"


def wrong_encodings(chance: random.Random) -> bytes:
    encoding = chance.choice(["utf-16", "utf-16-le", "utf-32", "gbk", "utf-7"])
    return (f'<?xml version="1.0" encoding="{encoding}"?>' + GOOD.decode() + "客户").encode(encoding)


def repeated_keys(chance: random.Random) -> bytes:
    return b"<xml>" + b"<Encrypt>QUJD</Encrypt>" * chance.randrange(2, 50) + b"</xml>"


def json_bodies(chance: random.Random) -> bytes:
    return chance.choice([b"{}", b"[]", b'{"Encrypt": 1}', b'{"Encrypt": "QUJD"', b'{"encrypt": null}', b"[" * 5000])


def huge(chance: random.Random) -> bytes:
    return b"<xml><Encrypt>" + b"A" * chance.choice([65_000, 66_000, 200_000]) + b"</Encrypt></xml>"


FAMILIES = [random_bytes, bit_flips, truncated, nested, wrong_encodings, repeated_keys, json_bodies, huge]


def resident_mb() -> float:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) / 1024
    raise AssertionError("no VmRSS")


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory is read from /proc")
def test_ten_thousand_malformed_bodies_are_refused_without_keeping_memory(company: Company) -> None:
    def post(family: Callable[[random.Random], bytes], seed: int) -> int:
        chance = random.Random(seed)
        query = f"msg_signature={chance.randbytes(20).hex()}&timestamp={seed}&nonce={chance.randrange(10**9)}"
        return company.client.post(f"/wecom/callback?{query}", data=family(chance)).status_code

    for family in FAMILIES:
        for seed in range(50):
            post(family, -seed)
    before = resident_mb()
    statuses = {post(family, seed) for family in FAMILIES for seed in range(PER_FAMILY)}

    assert statuses == {403}
    assert resident_mb() - before < MOST_GROWTH_MB
    assert company.get("/inbox")["items"] == []
