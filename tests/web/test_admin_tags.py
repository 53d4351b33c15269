"""The console's tag library: groups and tags made, found, edited, put in order, archived and brought back."""

import html
import io
import re
from typing import Any

from tests.flows.company import Company
from tests.web.browsing import Browser, local_admin

HOME = "/admin/tags"


def send(browser: Browser, path: str, **form: Any) -> Any:
    return browser.send("POST", HOME + path, form=form, Accept="text/html")


def text(browser: Browser, path: str = "") -> str:
    answer = browser.get(HOME + path)
    assert answer.status_code == 200
    return answer.get_data(as_text=True)


def group_form(**more: Any) -> dict[str, Any]:
    choices = {"selection": "multi", "scope": "customer", "mirror": "two_way", "editable_by": "everybody"}
    return {"name": "客户意向", "dimension": "journey", "lifecycle": "active", **choices, **more}


def test_a_group_is_made_with_its_tags_and_found_by_what_people_type(company: Company) -> None:
    admin = local_admin(company)
    assert "标签库还是空的" in text(admin)
    made = send(admin, "/groups/new", **group_form(tags="高意向\n\n观望\n"))
    assert made.status_code == 303
    company.settle()
    (group,) = company.get("/tag-groups")["items"]
    assert [tag["name"] for tag in group["tags"]] == ["高意向", "观望"]
    key = group["tags"][1]["key"]
    send(admin, f"/items/{key}", name="观望", lifecycle="active", aliases="犹豫，再看看", version="1")
    for typed in ("观望", "guanwang", "gw", "犹豫", "zkk"):
        page = text(admin, f"?q={typed}")
        assert f"/items/{key}" in page, typed
        assert "高意向" not in page, typed
    assert "已同步" in page
    assert "没有找到" in text(admin, "?q=没有的")


def test_what_is_wrong_is_said_and_what_was_typed_stays(company: Company) -> None:
    admin = local_admin(company)
    for form, told in (
        (group_form(name=""), "1 到 30 个字"),
        (group_form(tags="一\n一"), "不能重复"),
        (group_form(ttl_days="七"), "请填天数"),
        (group_form(selection="poem"), "请从列表里选择"),
        (group_form(dimension="nowhere"), "未知的维度"),
    ):
        refused = send(admin, "/groups/new", **form, description="写了很久")
        assert refused.status_code == 422, told
        page = refused.get_data(as_text=True)
        assert told in page
        assert "写了很久" in page
    assert company.get("/tag-groups")["items"] == []


def test_two_who_edit_at_once_do_not_overwrite_each_other(company: Company) -> None:
    (key,) = company.make_tags("护肤")
    admin = local_admin(company)
    send(admin, f"/items/{key}", name="护肤品", lifecycle="active", version="1")
    late = send(admin, f"/items/{key}", name="面霜", lifecycle="active", version="1", description="写了很久")
    assert late.status_code == 409
    page = late.get_data(as_text=True)
    assert "已被他人修改" in page
    assert "写了很久" in page
    company.settle()
    assert [tag["name"] for tag in company.get("/tags")["items"]] == ["护肤品"]


def test_tags_and_groups_move_by_buttons_and_stop_at_the_ends(company: Company) -> None:
    admin = local_admin(company)
    keys = company.make_tags("甲", "乙")
    company.make_tags("丙", group="第二组")
    send(admin, f"/items/{keys[1]}/move", to="up")
    send(admin, f"/items/{keys[1]}/move", to="up")
    groups = {group["name"]: group for group in company.get("/tag-groups")["items"]}
    assert [tag["name"] for tag in groups["兴趣"]["tags"]] == ["乙", "甲"]
    send(admin, f"/groups/{groups['第二组']['key']}/move", to="up")
    company.settle()
    page = text(admin)
    assert page.index("第二组") < page.index(">兴趣<")


def test_what_is_archived_is_offered_back_and_its_users_are_asked_about_first(company: Company) -> None:
    admin = local_admin(company)
    used, free = company.make_tags("护肤", "母婴")
    company.make_channel(tags=[used])
    archived = send(admin, f"/items/{free}/archive")
    page = admin.get(archived.location).get_data(as_text=True)
    assert "标签已归档" in page
    assert f'action="{HOME}/items/{free}/restore"' in page
    assert "母婴" in text(admin, "?show=archived")
    send(admin, f"/items/{free}/restore")

    asked = send(admin, f"/items/{used}/archive")
    assert asked.status_code == 409
    assert "渠道活码「门店海报」" in asked.get_data(as_text=True)
    assert len(company.get("/tags")["items"]) == 2
    assert send(admin, f"/items/{used}/archive", cascade="1").status_code == 303
    assert [tag["name"] for tag in company.get("/tags")["items"]] == ["母婴"]


def test_more_tags_are_added_one_a_line_all_or_none(company: Company) -> None:
    admin = local_admin(company)
    company.make_tags("护肤")
    (group,) = company.get("/tag-groups")["items"]
    refused = send(admin, f"/groups/{group['key']}/tags", names="彩妆\n护肤")
    assert refused.status_code == 409
    assert "彩妆\n护肤" in refused.get_data(as_text=True)
    send(admin, f"/groups/{group['key']}/tags", names="彩妆\n香水")
    assert {tag["name"] for tag in company.get("/tags")["items"]} == {"护肤", "彩妆", "香水"}


def test_a_dimension_of_ones_own_is_made_renamed_moved_and_archived_while_empty(company: Company) -> None:
    admin = local_admin(company)
    assert send(admin, "/dimensions", name="门店").status_code == 303
    assert "已有维度「门店」" in send(admin, "/dimensions", name="门店").get_data(as_text=True)
    key = company.get("/dimensions")["items"][-1]["key"]
    send(admin, f"/dimensions/{key}", name="门店属性", version="1")
    assert send(admin, f"/dimensions/{key}", name="再改", version="1").status_code == 409
    send(admin, f"/dimensions/{key}/move", to="up")
    assert [one["name"] for one in company.get("/dimensions")["items"]][-2] == "门店属性"
    send(admin, "/groups/new", **group_form(dimension=key))
    assert "门店属性" in text(admin)
    refused = send(admin, f"/dimensions/{key}/archive")
    assert refused.status_code == 409
    assert "请先移走或归档" in refused.get_data(as_text=True)
    (group,) = company.get("/tag-groups")["items"]
    send(admin, f"/groups/{group['key']}/archive")
    archived = send(admin, f"/dimensions/{key}/archive")
    assert f'action="{HOME}/dimensions/{key}/restore"' in admin.get(archived.location).get_data(as_text=True)


def upload(browser: Browser, content: str, name: str = "tags.yaml", **form: Any) -> Any:
    file = (io.BytesIO(content.encode()), name)
    return send(browser, "/import", file=file, **form)


def test_a_file_is_tried_out_and_what_was_shown_is_carried_in(company: Company) -> None:
    admin = local_admin(company)
    row = "{name: 意向, dimension: journey, definition: '一\n\n    二', tags: [高, 低]}"
    content = f"format: wecom-tags/1\ngroups:\n  - {row}\n"
    tried = upload(admin, content)
    page = tried.get_data(as_text=True)
    assert (tried.status_code, "会有 3 处改动" in page) == (200, True)
    assert company.get("/tags")["items"] == []
    kept = re.search(r'<textarea name="text"[^>]*>\n(.*?)</textarea>', page, re.DOTALL)
    assert kept
    shown = html.unescape(kept[1])
    sent = shown.replace("\n", "\r\n")
    assert send(admin, "/import/carry", text=sent, name="tags.yaml").status_code == 303
    page = admin.get("/admin/tags/import").get_data(as_text=True)
    assert ("最近的导入" in page, "已完成" in page, "正在导入" in page) == (True, True, False)
    assert {tag["name"] for tag in company.get("/tags")["items"]} == {"高", "低"}
    exported = text(admin, "/export?format=csv")
    assert "没有要改的" in upload(admin, exported, "tags.csv").get_data(as_text=True)


def test_a_file_with_a_wrong_row_is_not_carried_in(company: Company) -> None:
    admin = local_admin(company)
    content = "format: wecom-tags/1\ngroups:\n  - {name: 意向, dimension: journey, tags: [高, 高]}\n"
    tried = upload(admin, content).get_data(as_text=True)
    assert "第 3 行：标签「高」写了两次" in tried
    assert "确认导入" not in tried
    assert send(admin, "/import/carry", text=content, name="tags.yaml").status_code == 422
    assert company.get("/tag-groups")["items"] == []
    assert "请选择一个" in send(admin, "/import").get_data(as_text=True)
    assert send(admin, "/import", starter="nothing").status_code == 404


def test_the_report_names_what_to_do_and_leads_there(company: Company) -> None:
    admin = local_admin(company)
    assert "标签库很整齐" in text(admin, "/report")
    company.make_tags("护肤")
    (group,) = company.get("/tag-groups")["items"]
    page = text(admin, "/report")
    assert "没有写说明和负责人" in page
    assert f'href="{HOME}/groups/{group["key"]}"' in page
