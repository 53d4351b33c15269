"""The console's tag library: groups and tags made, found, edited, put in order, archived and brought back."""

import html
import io
import re
from typing import Any

from tests.flows.company import Company
from tests.web.browsing import Browser, form_on, local_admin, member
from wecom_app.domain.access import Role

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

    # He sees what the other saved, and by saving once more decides for his own.
    assert "名称：现在是「护肤品」" in page
    assert "说明：现在是空的" in page
    assert "状态：现在是" not in page
    assert send(admin, f"/items/{key}", **form_on(late, "settings")).status_code == 303
    (tag,) = company.get("/tags")["items"]
    assert (tag["name"], tag["description"]) == ("面霜", "写了很久")


def test_two_who_edit_a_group_at_once_do_not_overwrite_each_other(company: Company) -> None:
    admin = local_admin(company)
    company.make_tags("护肤")
    (group,) = company.get("/tag-groups")["items"]
    send(
        admin, f"/groups/{group['key']}", **group_form(name="兴趣", dimension="behaviour", sensitive="on"), version="1"
    )
    form = group_form(name="喜好", selection="single", dimension="behaviour")
    late = send(admin, f"/groups/{group['key']}", **form, version="1")
    page = late.get_data(as_text=True)
    assert late.status_code == 409
    for told in ("名称：现在是「兴趣」", "单选还是多选：现在是「多选：可以同时有几个」", "敏感：现在是「是」"):
        assert told in page
    assert "维度：现在是" not in page
    assert send(admin, f"/groups/{group['key']}", **form_on(late, "settings")).status_code == 303
    (group,) = company.get("/tag-groups")["items"]
    assert (group["name"], group["selection"], group["sensitive"]) == ("喜好", "single", False)


def test_saving_a_form_as_it_is_shown_changes_nothing(company: Company) -> None:
    admin = local_admin(company)
    made = send(admin, "/groups/new", **group_form(tags="高\n低", editable_by="leaders", colour="teal", ttl_days="30"))
    company.settle()
    (before,) = company.get("/tag-groups")["items"]
    for path in (made.location.removeprefix(HOME).partition("?")[0], f"/items/{before['tags'][0]['key']}"):
        assert send(admin, path, **form_on(admin.get(HOME + path), "settings")).status_code == 303
    assert company.get("/tag-groups")["items"] == [before]


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


def test_where_there_is_nothing_it_is_said_why_and_what_to_do(company: Company) -> None:
    admin, auditor = local_admin(company), member(company, "zhang", Role.AUDITOR)
    assert "有了标签以后" in text(admin, "/report")
    assert "请管理员先建标签组" in text(auditor)
    company.make_tags("护肤")
    assert "没有归档的标签" in text(admin, "?show=archived")
    nothing = text(admin, "?dimension=journey")
    assert "这个维度还没有标签组" in nothing
    assert f'href="{HOME}/groups/new?dimension=journey">在这个维度新建标签组' in nothing
    assert "在这个维度新建标签组" not in text(auditor, "?dimension=journey")
    assert "换个词" in text(admin, "?dimension=journey&q=没有的")
    assert "没有删除过的标签" in text(admin, "/deleted")


def test_who_may_only_look_sees_no_column_of_things_to_do(company: Company) -> None:
    company.make_tags("护肤")
    (group,) = company.get("/tag-groups")["items"]
    admin, auditor = local_admin(company), member(company, "zhang", Role.AUDITOR)
    for path in (f"/groups/{group['key']}", "/dimensions"):
        assert ">操作</th>" in text(admin, path)
        assert ">操作</th>" not in text(auditor, path)


def test_among_more_tags_than_a_list_takes_the_one_to_merge_into_is_looked_for(company: Company) -> None:
    (old,) = company.make_tags("老客")
    for name, numbers in (("很多", range(300)), ("更多", range(300, 501))):
        tags = [{"name": f"标签{number:03d}"} for number in numbers]
        company.post("/tag-groups", {"name": name, "dimension": "behaviour", "mirror": "none", "tags": tags})
    admin = local_admin(company)
    page = text(admin, f"/items/{old}/merge")
    assert "只列出前 500 个" in page
    assert "标签500（更多）" not in page
    found = text(admin, f"/items/{old}/merge?q=标签500")
    assert "标签500（更多）" in found
    assert "只列出前" not in found
    assert "没有可以合并到的标签" in text(admin, f"/items/{old}/merge?q=没有的")


def test_a_long_group_is_shown_in_pages_and_a_tag_that_moves_is_followed(company: Company) -> None:
    admin = local_admin(company)
    names = [f"批次{number:03d}" for number in range(120)]
    made = send(admin, "/groups/new", **group_form(name="批次", mirror="none", tags="\n".join(names)))
    assert made.status_code == 303
    (group,) = company.get("/tag-groups")["items"]
    one, key = f"/groups/{group['key']}", {tag["name"]: tag["key"] for tag in group["tags"]}

    first, last = text(admin, one), text(admin, f"{one}?page=99")
    assert ("批次049" in first, "批次050" in first, "第 1–50 个，共 120 个" in first) == (True, False, True)
    assert ("批次119" in last, "批次099" in last, "第 101–120 个，共 120 个" in last) == (True, False, True)
    assert f'action="{HOME}/items/{key["批次119"]}/move"' in last

    for name, to, page in (("批次100", "up", "&page=1"), ("批次119", "top", ""), ("批次048", "down", "&page=1")):
        assert send(admin, f"/items/{key[name]}/move", to=to).location == f"{HOME}{one}?notice=tags.moved{page}"
    assert company.get("/tag-groups")["items"][0]["tags"][0]["name"] == "批次119"
    # The library shows as many as can be looked over; the rest opens by a click.
    assert "其余 90 个" in text(admin)


def test_among_many_groups_one_that_moves_is_followed_and_goes_to_the_top_at_once(company: Company) -> None:
    admin = local_admin(company)
    for number in range(25):
        company.post("/tag-groups", {"name": f"第{number}组", "dimension": "journey", "mirror": "none", "tags": []})
    key = {group["name"]: group["key"] for group in company.get("/tag-groups?limit=100")["items"]}
    moved = send(admin, f"/groups/{key['第21组']}/move", to="down")
    assert moved.location == f"{HOME}?notice=tags.moved&dimension=journey&page=1"
    assert "置顶标签组「第21组」" in admin.get(moved.location).get_data(as_text=True)
    send(admin, f"/groups/{key['第24组']}/move", to="top")
    page = text(admin)
    assert page.index("第24组") < page.index("第0组")


def test_too_many_names_at_once_are_refused_and_none_is_cut_off(company: Company) -> None:
    admin = local_admin(company)
    company.make_tags("护肤")
    (group,) = company.get("/tag-groups")["items"]
    names = "\n".join(f"一个有十来个字的标签{number:03d}" for number in range(501))
    for path, form in ((f"/groups/{group['key']}/tags", {"names": names}), ("/groups/new", group_form(tags=names))):
        refused = send(admin, path, **form)
        page = refused.get_data(as_text=True)
        assert (refused.status_code, "一次最多 500 个，这里有 501 个" in page) == (422, True)
        assert "一个有十来个字的标签500" in page
    assert send(admin, f"/groups/{group['key']}/tags", names=names.rpartition("\n")[0]).status_code == 303
    assert "一个有十来个字的标签499" in [tag["name"] for tag in company.get("/tag-groups")["items"][0]["tags"]]


def test_a_name_that_is_too_long_is_named_among_many(company: Company) -> None:
    admin = local_admin(company)
    company.make_tags("护肤")
    (group,) = company.get("/tag-groups")["items"]
    refused = send(admin, f"/groups/{group['key']}/tags", names=f"彩妆\n{'很长' * 16}\n香水")
    assert refused.status_code == 422
    assert "1 到 30 个字，「很长很长很长很长很长很长…」有 32 个" in refused.get_data(as_text=True)


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


def test_what_a_file_lacks_is_said_with_the_way_to_a_right_one(company: Company) -> None:
    admin = local_admin(company)
    for content, name, told in (
        ("PK\x03\x04book", "标签.xlsx", "请在表格软件里另存为 CSV"),
        ("", "空.csv", "第一行要是列名"),
        ("维度,标签组,标签\n", "少列.csv", "可以先导出 CSV，照着它的列名填"),
        ("维度 key,标签组,标签\n", "表格.txt", "文件名要以 .csv 结尾"),
    ):
        refused = upload(admin, content, name)
        assert (refused.status_code, told in refused.get_data(as_text=True)) == (422, True), name
    body, kind = b"x" * 1024 * 1100, "application/x-www-form-urlencoded"
    large = admin.send("POST", f"{HOME}/import", form=body, Content_Type=kind, Accept="text/html")
    assert (large.status_code, "一次最多 1024 KB" in large.get_data(as_text=True)) == (413, True)


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
    company.make_tags("护肤")
    (group,) = company.get("/tag-groups")["items"]
    page = text(admin, "/report")
    assert "没有写说明和负责人" in page
    assert f'href="{HOME}/groups/{group["key"]}"' in page
    form = group_form(name="兴趣", dimension="behaviour", description="看过什么", maintainer="zhang")
    assert send(admin, f"/groups/{group['key']}", **form).status_code == 303
    assert "标签库很整齐" in text(admin, "/report")
