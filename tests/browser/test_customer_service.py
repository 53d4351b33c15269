"""Customer service in its toolbar, with real clicks: a profile to read, nothing to change, each look written down."""

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import OpenWindow
from tests.browser.site import Site
from tests.browser.window import Look, Window
from wecom_app.domain.access import WHOLE_COMPANY
from wecom_app.models import AuditEntry, StaffScope
from wecom_app.services import staff


@pytest.fixture
def customer(site: Site) -> str:
    tags = site.make_tags("护肤")
    for kind, text in (("script", "换季了，记得补水"), ("article", "")):
        item = {"kind": kind, "title": f"护理{kind}", "text": text, "status": "active"}
        more = {"link": "https://example.com/care"} if kind == "article" else {}
        assert site.client.post("/api/v1/content", json={**item, **more}, headers=site.headers).status_code == 201
    found = site.scan("林晓芸", tags=tags)
    site.write_note(found, "约到店试用")
    with site.runtime.write() as session:
        chen = staff.ensure(session, ["chen"], site.clock.now())["chen"]
        session.merge(StaffScope(staff_id=chen, department_id=WHOLE_COMPANY))
    return found


def serve(window: OpenWindow, customer: str, userid: str = "chen", **more: object) -> Window:
    opened = window(customer, userid=userid, roles=("service",), entry="single_kf_tools", **more).open()
    opened.rests_at("林晓芸")
    return opened


def looks(site: Site) -> list[str]:
    with site.runtime.read() as session:
        return [row.actor for row in session.query(AuditEntry).filter_by(action="customer.serve")]


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_the_profile_is_read_only_and_the_look_is_written_down(
    window: OpenWindow, customer: str, site: Site, dark: bool
) -> None:
    opened = serve(window, customer, look=Look(dark=dark))
    opened.shows("客服查看")
    opened.shows("约到店试用")
    words = [text.strip() for text in opened.find("button:visible").all_inner_texts()]
    assert not {"编辑", "打标签", "写跟进", "修改", "删除", "撤销", "＋ 添加"} & set(words)
    expect(opened.find(".bar")).to_have_count(0)
    opened.press("护肤")
    opened.shows("客服只能查看，不能修改")
    expect(opened.find(".popover").get_by_role("button")).to_have_text(["知道了"])
    assert opened.violations() == []
    assert looks(site) == ["chen"]


def test_only_text_can_be_sent_from_there(window: OpenWindow, customer: str, site: Site) -> None:
    opened = serve(window, customer)
    expect(opened.find(".send:visible")).to_have_count(1)
    opened.find(".send:visible").click()
    opened.page.locator(".send", has_text="已发送").wait_for()
    assert [message["msgtype"] for message in opened.client.sent] == ["text"]


def test_the_customer_s_own_member_edits_there_as_usual(window: OpenWindow, customer: str, site: Site) -> None:
    opened = serve(window, customer, userid="zhang")
    opened.press("护肤")
    opened.press("移除标签")
    opened.shows("已移除「护肤」")
    assert looks(site) == []


def test_in_an_ordinary_chat_customer_service_sees_nobody_s_customer(window: OpenWindow, customer: str) -> None:
    opened = window(customer, userid="chen", roles=("service",), entry="single_chat_tools").open()
    opened.rests_at("没有找到这位客户")
