"""The library as a file: written and read back the same, whatever stands in it; what is wrong is told by line."""

import csv
import io
import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.services.shop import Shop
from wecom_app.domain.definitions import canonical
from wecom_app.domain.vocabulary import EditableBy, Lifecycle, Mirror, Scope, Selection
from wecom_app.models import Tag, TagGroup
from wecom_app.services import library_files, library_imports, library_reading, library_trial, starters
from wecom_app.services.library_files import DimensionRow, GroupRow, LibraryFile, TagRow
from wecom_app.services.library_reading import Faulty

NAMES = st.text(st.characters(exclude_categories=("Cc", "Cs", "Zl", "Zp", "Zs")), min_size=1, max_size=30).filter(
    lambda name: name.strip() == name
)
ALIASES = st.lists(NAMES.filter(lambda name: "、" not in name), max_size=3)
TEXTS = st.one_of(
    NAMES, st.just(""), st.sampled_from(["=1+1", "'=1", "''", "-1", "@x", "a\nb", '"', ",", "是", "null"])
)


def is_unique(groups: list[GroupRow]) -> bool:
    """Return whether nothing stands twice, as in a library."""
    marks = [(group.key, "") for group in groups] + [("", canonical(group.name)) for group in groups]
    marks += [(tag.key, "tag") for group in groups for tag in group.tags]
    marks += [(str(place), canonical(tag.name)) for place, group in enumerate(groups) for tag in group.tags]
    return len(set(marks)) == len(marks)


COMMON: dict[str, Any] = {
    "key": st.from_regex(r"[a-z][a-z0-9_]{2,20}\.[a-z]{1,9}", fullmatch=True),
    "name": NAMES,
    "description": TEXTS,
    "definition": TEXTS,
    "maintainer": st.one_of(st.none(), st.just("zhang")),
    "ttl_days": st.one_of(st.none(), st.integers(1, 3650)),
}
TAGS = st.builds(
    TagRow,
    **COMMON,
    lifecycle=st.sampled_from([Lifecycle.ACTIVE, Lifecycle.DEPRECATED]),
    aliases=ALIASES,
    replaced_by=st.none(),
)
GROUPS = st.builds(
    GroupRow,
    **COMMON,
    dimension=st.just("journey"),
    lifecycle=st.sampled_from(Lifecycle),
    selection=st.sampled_from(Selection),
    scope=st.sampled_from(Scope),
    mirror=st.sampled_from(Mirror),
    sensitive=st.booleans(),
    editable_by=st.sampled_from(EditableBy),
    tags=st.lists(TAGS, max_size=4),
)
FILES = (
    st.lists(GROUPS, max_size=4)
    .filter(is_unique)
    .map(
        lambda groups: LibraryFile(
            dimensions=[DimensionRow(key="journey", name="用户旅程")] if groups else [], groups=groups
        )
    )
)


def plain(file: LibraryFile) -> Any:
    return file.model_dump(
        exclude={
            "dimensions": {"__all__": {"line"}},
            "groups": {"__all__": {"line": True, "tags": {"__all__": {"line"}}}},
        }
    )


@settings(max_examples=60, deadline=None)
@given(FILES)
def test_what_is_written_is_read_back_the_same(file: LibraryFile) -> None:
    assert plain(library_reading.read(library_files.to_yaml(file).encode())) == plain(
        file.model_copy(update={"dimensions": file.dimensions})
    )
    again = library_reading.read(library_files.to_csv(file).encode(), "library.csv")
    assert plain(again) == plain(file)


@settings(max_examples=40, deadline=None)
@given(FILES)
def test_no_cell_of_the_csv_can_be_taken_for_a_formula(file: LibraryFile) -> None:
    text = library_files.to_csv(file).removeprefix("\ufeff")
    cells = [cell for row in csv.reader(io.StringIO(text, newline="")) for cell in row]
    assert [cell for cell in cells if re.match(r"[=+\-@\t\r]", cell)] == []


HEAD = "format: wecom-tags/1\ngroups:\n- name: 组\n  dimension: journey\n"


@pytest.mark.parametrize(
    ("content", "line", "told"),
    [
        ("format: wecom-tags/1\ngroups:\n  - dimension: journey\n", 3, "缺少 name"),
        ("format: wecom-tags/1\ngroups:\n  - name: 甲\n    dimension: journey\n    shade: red\n", 5, "不认识 shade"),
        ("format: wecom-tags/1\ngroups:\n  - {name: 甲, dimension: journey, selection: some}\n", 3, "selection 只能是"),
        ("format: wecom-tags/1\ngroups:\n - a\n  b: [\n", 4, "YAML 格式有误"),
        (HEAD + "  colour: rot\n", 5, "colour 只能是 amber、blue、"),
        (HEAD + "  tags: [甲, 2024]\n", 5, "name 要是文字；数字、日期、true 和 false 请加引号"),
        (HEAD + "  tags:\n  - 甲\n  - yes\n", 7, "请加引号"),
        (HEAD + "  description: 2026-01-01\n", 5, "description 要是文字"),
        (HEAD + "  ttl_days: 常\n", 5, "ttl_days 要是整数"),
        (HEAD + "  name: 乙\n", 5, "「name」写了两次"),
        (HEAD + "  line: 9\n", 5, "不认识 line"),
        (HEAD + "  tags:\n  - 甲\n  - 乙\n  - 甲\n", 8, "标签「甲」写了两次，前一次在第 6 行"),
        (HEAD + "  tags: [{name: 甲, key: a.b}, {name: 乙, key: a.b}]\n", 5, "标签 key「a.b」写了两次"),
        (HEAD + "- {name: 组, dimension: journey}\n", 5, "标签组「组」写了两次"),
        (HEAD + "  tags: !!set {甲, 乙}\n", 5, "不支持指定类型"),
        (HEAD + '  name2: !!python/object/apply:os.system ["id"]\n', 5, "不支持指定类型"),
        (HEAD + "  <<: {selection: single}\n", 5, "不支持合并"),
        (HEAD + "\tcolour: red\n", 5, "制表符"),
        (HEAD + "  description: a: b\n", 5, "冒号"),
        (HEAD + "  ? [a]\n  : b\n", 5, "字段名要是文字"),
        ("format: wecom-tags/1\ngroup:\n- name: 甲\n", 2, "不认识 group"),
        ("format: wecom-tags/1\n---\nformat: wecom-tags/1\n", 2, "只能有一份"),
        ("format: wecom-tags/1\ngroups: 甲\n", 2, "groups 要是列表"),
        ("format: wecom-tags/1\n~: 1\n", 2, "字段名要是文字"),
        (HEAD + "  5: x\n", 5, "字段名要是文字"),
        (HEAD + "  description: 2026-13-45\n", 5, "这个值看不懂，请加引号"),
        (HEAD + "  ttl_days: " + "9" * 5000 + "\n", 5, "这个值看不懂"),
        (HEAD + "  description: a\x07b\n", 5, "控制字符"),
        (HEAD + "  sensitive: 对\n", 5, "只能是 true 或 false（表格里是或否）"),
        ("format: wecom-tags/1\nx: &a [1]\ny: *a\n", 2, "不支持锚点和引用"),
        ("format: wecom-tags/1\nx: *a\n", 2, "不支持锚点和引用"),
        ("hello", 1, "不是标签库文件"),
        ("[" * 5000, 0, "YAML 格式有误"),
    ],
)
def test_what_is_wrong_in_a_file_is_told_with_its_line(content: str, line: int, told: str) -> None:
    with pytest.raises(Faulty) as caught:
        library_reading.read(content.encode())
    assert (caught.value.problems[0][0], told in caught.value.problems[0][1]) == (line, True), caught.value.problems


def test_what_excel_writes_is_read(shop: Shop) -> None:
    lines = "维度 key,标签组,标签\r\njourney,意向,高\r\njourney,意向,低\r\n"
    for content in (lines.encode("gb18030"), lines.encode("utf-8-sig"), lines.encode()):
        (group,) = library_reading.read(content, "标签.CSV").groups
        assert (group.name, [tag.name for tag in group.tags], group.tags[1].line) == ("意向", ["高", "低"], 3)
    with pytest.raises(Faulty, match="缺少这些列：标签组"):
        library_reading.read("维度 key,标签\r\n".encode(), "a.csv")


@pytest.mark.parametrize(
    ("lines", "line", "told"),
    [
        (["journey,意向,高,紫"], 2, "颜色 只能是 amber、blue、"),
        (["journey,意向,高,red", "journey,意向,低,blue"], 3, "标签组「意向」的颜色与第 2 行写的不同"),
        (["journey,意向,高,", "behaviour,意向,低,"], 3, "标签组「意向」的维度 key与第 2 行写的不同"),
        (["journey,意向,高,", "journey,意向,低,", "journey,意向,高,"], 4, "标签「高」写了两次，前一次在第 2 行"),
        ([",意向,高,"], 2, "维度 key 不能为空"),
        (['journey,"意向,高,'], 2, "请检查引号"),
    ],
)
def test_what_is_wrong_in_a_table_is_told_with_its_line_and_column(lines: list[str], line: int, told: str) -> None:
    content = "\r\n".join(["维度 key,标签组,标签,颜色", *lines, ""])
    with pytest.raises(Faulty) as caught:
        library_reading.read(content.encode(), "a.csv")
    assert (caught.value.problems[0][0], told in caught.value.problems[0][1]) == (line, True), caught.value.problems


@pytest.mark.parametrize(
    ("head", "told"),
    [
        ("维度 key,标签组,标签,颜 色,备注", "不认识这些列：颜 色、备注"),
        ("维度 key,标签组,标签,标签", "这些列写了两次：标签"),
    ],
)
def test_columns_that_cannot_be_meant_are_told(head: str, told: str) -> None:
    with pytest.raises(Faulty, match=told):
        library_reading.read(f"{head}\r\n".encode(), "a.csv")


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_cells_may_be_parted_by_what_the_spreadsheet_takes(separator: str) -> None:
    rows = [
        ["维度 key", "标签组", "标签", "说明", ""],
        ["journey", "意向", "高", "a,b;c", ""],
        ["journey", "意向", "低", "", ""],
    ]
    out = io.StringIO()
    csv.writer(out, delimiter=separator).writerows(rows)
    (group,) = library_reading.read(out.getvalue().encode(), "a.csv").groups
    assert [(tag.name, tag.description) for tag in group.tags] == [("高", "a,b;c"), ("低", "")]


def test_a_word_with_nothing_behind_it_says_nothing() -> None:
    (group,) = library_reading.read(f"{HEAD}  tags:\n  aliases:\n".encode()).groups
    assert (group.tags, group.aliases) == ([], [])


def run(shop: Shop, file: LibraryFile, **choices: Any) -> list[tuple[str, str, str]]:
    done = library_imports.carry_in(shop.store, shop.context, file, by="tests", **choices)
    return [(step.action, step.kind, step.name) for step in done.steps]


def exported(shop: Shop) -> LibraryFile:
    with shop.store.read() as session:
        return library_files.export(session)


@pytest.mark.both
def test_a_dry_run_says_what_the_import_then_does_and_keeps_nothing(shop: Shop) -> None:
    text = """format: wecom-tags/1
dimensions:
  - {key: shop, name: 门店}
groups:
  - name: 意向
    dimension: shop
    tags:
      - 高
      - {name: 低, aliases: [没兴趣], description: 暂时不买}
"""
    file = library_reading.read(text.encode())
    tried = library_trial.preview(shop.store, shop.context, file)
    assert shop.all(TagGroup) == []
    assert [(step.line, step.action, step.kind, step.name) for step in tried.steps] == [
        (3, "create", "dimension", "门店"),
        (5, "create", "group", "意向"),
        (8, "create", "tag", "高"),
        (9, "create", "tag", "低"),
    ]
    assert library_imports.carry_in(shop.store, shop.context, file, by="tests").steps == tried.steps
    assert {tag.name: tag.aliases for tag in shop.all(Tag)} == {"高": [], "低": ["没兴趣"]}
    assert run(shop, file) == []


@pytest.mark.both
@pytest.mark.parametrize("kind", ["yaml", "csv"])
def test_an_export_carried_in_again_changes_nothing_and_an_edit_only_what_it_names(shop: Shop, kind: str) -> None:
    run(shop, starters.read("mother_baby"))
    written = library_files.to_csv(exported(shop)) if kind == "csv" else library_files.to_yaml(exported(shop))
    assert run(shop, library_reading.read(written.encode(), f"a.{kind}")) == []
    edited = written.replace("家里谁带孩子", "平时谁带孩子")
    assert edited != written
    assert run(shop, library_reading.read(edited.encode(), f"a.{kind}")) == [("change", "group", "家庭情况")]


@pytest.mark.both
def test_one_wrong_row_and_nothing_is_carried_in(shop: Shop) -> None:
    shop.tags("旧", group="已有")
    (standing,) = shop.all(TagGroup)
    text = f"""format: wecom-tags/1
groups:
  - {{name: 好的, dimension: journey, tags: [一]}}
  - {{name: 坏的, dimension: nowhere}}
  - {{key: {standing.key}, name: 已有, dimension: behaviour, tags: [{{name: 新, ttl_days: 99999}}]}}
"""
    with pytest.raises(Faulty) as caught:
        library_imports.carry_in(shop.store, shop.context, library_reading.read(text.encode()), by="tests")
    assert [line for line, _ in caught.value.problems] == [4, 5]
    assert [group.name for group in shop.all(TagGroup)] == ["已有"]
    assert [tag.name for tag in shop.all(Tag)] == ["旧"]


@pytest.mark.both
def test_each_tag_that_cannot_be_made_is_told_with_its_own_line(shop: Shop) -> None:
    shop.tags("旧", group="已有")
    (old,) = shop.all(Tag)
    text = f"""format: wecom-tags/1
groups:
- name: 已有
  dimension: behaviour
  tags:
  - 好
  - {"长" * 31}
  - {{name: 甲, key: Wrong}}
- name: 别的
  dimension: behaviour
  tags:
  - {{name: 乙, key: {old.key}}}
"""
    tried = library_trial.preview(shop.store, shop.context, library_reading.read(text.encode()))
    assert [line for line, _ in tried.problems] == [7, 8, 12], tried.problems


@pytest.mark.parametrize("trade", list(starters.NAMES))
def test_a_starter_tree_fits_an_empty_library_and_leaves_what_is_there(shop: Shop, trade: str) -> None:
    shop.tags("自己的", group="客户阶段", selection=Selection.MULTI)
    made = run(shop, starters.read(trade), only_add=True)
    assert len([kind for _, kind, _ in made if kind == "group"]) >= 8
    assert {group.selection for group in shop.all(TagGroup) if group.name == "客户阶段"} == {"multi"}
    assert run(shop, starters.read(trade), only_add=True) == []
