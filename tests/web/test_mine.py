"""我的客户 over HTTP: today, the list with its filters and pages, tagging a selection, and the card stack."""

from collections.abc import Iterator
from datetime import timedelta
from functools import partial
from typing import Any
from urllib.parse import quote

import pytest
from sqlalchemy import Engine, event, func, select

from tests.flows.company import Company, open_company
from tests.web.browsing import Browser, local_admin, member
from wecom_app.clock import ManualClock
from wecom_app.models import Customer, CustomerTag, ProfileField, Relation, Staff
from wecom_app.services import follow_ups, profile_values
from wecom_app.services.access import staff_viewer


@pytest.fixture
def company(database_url: str, clock: ManualClock) -> Iterator[Company]:
    opened = open_company(database_url, clock)
    yield opened
    opened.close()


@pytest.fixture
def keys(company: Company) -> dict[str, str]:
    single = company.make_tags("高意向", "观望", group="意向", dimension="journey", selection="single")
    free = company.make_tags("火锅", "送礼", group="聊到的", dimension="consumption")
    return dict(zip(["高意向", "观望", "火锅", "送礼"], [*single, *free], strict=True))


@pytest.fixture
def zhang(company: Company) -> Browser:
    return member(company, "zhang")


def scan(company: Company, *names: str, **channel: Any) -> list[str]:
    made = company.make_channel(**channel)
    found = [company.simulator.scan(made["config_id"], name=name)["external_userid"] for name in names]
    company.settle()
    return found


def listed(browser: Browser, query: str = "") -> list[str]:
    """Return the names in the list, in order."""
    text = browser.get(f"/sidebar/mine/list?{query}").get_data(as_text=True)
    return [part.split('"')[0] for part in text.split('data-label="')[1:]]


def tag(browser: Browser, customers: list[str], **edit: Any) -> Any:
    return browser.send("POST", "/sidebar/mine/tags", {"customers": customers, **edit})


def outcomes(answer: Any) -> dict[str, str]:
    return {each["external_userid"]: each["outcome"] for each in answer.get_json()["results"]}


@pytest.mark.both
def test_words_are_sought_in_names_remarks_pinyin_and_initials(company: Company, zhang: Browser) -> None:
    first, *_ = scan(company, "林晓芸", "林志强", "Amy Wong")
    assert zhang.send("POST", f"/sidebar/customers/{first}/remark", {"remark": "林姐"}).status_code == 200
    company.settle()
    expected = {
        "林": ["林志强", "林晓芸"],
        "lxy": ["林晓芸"],
        "XIAOYUN": ["林晓芸"],
        "林姐": ["林晓芸"],
        "linjie": ["林晓芸"],
        "amyw": ["Amy Wong"],
        "%": [],
        "周": [],
    }
    assert {q: listed(zhang, f"q={quote(q)}") for q in expected} == expected


@pytest.mark.both
def test_the_list_is_paged_without_gap_or_repetition_in_every_order(company: Company, zhang: Browser) -> None:
    names = [f"客户{number:02}" for number in range(70)]
    _fill(company, names)
    for sort in ("newest", "oldest", "quiet"):
        for q in ("", "客户"):
            seen: list[str] = []
            cursor = ""
            for _ in range(3):
                text = zhang.get(f"/sidebar/mine/list?sort={sort}&q={q}&cursor={cursor}").get_data(as_text=True)
                seen += [part.split('"')[0] for part in text.split('data-label="')[1:]]
                cursor = text.split('data-cursor="')[1].split('"')[0] if "data-cursor" in text else ""
            assert cursor == ""
            assert seen == (names[::-1] if sort == "newest" else names)


def test_the_first_page_counts_customers_and_an_empty_list_says_what_to_do(company: Company, zhang: Browser) -> None:
    assert "还没有客户" in zhang.get("/sidebar/mine/list").get_data(as_text=True)
    _fill(company, [f"客户{number}" for number in range(31)])
    assert "共 31 位客户" in zhang.get("/sidebar/mine/list").get_data(as_text=True)
    assert "共 31 位客户" in zhang.get("/sidebar/mine/list?q=客户").get_data(as_text=True)
    assert "没有找到客户" in zhang.get("/sidebar/mine/list?q=某某").get_data(as_text=True)


def test_who_was_longest_without_a_note_comes_first_when_asked(company: Company) -> None:
    first, _second = scan(company, "林晓芸", "周婷")
    zhang = later(company, days=1)
    note(company, first, "今天聊过", None)
    assert listed(zhang, "sort=quiet") == ["周婷", "林晓芸"]


@pytest.mark.both
def test_filters_narrow_by_tags_source_day_and_untagged(company: Company, keys: dict[str, str]) -> None:
    first, second = scan(company, "林晓芸", "周婷")
    zhang = later(company, days=2)
    scan(company, "马骏", name="官网", source="官网")
    tag(zhang, [first], add=[keys["高意向"], keys["火锅"]])
    tag(zhang, [second], add=[keys["火锅"]])
    a, b = keys["高意向"], keys["火锅"]
    assert listed(zhang, f"tag={a}&tag={b}") == ["周婷", "林晓芸"]
    assert listed(zhang, f"tag={a}&tag={b}&mode=all") == ["林晓芸"]
    assert listed(zhang, f"tag={a}&mode=none") == ["马骏", "周婷"]
    assert listed(zhang, f"tag={a}&tag=no_such&mode=all") == []
    (mine,) = company.make_tags("常客", group="我与他", scope="relation")
    tag(zhang, [second], add=[mine])
    assert listed(zhang, f"tag={mine}&tag={a}") == ["周婷", "林晓芸"]
    assert listed(zhang, f"tag={mine}&mode=none&sort=oldest") == ["林晓芸", "马骏"]
    assert "常客" in zhang.get("/sidebar/mine/list").get_data(as_text=True)
    assert listed(zhang, "untagged=1") == ["马骏"]
    assert listed(zhang, "within=1") == ["马骏"]
    assert listed(zhang, "within=7") == ["马骏", "周婷", "林晓芸"]
    filters = zhang.get("/sidebar/mine/filters").get_data(as_text=True)
    shop = filters.split('data-name="门店海报"')[0].rsplit('data-value="', 1)[1].split('"')[0]
    assert listed(zhang, f"source={shop}") == ["周婷", "林晓芸"]
    assert listed(zhang, "source=unknown") == []


@pytest.mark.parametrize(
    "query",
    [
        *("cursor=x", "cursor=1.y", "cursor=9999999999999999999999.1", "sort=x", "mode=x", "within=2"),
        *("source=x", "source=way-x", "tag=%00", "&".join(f"tag=t{number}" for number in range(21))),
    ],
)
def test_a_query_that_means_nothing_is_refused(zhang: Browser, query: str) -> None:
    assert zhang.client.get(f"/sidebar/mine/list?{query}").status_code == 422


@pytest.mark.both
def test_a_selection_is_tagged_at_once_with_one_answer_each_and_undone_as_a_whole(
    company: Company, zhang: Browser, keys: dict[str, str]
) -> None:
    first, second, third = scan(company, "林晓芸", "周婷", "马骏")
    (others,) = scan(company, "孙悦", staff=["wang"], name="王芳的码")
    tag(zhang, [second], add=[keys["观望"]])
    tag(zhang, [third], add=[keys["高意向"]])

    answer = tag(zhang, [first, second, third, others, "wm_nobody"], add=[keys["高意向"]], remove=[keys["送礼"]])

    assert outcomes(answer) == {
        first: "changed",
        second: "changed",
        third: "unchanged",
        others: "not_yours",
        "wm_nobody": "not_yours",
    }
    assert answer.get_json()["changed"] == 2
    assert all(not each["name"] for each in answer.get_json()["results"] if each["outcome"] == "not_yours")
    assert all("高意向" in company.tags_here(each) for each in (first, second, third))
    assert "观望" not in company.tags_here(second)
    assert "高意向" not in company.tags_here(others)
    company.settle()
    assert "高意向" in company.tags_there(first)

    undone = zhang.send("POST", f"/sidebar/change-sets/{answer.get_json()['change_set_id']}/undo")

    assert undone.get_json()["kept"] == []
    assert "高意向" not in company.tags_here(first)
    assert "观望" in company.tags_here(second)
    assert "高意向" in company.tags_here(third)


def test_a_large_selection_is_one_change_set_over_several_transactions(
    company: Company, zhang: Browser, keys: dict[str, str]
) -> None:
    userids = _fill(company, [f"客户{number}" for number in range(160)])
    strangers = [f"wm_nobody_{number}" for number in range(40)]
    answer = tag(zhang, userids + strangers, add=[keys["火锅"], keys["送礼"]]).get_json()
    assert answer["changed"] == 160
    undone = zhang.send("POST", f"/sidebar/change-sets/{answer['change_set_id']}/undo").get_json()
    assert undone["restored"] == 320


@pytest.mark.parametrize(
    "edit",
    [
        {"customers": [], "add": ["x"]},
        {"customers": ["wm_x"] * 201, "add": ["x"]},
        {"customers": ["wm_x"]},
        {"customers": ["wm_x"], "add": ["no_such_tag"]},
        {"customers": ["wm_\0"], "add": ["x"]},
    ],
)
def test_a_selection_that_cannot_be_tagged_is_refused_whole(zhang: Browser, edit: dict[str, Any]) -> None:
    assert zhang.send("POST", "/sidebar/mine/tags", edit).status_code == 422


def test_two_tags_of_a_single_choice_are_refused_before_anybody_is_changed(
    company: Company, zhang: Browser, keys: dict[str, str]
) -> None:
    (first,) = scan(company, "林晓芸")
    answer = tag(zhang, [first], add=[keys["高意向"], keys["观望"]])
    assert answer.status_code == 422
    assert "只能选一个" in answer.get_json()["message"]
    assert not company.tags_here(first) & {"高意向", "观望"}


@pytest.mark.both
def test_today_lists_new_untagged_due_near_and_ending_and_nothing_of_a_colleague(
    company: Company, zhang: Browser, keys: dict[str, str]
) -> None:
    assert "今天没有要处理的客户" in today(zhang)
    old, _ = scan(company, "林晓芸", "周婷")
    zhang = later(company, days=9)
    scan(company, "马骏")
    note(company, old, "带样品去店里", 3600)
    tag(zhang, [old], add=[keys["火锅"]])
    birthday(company, old, f"1990-{company.clock.now():%m-%d}")
    with company.runtime.write() as session:
        row = session.query(CustomerTag).filter_by(actor="zhang", relation_id=0).one()
        row.expires_at = timedelta(days=3) + company.clock.now()
    text = today(zhang)
    for words in ("马骏", "带样品去店里", "生日", "满 36 年", "火锅"):
        assert words in text
    assert "周婷" not in text
    assert "今天没有要处理的客户" in today(member(company, "wang"))


def test_a_customer_who_was_lost_is_on_no_list(company: Company, zhang: Browser) -> None:
    (first,) = scan(company, "林晓芸")
    company.simulator.act("zhang", "delete_customer", external_userid=first)
    company.settle()
    assert listed(zhang) == []
    assert "林晓芸" not in today(zhang)


def test_the_card_offers_a_few_tags_and_the_deck_forgets_who_was_tagged(
    company: Company, zhang: Browser, keys: dict[str, str]
) -> None:
    first, second = scan(company, "林晓芸", "周婷")
    deck = zhang.client.get("/sidebar/mine/deck").get_json()["items"]
    assert [(each["external_userid"], each["days_ago"]) for each in deck] == [(second, 0), (first, 0)]
    card = zhang.get(f"/sidebar/mine/customers/{first}/card").get_data(as_text=True)
    assert card.count('class="big ') == 4
    assert card.index("高意向") < card.index("火锅")
    tag(zhang, [first], add=[keys["火锅"]])
    assert len(zhang.client.get("/sidebar/mine/deck").get_json()["items"]) == 1


def test_the_profile_page_of_a_colleague_s_customer_is_not_there(company: Company, zhang: Browser) -> None:
    (others,) = scan(company, "孙悦", staff=["wang"])
    assert zhang.get(f"/sidebar/mine/customers/{others}").status_code == 404
    assert member(company, "wang").get(f"/sidebar/mine/customers/{others}").status_code == 200


def test_somebody_without_customers_of_his_own_finds_empty_lists(company: Company) -> None:
    admin = local_admin(company)
    assert "今天没有要处理的客户" in today(admin)
    assert "还没有客户" in admin.get("/sidebar/mine/list").get_data(as_text=True)
    assert admin.client.get("/sidebar/mine/deck").get_json() == {"items": []}


def later(company: Company, *, days: int) -> Browser:
    """Let days go by; return zhang's browser, signed in anew."""
    company.clock.advance(days * 86_400)
    return member(company, "zhang")


def today(browser: Browser) -> str:
    return browser.get("/sidebar/mine/today").get_data(as_text=True)


def note(company: Company, customer: str, text: str, seconds: float | None) -> None:
    now = company.clock.now()
    with company.runtime.write() as session:
        author = staff_viewer(session, session.query(Staff).filter_by(userid="zhang").one())
        moment = None if seconds is None else now + timedelta(seconds=seconds)
        follow_ups.add(session, author, customer, text, moment, now)


def birthday(company: Company, customer: str, value: str) -> None:
    now = company.clock.now()
    with company.runtime.write() as session:
        session.add(ProfileField(key="birthday", name="生日", kind="date", created_at=now))
        session.flush()
        author = staff_viewer(session, session.query(Staff).filter_by(userid="zhang").one())
        profile_values.fill(session, author, customer, {"birthday": value}, now)


def _fill(company: Company, names: list[str]) -> list[str]:
    """Give zhang friends, three each second."""
    with company.runtime.write() as session:
        now = company.clock.now()
        zhang = session.query(Staff).filter_by(userid="zhang").one()
        first = session.scalar(select(func.count()).select_from(Customer)) or 0
        for number, name in enumerate(names, first):
            customer = Customer(external_userid=f"wm_{number}", name=name, created_at=now)
            session.add(customer)
            session.flush()
            since = now + timedelta(seconds=number // 3)
            session.add(Relation(customer_id=customer.id, staff_id=zhang.id, opened_at=since, epoch_at=since))
    return [f"wm_{number}" for number in range(first, first + len(names))]


def test_a_page_asks_as_often_for_many_customers_as_for_one(company: Company, zhang: Browser) -> None:
    counts = []
    for names in (["客户0"], [f"更多{number}" for number in range(29)]):
        _fill(company, names)
        asked: list[str] = []
        note_it = partial(_note, asked)
        event.listen(Engine, "before_cursor_execute", note_it)
        for path in ("list", "list?q=客户", "today", "deck"):
            assert zhang.get(f"/sidebar/mine/{path}").status_code == 200
        event.remove(Engine, "before_cursor_execute", note_it)
        counts.append(len(asked))
    assert counts[0] == counts[1]


def _note(asked: list[str], _connection: object, _cursor: object, text: str, *_: object) -> None:
    if text.startswith("SELECT"):
        asked.append(text)
