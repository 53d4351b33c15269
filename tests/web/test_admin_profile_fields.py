"""The console's profile fields: defined, changed, put in order, taken out of use and back."""

from typing import Any

from tests.flows.company import Company
from tests.web.browsing import Browser, local_admin

HOME = "/admin/profile-fields"


def send(browser: Browser, path: str = "/new", **form: Any) -> Any:
    return browser.send("POST", HOME + path, form=form, Accept="text/html")


def names(company: Company) -> list[str]:
    return [field["name"] for field in company.get("/profile-fields")["items"]]


def test_a_field_is_made_changed_and_keeps_its_kind(company: Company) -> None:
    admin = local_admin(company)
    made = send(admin, name="孩子生日", kind="date", help="填农历也可以", repeated="on")
    assert made.status_code == 303
    (field,) = company.get("/profile-fields")["items"]
    assert (field["name"], field["kind"], field["repeated"], field["required"]) == ("孩子生日", "date", True, False)
    send(admin, f"/{field['key']}", name="宝宝生日", kind="text", required="on")
    (changed,) = company.get("/profile-fields")["items"]
    assert (changed["name"], changed["kind"], changed["repeated"], changed["required"]) == (
        "宝宝生日",
        "date",
        False,
        True,
    )


def test_a_refused_field_is_shown_again_with_what_to_change(company: Company) -> None:
    admin = local_admin(company)
    for form, told in (
        ({"name": "肤质", "kind": "choice"}, "选项"),
        ({"name": "", "kind": "text"}, "1 到 20 个字"),
        ({"name": "肤质", "kind": "poem"}, "请选择字段的类型"),
    ):
        refused = send(admin, **form, help="写了很久")
        assert refused.status_code == 422
        assert told in refused.get_data(as_text=True)
        assert "写了很久" in refused.get_data(as_text=True)
    send(admin, name="肤质", kind="choice", options="干性\n\n油性\n")
    taken = send(admin, name="肤质", kind="text")
    assert taken.status_code == 409
    assert "已有资料字段「肤质」" in taken.get_data(as_text=True)
    assert company.get("/profile-fields")["items"][0]["options"] == ["干性", "油性"]


def test_fields_move_up_and_down_and_stop_at_the_ends(company: Company) -> None:
    admin = local_admin(company)
    for name in ("甲", "乙", "丙"):
        send(admin, name=name, kind="text")
    keys = {field["name"]: field["key"] for field in company.get("/profile-fields")["items"]}
    for name, to, expected in (
        ("丙", "up", ["甲", "丙", "乙"]),
        ("甲", "up", ["甲", "丙", "乙"]),
        ("甲", "down", ["丙", "甲", "乙"]),
        ("乙", "down", ["丙", "甲", "乙"]),
        ("甲", "sideways", ["丙", "甲", "乙"]),
    ):
        assert send(admin, f"/{keys[name]}/move", to=to).status_code == 303
        assert names(company) == expected


def test_what_was_taken_out_of_use_is_offered_back(company: Company) -> None:
    admin = local_admin(company)
    send(admin, name="甲", kind="text")
    (field,) = company.get("/profile-fields")["items"]
    archived = send(admin, f"/{field['key']}/archive")
    page = admin.get(archived.location).get_data(as_text=True)
    assert "字段已停用，填过的内容仍保留" in page
    assert f'action="{HOME}/{field["key"]}/restore"' in page
    assert names(company) == []
    send(admin, f"/{field['key']}/restore")
    assert names(company) == ["甲"]
    # A word where an id belongs: the notice stands without a way back.
    assert admin.get("/admin/content?notice=content.archived&of=abc").status_code == 200
