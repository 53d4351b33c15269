"""The console's content pages as a server sees them: who may do what, what is kept of a refused form, files."""

import io
from typing import Any

from sqlalchemy import select

from tests.flows.company import Company
from tests.web.browsing import Browser, form_on, local_admin, member
from wecom_app.domain.access import Role
from wecom_app.models import AuditEntry

PNG = b"\x89PNG\r\n\x1a\n" + bytes(64)
FORM = {"kind": "script", "title": "问候", "text": "您好", "status": "active", "mode": "tags"}


def save(browser: Browser, path: str, **changes: Any) -> Any:
    return browser.send("POST", path, form={**FORM, **changes}, Accept="text/html")


def make(company: Company, **more: Any) -> Any:
    return company.post("/content", {"kind": "script", "title": "问候", "text": "您好", **more})


def test_an_auditor_reads_but_changes_nothing_and_a_rep_sees_nothing(company: Company) -> None:
    make(company)
    auditor, rep = member(company, "chen", Role.AUDITOR), member(company, "zhang")
    assert "问候" in auditor.get("/admin/content").get_data(as_text=True)
    form = auditor.get("/admin/content/1").get_data(as_text=True)
    assert '<fieldset class="stack plain" disabled>' in form
    assert ">保存<" not in form
    for path in ("/admin/content/new", "/admin/content/1", "/admin/content/1/archive", "/admin/content/1/copy"):
        assert save(auditor, path).status_code == 403, path
        assert save(rep, path).status_code == 403, path
    assert rep.get("/admin/content").status_code == 403
    assert company.get("/content/1")["version"] == 1


def test_a_late_edit_is_refused_and_shown_again_with_what_was_written(company: Company) -> None:
    make(company)
    admin = local_admin(company)
    assert save(admin, "/admin/content/1", version="1", title="第一个").status_code == 303
    late = save(admin, "/admin/content/1", version="1", title="迟到的", text="写了很久")
    assert late.status_code == 409
    page = late.get_data(as_text=True)
    assert "刚被 root 修改过" in page
    assert 'value="迟到的"' in page
    assert "写了很久" in page
    assert form_on(late, "content-form")["version"] == "1"
    assert company.get("/content/1")["title"] == "第一个"


def test_a_form_refused_for_a_mistake_is_not_saved_over_a_newer_version_either(company: Company) -> None:
    make(company)
    admin = local_admin(company)
    assert save(admin, "/admin/content/1", version="1", title="第一个").status_code == 303
    refused = save(admin, "/admin/content/1", version="1", priority="很高")
    assert refused.status_code == 422
    assert form_on(refused, "content-form")["version"] == "1"
    again = save(admin, "/admin/content/1", version="1", title="迟到的")
    assert again.status_code == 409
    assert company.get("/content/1")["title"] == "第一个"


def test_a_refused_form_names_what_to_change_and_keeps_the_rest(company: Company) -> None:
    skin, baby = company.make_tags("护肤", "母婴")
    refused = save(
        local_admin(company), "/admin/content/new", title="", all=[skin], none=[baby], priority="很高", valid_from="x"
    )
    assert refused.status_code == 422
    page = refused.get_data(as_text=True)
    assert "优先级请填 0 到 100 的整数" in page
    assert "时间请按" in page
    assert f'name="all" value="{skin}" checked' in page
    assert company.get("/content")["items"] == []


def test_the_three_fieldsets_come_back_as_they_were_saved(company: Company) -> None:
    one, two, three = company.make_tags("一", "二", "三")
    saved = save(
        local_admin(company),
        "/admin/content/new",
        all=[one],
        any=[two],
        none=[three],
        valid_until="2026-12-31T23:59",
    )
    assert saved.status_code == 303
    (item,) = company.get("/content")["items"]
    assert [part["op"] for part in item["condition"]["all"]] == ["has_all", "has_any", "has_none"]
    assert item["valid_until"] == "2026-12-31T15:59:00.000Z"
    page = local_admin(company, "another").get(f"/admin/content/{item['id']}").get_data(as_text=True)
    for name, key in (("all", one), ("any", two), ("none", three)):
        assert f'name="{name}" value="{key}" checked' in page
    assert 'value="2026-12-31T23:59"' in page


def test_every_change_stands_in_the_audit_trail(company: Company) -> None:
    admin = local_admin(company)
    save(admin, "/admin/content/new")
    save(admin, "/admin/content/1", version="1", title="改")
    save(admin, "/admin/content/1/archive")
    with company.runtime.read() as session:
        entries = session.scalars(select(AuditEntry).order_by(AuditEntry.id)).all()
    done = [(entry.actor, entry.action, entry.subject) for entry in entries if entry.subject == "content:1"]
    assert done == [("root", f"content.{act}", "content:1") for act in ("create", "edit", "archive")]


def test_a_picture_is_public_only_while_an_item_shows_it(company: Company) -> None:
    admin = local_admin(company)
    field = admin.send("POST", "/admin/content/files", form={"file": (io.BytesIO(PNG), "图.png")})
    assert field.status_code == 200, field.get_data(as_text=True)
    assert 'name="media" value="1"' in field.get_data(as_text=True)
    (sha256,) = {company.get("/media/1")["sha256"]}
    public = company.web.test_client()
    assert public.get(f"/pictures/{sha256}").status_code == 404
    save(admin, "/admin/content/new", kind="article", link="https://a.test/1", media="1")
    shown = public.get(f"/pictures/{sha256}")
    assert (shown.status_code, shown.mimetype, shown.data) == (200, "image/png", PNG)
    save(admin, "/admin/content/1/archive")
    assert public.get(f"/pictures/{sha256}").status_code == 404
    assert public.get("/pictures/etc").status_code == 404


def test_a_file_that_is_no_picture_is_refused_with_words(company: Company) -> None:
    answer = local_admin(company).send(
        "POST", "/admin/content/files", form={"file": (io.BytesIO(b"GIF89a...."), "a.gif")}
    )
    assert answer.status_code == 422
    assert "JPG 或 PNG" in answer.get_json()["message"]
