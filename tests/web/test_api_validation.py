"""What the API does not take: each wrong request is a 422 that names the field, and changes nothing."""

import threading
from typing import Any

import pytest
from sqlalchemy import func, select

from tests.flows.company import Company
from tests.services.waiting import wait_until_blocked
from tests.web.asking import API, ask, assert_error
from wecom_app.models import Channel, CustomerTag, Tag, TagGroup
from wecom_app.services import library, taxonomy
from wecom_app.services.taxonomy import GroupDraft

GROUP: dict[str, Any] = {"name": "意向", "dimension": "behaviour"}
CHANNEL: dict[str, Any] = {"name": "海报", "source": "门店", "staff": ["zhang"]}
SCHEDULE: dict[str, Any] = {"kind": "library", "name": "午间", "cron": "20 12 * * *"}
TAG: dict[str, Any] = {"name": "高", "group": "behaviour.xing_qu"}


def link(**parts: str) -> dict[str, Any]:
    """Return a channel with one link under its welcome."""
    attachment = {"msgtype": "link", "link": {"title": "手册", "url": "https://example.com"} | parts}
    return CHANNEL | {"welcome": {"text": "您好", "attachments": [attachment]}}


def welcome(**parts: Any) -> dict[str, Any]:
    return CHANNEL | {"welcome": parts}


WRONG: dict[str, tuple[str, Any, str]] = {
    "group without a name": ("/tag-groups", {"dimension": "behaviour"}, "name"),
    "group with an empty name": ("/tag-groups", GROUP | {"name": ""}, "name"),
    "group named with spaces": ("/tag-groups", GROUP | {"name": "  "}, "name"),
    "group with a long name": ("/tag-groups", GROUP | {"name": "长" * 31}, "name"),
    "group with a number for a name": ("/tag-groups", GROUP | {"name": 7}, "name"),
    "group named with NUL": ("/tag-groups", GROUP | {"name": "a\0b"}, "name"),
    "group of an unknown dimension": ("/tag-groups", GROUP | {"dimension": "horoscope"}, "dimension"),
    "group of a dimension with NUL": ("/tag-groups", GROUP | {"dimension": "beha\0viour"}, "dimension"),
    "group with an unknown selection": ("/tag-groups", GROUP | {"selection": "some"}, "selection"),
    "group with an unknown scope": ("/tag-groups", GROUP | {"scope": "galaxy"}, "scope"),
    "group with an unknown mirror": ("/tag-groups", GROUP | {"mirror": "broken"}, "mirror"),
    "group with a wrong key": ("/tag-groups", GROUP | {"key": "Intent!"}, "key"),
    "group with an extra field": ("/tag-groups", GROUP | {"shape": "round"}, "shape"),
    "group with tags that are no list": ("/tag-groups", GROUP | {"tags": "高"}, "tags"),
    "group with a tag that is no object": ("/tag-groups", GROUP | {"tags": ["高"]}, "tags.0"),
    "group with an empty tag": ("/tag-groups", GROUP | {"tags": [{"name": ""}]}, "tags.0.name"),
    "group with too many tags": ("/tag-groups", GROUP | {"tags": [{"name": str(n)} for n in range(501)]}, "tags"),
    "tag without a group": ("/tags", {"name": "高"}, "group"),
    "tag with a long name": ("/tags", TAG | {"name": "长" * 31}, "name"),
    "tag with a wrong key": ("/tags", TAG | {"key": "a.b.c.d.e"}, "key"),
    "tag with a long key": ("/tags", TAG | {"key": "a" * 161}, "key"),
    "tag with a key of NUL": ("/tags", TAG | {"key": "a\0"}, "key"),
    "tag of a group with NUL": ("/tags", TAG | {"group": "behaviour.\0"}, "group"),
    "tag with an extra field": ("/tags", TAG | {"id": 1}, "id"),
    "channel without staff": ("/channels", CHANNEL | {"staff": []}, "staff"),
    "channel with too many staff": ("/channels", CHANNEL | {"staff": [f"u{n}" for n in range(101)]}, "staff"),
    "channel with an empty member": ("/channels", CHANNEL | {"staff": [" "]}, "staff.0"),
    "channel with a long member": ("/channels", CHANNEL | {"staff": ["u" * 65]}, "staff.0"),
    "channel with a member of NUL": ("/channels", CHANNEL | {"staff": ["zh\0ang"]}, "staff"),
    "channel with a long name": ("/channels", CHANNEL | {"name": "长" * 65}, "name"),
    "channel named with NUL": ("/channels", CHANNEL | {"name": "\0"}, "name"),
    "channel with a long source": ("/channels", CHANNEL | {"source": "长" * 31}, "source"),
    "channel without a source": ("/channels", {"name": "海报", "staff": ["zhang"]}, "source"),
    "channel with a long state": ("/channels", CHANNEL | {"state": "s" * 31}, "state"),
    "channel with an empty state": ("/channels", CHANNEL | {"state": ""}, "state"),
    "channel with a state of two lines": ("/channels", CHANNEL | {"state": "a\nb"}, "state"),
    "channel with a state of NUL": ("/channels", CHANNEL | {"state": "a\0b"}, "state"),
    "channel with a number for a state": ("/channels", CHANNEL | {"state": 7}, "state"),
    "channel with an unknown tag": ("/channels", CHANNEL | {"tags": ["no.such"]}, "tags"),
    "channel with a tag of NUL": ("/channels", CHANNEL | {"tags": ["\0"]}, "tags"),
    "channel with an extra field": ("/channels", CHANNEL | {"config_id": "x"}, "config_id"),
    "welcome with an unknown placeholder": ("/channels", welcome(text="{客户}您好"), "welcome"),
    "welcome with NUL": ("/channels", welcome(text="您\0好"), "welcome.text"),
    "welcome of too many bytes": ("/channels", welcome(text="长" * 1334), "welcome"),
    "welcome of too many characters": ("/channels", welcome(text="x" * 4001), "welcome.text"),
    "fallback with an unknown placeholder": ("/channels", welcome(text="您好", fallback_text="{nobody}"), "welcome"),
    "fallback that needs the name": ("/channels", welcome(text="您好", fallback_text="{customer_name}"), "welcome"),
    "welcome with an extra field": ("/channels", welcome(text="您好", html="<b>"), "welcome.html"),
    "welcome with ten links": (
        "/channels",
        CHANNEL | {"welcome": {"text": "x", "attachments": link()["welcome"]["attachments"] * 10}},
        "welcome",
    ),
    "link without an address": ("/channels", link(url=""), "welcome.attachments.0"),
    "link to a script": ("/channels", link(url="javascript:alert(1)"), "welcome.attachments.0"),
    "link with a title of too many bytes": ("/channels", link(title="长" * 43), "welcome.attachments.0"),
    "link with a description of too many bytes": ("/channels", link(desc="长" * 171), "welcome.attachments.0"),
    "channel with a number for yes or no": ("/channels", CHANNEL | {"exclusive": 0}, "exclusive"),
    "channel with yes or no in quotes": ("/channels", CHANNEL | {"skip_verify": "true"}, "skip_verify"),
    "schedule with a number in quotes": ("/schedules", SCHEDULE | {"jitter_s": "60"}, "jitter_s"),
    "schedule with yes for a number": ("/schedules", SCHEDULE | {"misfire_grace_s": True}, "misfire_grace_s"),
    "edit with an unknown tag": ("/customers/{}/tags", {"add": ["no.such"]}, "tags"),
    "edit with a removal of an unknown tag": ("/customers/{}/tags", {"remove": ["no.such"]}, "tags"),
    "edit that adds and removes a tag": ("/customers/{}/tags", {"add": ["{tag}"], "remove": ["{tag}"]}, "tags"),
    "edit with a tag of NUL": ("/customers/{}/tags", {"add": ["\0"]}, "add"),
    "edit with an empty tag": ("/customers/{}/tags", {"add": [""]}, "add.0"),
    "edit with a number for a tag": ("/customers/{}/tags", {"add": [7]}, "add.0"),
    "edit with too many tags": ("/customers/{}/tags", {"add": [f"t{n}" for n in range(201)]}, "add"),
    "edit for a stranger": ("/customers/{}/tags", {"add": ["{tag}"], "userid": "nobody"}, "userid"),
    "edit for a member of NUL": ("/customers/{}/tags", {"add": ["{tag}"], "userid": "\0"}, "userid"),
    "edit with a long reason": ("/customers/{}/tags", {"add": ["{tag}"], "reason": "长" * 301}, "reason"),
    "edit with a reason of NUL": ("/customers/{}/tags", {"add": ["{tag}"], "reason": "\0"}, "reason"),
    "edit with an extra field": ("/customers/{}/tags", {"add": ["{tag}"], "force": True}, "force"),
}
LISTS = ["/tag-groups", "/tags", "/channels", "/customers", "/customers/{}/history", "/inbox", "/jobs"]
WRONG_QUERIES = {
    "cursor in words": ("cursor=next", "cursor"),
    "cursor of zero": ("cursor=0", "cursor"),
    "negative cursor": ("cursor=-1", "cursor"),
    "empty cursor": ("cursor=", "cursor"),
    "cursor with NUL": ("cursor=%00", "cursor"),
    "cursor with a fraction": ("cursor=1.5", "cursor"),
    "cursor too large for any database": (f"cursor={2**63}", "cursor"),
    "endless cursor": ("cursor=" + "9" * 1000, "cursor"),
    "limit of zero": ("limit=0", "limit"),
    "limit too large": ("limit=201", "limit"),
    "limit in words": ("limit=all", "limit"),
    "unknown parameter": ("page=2", "page"),
}
BODIES = {
    "nothing": b"",
    "no JSON": b"name=x",
    "JSON cut off": b'{"name": "x"',
    "bytes that are not UTF-8": b'{"name": "\xff"}',
    "nested without end": b"[" * 200_000,
    "number without end": b"9" * 5000,
    "list": b"[]",
    "text": b'"x"',
    "null": b"null",
    "lone surrogate": b'{"name": "\\ud800", "dimension": "behaviour"}',
    "lone surrogate as a name": b'{"\\ud800": 1}',
    "field of NUL": b'{"\\u0000": 1}',
}


class Standing:
    """A customer with a tag, and what can be counted."""

    def __init__(self, company: Company) -> None:
        self.company = company
        (self.tag,) = company.make_tags("护肤")
        channel = company.make_channel()
        self.customer = company.simulator.scan(channel["config_id"])["external_userid"]
        company.settle()

    def ask(self, path: str, body: Any) -> Any:
        return ask(self.company, "POST", path.format(self.customer), self._filled(body))

    def _filled(self, body: Any) -> Any:
        if isinstance(body, dict):
            return {name: self._filled(value) for name, value in body.items()}
        if isinstance(body, list):
            return [self._filled(value) for value in body]
        return self.tag if body == "{tag}" else body

    def counts(self) -> list[int]:
        with self.company.runtime.read() as session:
            tables = (Channel, Tag, TagGroup, CustomerTag)
            return [session.execute(select(func.count()).select_from(table)).scalar_one() for table in tables]


@pytest.fixture(scope="module")
def standing(standing_company: Company) -> Standing:
    return Standing(standing_company)


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_request_is_refused_with_the_field_named(standing: Standing, case: str) -> None:
    path, body, field = WRONG[case]
    before = standing.counts()

    details = assert_error(standing.ask(path, body), 422, "invalid_input")["details"]

    assert any(name == field or name.startswith(f"{field}.") for name in details), details
    assert standing.counts() == before


@pytest.mark.parametrize(
    ("body", "field", "words"),
    [
        (TAG | {"name": "长" * 31}, "name", "最多 30 个字"),
        ({"group": "behaviour.xing_qu"}, "name", "缺少这一项"),
        (TAG | {"name": 7}, "name", "要是文字"),
        (TAG | {"id": 1}, "id", "不认识这一项"),
    ],
)
def test_each_wrong_field_is_told_in_chinese(standing: Standing, body: Any, field: str, words: str) -> None:
    assert standing.ask("/tags", body).get_json()["details"] == {field: words}


@pytest.mark.parametrize("path", ["/tags", "/tag-groups"])
def test_a_name_that_cannot_be_seen_is_refused(standing: Standing, path: str) -> None:
    before = standing.counts()

    (group,) = standing.company.get("/tag-groups")["items"][:1]
    body = {"/tags": {"group": group["key"], "name": "\u200b"}, "/tag-groups": GROUP | {"name": "\u3164"}}[path]

    assert "看得见" in assert_error(standing.ask(path, body), 422, "invalid_input")["message"]
    assert standing.counts() == before


def test_a_choice_that_there_is_not_is_told_with_those_there_are(standing: Standing) -> None:
    answer = standing.ask("/tag-groups", GROUP | {"selection": "some"}).get_json()

    assert answer["details"] == {"selection": "只能是 single、multi"}


@pytest.mark.parametrize("case", BODIES)
def test_a_body_that_is_no_object_is_refused(standing: Standing, case: str) -> None:
    assert_error(ask(standing.company, "POST", "/tag-groups", data=BODIES[case]), 422, "invalid_input")


def test_a_body_of_more_than_a_megabyte_is_refused(standing: Standing) -> None:
    assert_error(ask(standing.company, "POST", "/tag-groups", data=b" " * (1024 * 1024 + 1)), 413, "too_large")


@pytest.mark.parametrize("path", LISTS)
@pytest.mark.parametrize("case", WRONG_QUERIES)
def test_a_wrong_query_is_refused_with_the_parameter_named(standing: Standing, path: str, case: str) -> None:
    query, name = WRONG_QUERIES[case]

    answer = ask(standing.company, "GET", f"{path.format(standing.customer)}?{query}")

    assert name in assert_error(answer, 422, "invalid_input")["details"]


@pytest.mark.parametrize("path", ["/inbox", "/jobs"])
@pytest.mark.parametrize("state", ["lost", "", "DONE", "%00", "x" * 100])
def test_an_unknown_state_is_refused_with_the_known_ones_named(standing: Standing, path: str, state: str) -> None:
    answer = ask(standing.company, "GET", f"{path}?state={state}")

    assert "state" in assert_error(answer, 422, "invalid_input")["details"]


def test_validation_speaks_without_the_values_given(standing: Standing) -> None:
    answer = ask(
        standing.company, "POST", "/tag-groups", GROUP | {"name": "canary" * 9, "canary-field": "canary-value"}
    )

    assert "canary-value" not in answer.get_data(as_text=True)
    assert "canarycanary" not in answer.get_data(as_text=True)


@pytest.mark.both
def test_nothing_wrong_is_an_error_of_ours_on_either_database(company: Company) -> None:
    standing = Standing(company)
    before = standing.counts()

    found = {case: standing.ask(path, body).status_code for case, (path, body, _) in WRONG.items()}
    found |= {case: ask(company, "POST", "/tag-groups", data=data).status_code for case, data in BODIES.items()}

    assert {case: status for case, status in found.items() if status != 422} == {}
    assert standing.counts() == before


@pytest.mark.both
def test_nul_in_addresses_and_headers_is_an_error_of_ours_on_neither_database(company: Company) -> None:
    def status(path: str, **environ: str) -> int:
        return company.client.get(API + path, headers=company.headers, environ_overrides=environ).status_code

    assert status("/customers/a%00b") == 404
    assert status("/customers/a%00b/history") == 404
    assert status("/inbox?state=%00") == 422
    assert status("/tags", HTTP_AUTHORIZATION="Bearer wk\0.\0") == 401
    answer = ask(company, "POST", "/tag-groups", GROUP, Idempotency_Key="\0")
    assert_error(answer, 422, "invalid_input")


# Names and keys that are taken.


@pytest.mark.both
def test_a_group_name_that_is_taken_is_a_conflict(company: Company) -> None:
    company.post("/tag-groups", GROUP)

    body = assert_error(ask(company, "POST", "/tag-groups", GROUP | {"dimension": "journey"}), 409, "name_taken")
    assert body["details"] == {"key": "behaviour.yi_xiang"}


@pytest.mark.both
def test_a_tag_name_is_unique_in_its_group_only(company: Company) -> None:
    company.make_tags("高", group="兴趣")
    company.make_tags("高", group="意向")

    assert_error(ask(company, "POST", "/tags", TAG), 409, "name_taken")
    assert_error(ask(company, "POST", "/tags", TAG | {"name": " 高 "}), 409, "name_taken")
    assert company.post("/tags", TAG | {"name": "低"})["key"] == "behaviour.xing_qu.di"


def test_the_same_name_twice_in_one_request_is_refused(company: Company) -> None:
    body = GROUP | {"tags": [{"name": "高"}, {"name": "高 "}]}

    assert_error(ask(company, "POST", "/tag-groups", body), 422, "invalid_input")
    assert company.get("/tag-groups")["items"] == []


@pytest.mark.both
def test_a_key_is_given_once(company: Company) -> None:
    company.post("/tag-groups", GROUP | {"key": "intent", "tags": [{"name": "高", "key": "intent.high"}]})

    assert_error(ask(company, "POST", "/tag-groups", {**GROUP, "name": "别的", "key": "intent"}), 409, "name_taken")
    body = {"name": "很高", "group": "intent", "key": "intent.high"}
    assert_error(ask(company, "POST", "/tags", body), 409, "name_taken")


@pytest.mark.both
def test_names_that_sound_alike_get_different_keys(company: Company) -> None:
    company.make_tags("高", "糕", "膏")

    assert [tag["key"] for tag in company.get("/tags")["items"]] == [
        "behaviour.xing_qu.gao",
        "behaviour.xing_qu.gao_2",
        "behaviour.xing_qu.gao_3",
    ]


@pytest.mark.both
def test_tags_below_a_key_of_full_length_get_different_keys(company: Company) -> None:
    body = GROUP | {"key": "k" * 160, "tags": [{"name": "高"}, {"name": "低"}]}

    keys = [tag["key"] for tag in company.post("/tag-groups", body)["tags"]]
    keys.append(company.post("/tags", {"name": "中", "group": "k" * 160})["key"])

    assert len(set(keys)) == 3


@pytest.mark.both
def test_a_state_that_is_taken_is_a_conflict(company: Company) -> None:
    company.make_channel(state="poster-1")

    answer = ask(company, "POST", "/channels", CHANNEL | {"state": "poster-1"})

    assert assert_error(answer, 409, "name_taken")["details"] == {"state": "poster-1"}
    assert len(company.simulator.calls.of("externalcontact/add_contact_way")) == 1


@pytest.mark.both
def test_of_two_equal_names_at_once_one_is_a_conflict(company: Company) -> None:
    """On PostgreSQL the second finds the name free and stumbles over it when it writes."""
    statuses: list[int] = []
    thread = threading.Thread(target=lambda: statuses.append(ask(company, "POST", "/tag-groups", GROUP).status_code))
    with company.runtime.write() as session:
        taxonomy.create_group(session, library.context(company.runtime), GroupDraft("意向", "behaviour"))
        thread.start()
        wait_until_blocked(thread, company.runtime.database)
    thread.join()

    assert statuses == [409]
    assert [group["name"] for group in company.get("/tag-groups")["items"]] == ["意向"]
