"""What the flow tests of names, orders and deletions do on either side, and what both sides show after it."""

from typing import Any

from sqlalchemy import select

from tests.flows.company import Company
from wecom_app.models import Tag

EDIT = "externalcontact/edit_corp_tag"
ADD = "externalcontact/add_corp_tag"
DELETE = "externalcontact/del_corp_tag"
LIST = "externalcontact/get_corp_tag_list"


def call(company: Company, method: str, path: str, body: Any = None, expect: int = 200) -> Any:
    answer = company.client.open(f"/api/v1{path}", method=method, json=body or {}, headers=company.headers)
    assert answer.status_code == expect, answer.get_data(as_text=True)
    return answer.get_json()


def rename_here(company: Company, key: str, name: str) -> Any:
    return call(company, "PATCH", f"/tags/{key}", {"name": name})


def rename_there(company: Company, name: str, new: str, group: str = "兴趣") -> None:
    company.simulator.act("admin", "tag_rename", group=group, tag=name, name=new)


def delete_there(company: Company, name: str, group: str = "兴趣") -> None:
    company.simulator.act("admin", "tag_delete", group=group, tag=name)


def set_policy(company: Company, policy: str, name: str = "兴趣") -> str:
    key = next(group["key"] for group in company.get("/tag-groups")["items"] if group["name"] == name)
    call(company, "PATCH", f"/tag-groups/{key}", {"conflict_policy": policy})
    return str(key)


def names_there(company: Company, group: str = "兴趣") -> list[str]:
    """Return the names of the group's tags in WeCom, in its order; none where the group is not there."""
    found = [one for one in company.wecom_state()["tag_groups"] if one["group_name"] == group]
    return [tag["name"] for one in found for tag in one["tag"]]


def tag_here(company: Company, key: str) -> Tag:
    with company.runtime.read() as session:
        return session.scalars(select(Tag).where(Tag.key == key)).one()


def rows(company: Company) -> list[tuple[str, str, str, tuple[str, ...], tuple[str, ...], str | None]]:
    """Return the rows about the library, oldest first: kind, subject, name, ours, theirs, resolution."""
    found = company.get("/sync/conflicts?subject=library")["items"]
    return [
        (
            one["kind"],
            one["subject"],
            one["name"],
            tuple(one["ours"]),
            tuple(one["theirs"]),
            one["resolution"],
        )
        for one in reversed(found)
    ]


def open_row(company: Company) -> int:
    (row,) = company.get("/sync/conflicts?subject=library&state=open")["items"]
    return int(row["id"])


def settle_row(company: Company, row: int, keep: str) -> Any:
    return company.post("/sync/conflicts/settle", {"ids": [row], "keep": keep}, 200)
