"""The tag library's pages where WeCom does not follow: shown, tried again, deleted there, made anew."""

from tests.flows.company import Company
from tests.flows.definitions import EDIT, delete_there, names_there, rename_here, rename_there, tag_here
from tests.flows.test_mark_failures import edit, known_customer
from tests.web.browsing import local_admin
from tests.web.test_admin_tags import group_form, send, text


def test_the_policy_is_chosen_in_the_group_form_and_a_question_leads_to_its_settling(company: Company) -> None:
    (key,) = company.make_tags("护肤")
    admin = local_admin(company)
    (group,) = company.get("/tag-groups")["items"]
    form = group_form(name="兴趣", dimension="behaviour", conflict_policy="ask", version=str(group["version"]))
    assert send(admin, f"/groups/{group['key']}", **form).status_code == 303
    rename_here(company, key, "护肤品")
    assert "等待同步到企业微信" in text(admin, f"/groups/{group['key']}")
    rename_there(company, "护肤", "面部护理")
    company.settle_later(30)

    page = text(admin, f"/items/{key}")

    assert "两边都改了名称，等人处理" in page
    assert 'href="/admin/conflicts"' in page
    listed = admin.get("/admin/conflicts").get_data(as_text=True)
    assert "护肤品" in listed
    assert "面部护理" in listed


def test_what_wecom_did_not_take_is_shown_and_tried_again(company: Company) -> None:
    (key,) = company.make_tags("护肤")
    company.simulator.faults.add(EDIT, "errcode", errcode=40058)
    rename_here(company, key, "护肤品")
    company.settle_later(30)
    admin = local_admin(company)
    assert "企业微信没有接受" in text(admin, f"/items/{key}")
    company.simulator.faults.put({})

    assert send(admin, f"/items/{key}/retry").status_code == 303
    company.settle_later(30)

    assert (names_there(company), "已同步" in text(admin, f"/items/{key}")) == (["护肤品"], True)


def test_a_tag_is_deleted_in_wecom_after_a_preview_and_made_anew(company: Company) -> None:
    key, _ = company.make_tags("护肤", "母婴")
    customer = known_customer(company)
    edit(company, customer, add=[key])
    company.settle_later(30)
    admin = local_admin(company)
    preview = text(admin, f"/items/{key}/deletion")
    assert "1 个好友关系（1 位客户）" in preview
    assert names_there(company) == ["护肤", "母婴"]

    assert send(admin, f"/items/{key}/deletion").status_code == 303
    company.settle_later(30)
    assert names_there(company) == ["母婴"]
    assert f"/items/{key}/recreate" in text(admin, "/deleted")
    send(admin, f"/items/{key}/recreate")
    company.settle_later(60)

    assert "护肤" in company.tags_there(customer)
    assert f"/items/{key}/recreate" not in text(admin, "/deleted")


def test_what_cannot_be_deleted_or_made_anew_says_why(company: Company) -> None:
    company.simulator.act("admin", "tag_create", group="后台组", name="后台标签")
    company.settle()
    (tag,) = company.get("/tags")["items"]
    admin = local_admin(company)
    refused = send(admin, f"/items/{tag['key']}/deletion")
    assert (refused.status_code, "只能在那里删除" in refused.get_data(as_text=True)) == (409, True)
    key, _ = company.make_tags("护肤", "母婴")
    edit(company, known_customer(company), add=[key])
    company.settle_later(30)
    delete_there(company, "护肤")
    company.simulator.act("admin", "tag_create", group="兴趣", name="护肤")
    company.settle_later(30)

    answer = send(admin, f"/items/{key}/recreate")

    assert "tags.recreate_taken" in answer.headers["Location"]
    assert tag_here(company, key).gone_at is not None
