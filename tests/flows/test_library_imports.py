"""A library's file in short transactions: its job goes on where it was left, and what went wrong is shown."""

from typing import Any

import pytest
from sqlalchemy import func, select

from tests.flows.company import Company
from tests.flows.test_mark_failures import edit, known_customer
from wecom_app.models import Tag, TagGroup
from wecom_app.services import library, library_import, library_imports, library_reading, library_trial, taxonomy
from wecom_app.services.library_files import LibraryFile
from wecom_app.services.library_imports import Carried
from wecom_app.services.library_reading import Faulty
from wecom_app.services.runtime import SimulatedCrash

TEXT = """format: wecom-tags/1
groups:
  - name: 意向
    dimension: journey
    tags:
      - 一
      - {name: 二, lifecycle: deprecated, replaced_by: journey.last}
      - 三
      - {name: 四, description: 最后}
      - {name: 五, key: journey.last}
  - {name: 阶段, key: journey.stage, dimension: journey, tags: [甲, 乙, 丙]}
"""


@pytest.fixture(autouse=True)
def _small_slices(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(library_import, "SLICE", 2)


def file(text: str = TEXT) -> LibraryFile:
    return library_reading.read(text.encode())


def carry_in(company: Company, given: LibraryFile, **choices: Any) -> Carried:
    return library_imports.carry_in(company.runtime, library.context(company.runtime), given, by="tests", **choices)


def names(company: Company) -> dict[str, list[str]]:
    with company.runtime.read() as session:
        groups = session.scalars(select(TagGroup).order_by(TagGroup.id)).all()
        tags = taxonomy.tags_of(session, [group.id for group in groups])
        return {group.name: [tag.name for tag in tags.get(group.id, [])] for group in groups}


@pytest.mark.both
@pytest.mark.parametrize("only_add", [False, True])
def test_a_file_in_slices_ends_as_it_says_in_its_order(company: Company, only_add: bool) -> None:
    heard = list[tuple[int, int]]()

    done = carry_in(company, file(), only_add=only_add, advanced=lambda *now: heard.append(now))

    assert done.is_done
    assert names(company) == {"意向": ["一", "二", "三", "四", "五"], "阶段": ["甲", "乙", "丙"]}
    with company.runtime.read() as session:
        two = session.scalars(select(Tag).where(Tag.name == "二")).one()
        four = session.scalars(select(Tag).where(Tag.name == "四")).one()
    assert (two.lifecycle, two.replaced_by, four.description) == ("deprecated", "journey.last", "最后")
    assert heard[-1][0] == heard[-1][1] > 5
    company.settle()
    assert [tag["name"] for tag in company.wecom_state()["tag_groups"][0]["tag"]] == ["一", "二", "三", "四", "五"]
    assert carry_in(company, file()).steps == [], "again there is nothing to do"


@pytest.mark.both
def test_an_import_whose_asker_went_away_is_ended_by_its_job_through_a_crash(company: Company) -> None:
    carried = carry_in(company, file(), patience_s=0)
    assert (carried.is_done, names(company)) == (False, {})
    met = list[str]()

    def crash(name: str) -> None:
        if name == "library_import.after_slice":
            met.append(name)
            if len(met) == 3:
                raise SimulatedCrash(name)

    company.crash_hook = crash
    with pytest.raises(SimulatedCrash):
        company.settle_later(90)
    shown = company.get(f"/tags/imports/{carried.import_id}")
    assert (shown["state"], 0 < shown["done"] < shown["total"]) == ("running", True)
    company.crash_hook = None
    company.restart()
    company.settle_later(900, step=60)

    (shown,) = company.get("/tags/imports")["items"]
    assert (shown["id"], shown["state"], shown["problems"]) == (carried.import_id, "done", [])
    assert shown["counts"] == {"create_group": 2, "create_tag": 8}
    assert names(company) == {"意向": ["一", "二", "三", "四", "五"], "阶段": ["甲", "乙", "丙"]}


@pytest.mark.both
def test_a_row_that_became_wrong_meanwhile_is_left_out_and_shown_and_the_rest_is_done(company: Company) -> None:
    carried = carry_in(company, file(), patience_s=0)
    company.make_tags("丁", group="阶段", dimension="journey")
    company.settle_later(90)

    shown = company.get(f"/tags/imports/{carried.import_id}")
    assert (shown["state"], [problem["line"] for problem in shown["problems"]]) == ("done", [11])
    assert "已有同名标签组「阶段」" in shown["problems"][0]["words"]
    assert names(company) == {"阶段": ["丁"], "意向": ["一", "二", "三", "四", "五"]}

    again = carry_in(company, file(TEXT.replace("key: journey.stage, ", "")))
    assert (again.is_done, again.problems, set(names(company)["阶段"])) == (True, [], {"甲", "乙", "丙", "丁"})


@pytest.mark.both
def test_a_trial_writes_nothing_and_waits_for_no_writer(company: Company) -> None:
    with company.runtime.write() as session:
        session.execute(select(func.count(Tag.id)))
        tried = library_trial.preview(company.runtime, library.context(company.runtime), file())

    assert len(tried.steps) == 10
    assert (names(company), company.get("/tags/imports")["items"]) == ({}, [])


@pytest.mark.both
def test_a_trial_knows_what_customers_have(company: Company) -> None:
    external_userid = known_customer(company)
    edit(company, external_userid, add=company.make_tags("护肤", "母婴"))
    (group,) = [group for group in company.get("/tag-groups")["items"] if group["name"] == "兴趣"]
    text = f"""format: wecom-tags/1
groups:
  - {{key: {group["key"]}, name: 兴趣, dimension: {group["dimension"]}, selection: single}}
  - {{name: 新的, dimension: journey, tags: [一]}}
"""
    with pytest.raises(Faulty) as caught:
        carry_in(company, file(text))

    assert [line for line, _ in caught.value.problems] == [3]
    assert "新的" not in names(company)
