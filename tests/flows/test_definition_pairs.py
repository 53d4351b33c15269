"""What becomes of a tag that was left alone, renamed or deleted here, and the same in WeCom: all nine, ours and not."""

from dataclasses import dataclass

import pytest

from tests.flows.company import Company
from tests.flows.definitions import ADD, DELETE, EDIT, call, delete_there, names_there, rename_there, tag_here
from tests.flows.test_mark_failures import edit, known_customer


@dataclass(frozen=True)
class End:
    """What stands after the acts; names are told from each other by their first sign."""

    here: str
    """0: the first name, 1: that given here, 2: that given there."""
    there: str | None
    alias: str | None = None
    row: tuple[str, str | None] | None = None
    """Kind and resolution of the row about it."""
    gone: bool = False
    archived: bool = False


DELETED = End("0", None, row=("deletion", None), gone=True)
ENDS = {
    # owner, done here, done there
    ("ours", "none", "none"): End("0", "0"),
    ("ours", "none", "rename"): End("2", "2"),
    ("ours", "none", "delete"): DELETED,
    ("ours", "rename", "none"): End("1", "1"),
    ("ours", "rename", "rename"): End("2", "2", alias="1", row=("name", "theirs")),
    ("ours", "rename", "delete"): End("1", None, row=("deletion", None), gone=True),
    ("ours", "delete", "none"): End("0", None, gone=True, archived=True),
    ("ours", "delete", "rename"): End("0", None, gone=True, archived=True),
    ("ours", "delete", "delete"): End("0", None, gone=True, archived=True),
    # What another app made can be neither renamed nor deleted here: that is refused at once.
    ("foreign", "none", "none"): End("0", "0"),
    ("foreign", "none", "rename"): End("2", "2"),
    ("foreign", "none", "delete"): DELETED,
    ("foreign", "rename", "none"): End("0", "0"),
    ("foreign", "rename", "rename"): End("2", "2"),
    ("foreign", "rename", "delete"): DELETED,
    ("foreign", "delete", "none"): End("0", "0"),
    ("foreign", "delete", "rename"): End("2", "2"),
    ("foreign", "delete", "delete"): DELETED,
}


def name_of(case: tuple[str, str, str], sign: str = "0") -> str:
    return sign + "、".join(case).replace("、", "-")


@pytest.mark.both
def test_every_pair_of_acts_on_a_tag_ends_as_decided_and_stays_so(company: Company) -> None:
    ours = [name_of(case) for case in ENDS if case[0] == "ours"]
    company.make_tags(*ours, group="ours")
    foreign = [name_of(case) for case in ENDS if case[0] == "foreign"]
    company.simulator.act("admin", "group_create", group="foreign", names=foreign)
    company.settle()
    keys = {tag["name"]: tag["key"] for tag in company.get("/tags")["items"]}
    edit(company, known_customer(company), add=[keys[name] for name in (*ours, *foreign)])
    company.settle_later(30)
    company.simulator.calls.clear()

    for case in ENDS:
        owner, here, there = case
        key, refused = keys[name_of(case)], owner == "foreign"
        if here == "rename":
            call(company, "PATCH", f"/tags/{key}", {"name": name_of(case, "1")}, 409 if refused else 200)
        if here == "delete":
            call(company, "POST", f"/tags/{key}/deletion", {"cascade": True}, 409 if refused else 202)
        if there == "rename":
            rename_there(company, name_of(case), name_of(case, "2"), owner)
        if there == "delete":
            delete_there(company, name_of(case), owner)
    company.settle_later(40)

    found = company.get("/sync/conflicts?subject=library")["items"]
    rows = {one["key"]: (one["kind"], one["resolution"]) for one in found}
    shown = {owner: {name[1:]: name[0] for name in names_there(company, owner)} for owner in ("ours", "foreign")}
    ends = {}
    for case in ENDS:
        tag = tag_here(company, keys[name_of(case)])
        ends[case] = End(
            here=tag.name[0],
            there=shown[case[0]].get(name_of(case)[1:]),
            alias=tag.aliases[0][0] if tag.aliases else None,
            row=rows.get(tag.key),
            gone=tag.gone_at is not None,
            archived=tag.archived_at is not None,
        )
    assert ends == ENDS
    assert company.simulator.calls.of(ADD) == []
    assert company.get("/jobs?state=dead")["items"] == []
    assert all(one["uses"] == ["1 位客户"] for one in found if one["kind"] == "deletion")

    company.simulator.calls.clear()
    company.simulator.act("admin", "shuffle")
    company.settle_later(30)
    assert [company.simulator.calls.of(api) for api in (EDIT, ADD, DELETE)] == [[], [], []]
