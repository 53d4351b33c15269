"""The documents say what is there: links, files, tests, commands, settings, endpoints, metrics, tables, error numbers.

Run as a program it prints the table of docs/engineering/errcodes.md anew.
"""

import csv
import io
import re
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from urllib.parse import unquote

import click
import pytest
import requests
from prometheus_client import Histogram

from examples import export_customers, tag_after_order
from tests.flows.company import Company, open_company
from tests.wsgi_transport import WsgiAdapter
from wecom_app.adapters.wecom.errcodes import MEANINGS, SPECIAL, Meaning
from wecom_app.cli import main
from wecom_app.clock import ManualClock
from wecom_app.config import SECRET_NAMES, WECOM_NAMES, Settings
from wecom_app.db import Base
from wecom_app.services import jobs
from wecom_app.services.metrics import Metrics
from wecom_app.services.runtime import LANES
from wecom_app.simulator.acts.table import HANDLERS
from wecom_app.simulator.control import ROUTES
from wecom_app.simulator.faults import KINDS
from wecom_app.web.api import ENDPOINTS
from wecom_app.web.api.endpoint import PREFIX

ROOT = Path(__file__).parents[1]
READMES = ("README.md", "README.zh-CN.md")
ENGINEERING = "docs/engineering"
LINK = re.compile(r"\[[^\]\n]*\]\(([^)\s]+)\)")
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
CODE = re.compile(r"`([^`\n]+)`")
FILE = re.compile(r"[\w.-]*(?:/[\w.-]+)*\.(?:py|md|sh|toml|js|css|html)")
FOLDER = re.compile(r"(?:wecom_app|tests|benchmarks|docs|examples|scripts|templates|static)(?:/[\w-]+)*/?")
TEST = re.compile(r"test_\w+")
METRIC = re.compile(r"wecom_app_\w+")


def documents() -> list[str]:
    """Return the paths of all documents."""
    found = [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")]
    return sorted(path.relative_to(ROOT).as_posix() for path in found)


@cache
def read(document: str) -> str:
    return (ROOT / document).read_text(encoding="utf-8")


def blocks(document: str) -> list[tuple[str, str]]:
    """Return language and content of each code block."""
    return FENCE.findall(read(document))


def prose(document: str) -> str:
    return FENCE.sub("", read(document))


def spans(document: str) -> list[str]:
    """Return what stands in backticks, outside code blocks."""
    return CODE.findall(prose(document))


def anchors(document: str) -> set[str]:
    """Return the anchors that a forge makes of the headings."""
    headings = re.findall(r"^#+ (.+)$", prose(document), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def tables(document: str) -> list[list[list[str]]]:
    """Return the tables: rows without the head, cells without space around them."""
    lines = prose(document).splitlines()
    found: list[list[list[str]]] = []
    for number, line in enumerate(lines):
        if not line.startswith("|"):
            continue
        if number == 0 or not lines[number - 1].startswith("|"):
            found.append([])
        found[-1].append([cell.strip() for cell in line.strip("|").split(" | ")])
    return [table[2:] for table in found]


def table_of(document: str, first_cell: str) -> list[list[str]]:
    """Return the table in whose rows a first cell is the given one."""
    return next(table for table in tables(document) if any(row[0] == first_cell for row in table))


@cache
def source_files() -> frozenset[str]:
    folders = ("wecom_app", "tests", "benchmarks", "docs", "examples", "scripts", "templates", "static", ".ci")
    paths = [path for folder in folders for path in (ROOT / folder).rglob("*") if path.is_file()]
    return frozenset(path.relative_to(ROOT).as_posix() for path in [*paths, *ROOT.glob("*.*")])


@cache
def names_of_tests() -> frozenset[str]:
    texts = [path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("test_*.py")]
    return frozenset(name for text in texts for name in re.findall(r"^def (test_\w+)", text, re.MULTILINE))


@pytest.mark.parametrize("document", documents())
def test_every_link_leads_somewhere(document: str) -> None:
    for target in LINK.findall(prose(document)):
        if target.startswith(("http://", "https://")):
            continue
        path, _, anchor = unquote(target).partition("#")
        linked = (ROOT / document).parent / path if path else ROOT / document
        assert linked.exists(), f"{document}: {target}"
        if anchor:
            assert anchor in anchors(linked.resolve().relative_to(ROOT).as_posix()), f"{document}: {target}"


@pytest.mark.parametrize("document", documents())
def test_every_file_that_is_named_exists(document: str) -> None:
    """A file may be named by its path from the root or by its last parts."""
    for span in spans(document):
        if FILE.fullmatch(span):
            assert any(f"/{path}".endswith(f"/{span}") for path in source_files()), f"{document}: {span}"
        elif FOLDER.fullmatch(span):
            assert (ROOT / span).is_dir(), f"{document}: {span}"


@pytest.mark.parametrize("document", documents())
def test_every_test_that_is_named_exists(document: str) -> None:
    for span in spans(document):
        if TEST.fullmatch(span):
            assert span in names_of_tests(), f"{document}: {span}"


def commands(group: click.Group, words: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from commands(command, (*words, name))
        else:
            yield (*words, name), command


COMMANDS = dict(commands(main))


def command_lines(document: str) -> Iterator[list[str]]:
    """Yield the words after `wecom-app` wherever a document shows a command."""
    lines = [*spans(document), *(line for _, text in blocks(document) for line in text.splitlines())]
    for line in lines:
        words = re.sub(r"(^|=)(\.venv/bin/|/opt/wecom-app/\.venv/bin/)", r"\1", line).split()
        words = [word.removeprefix("ExecStart=") for word in words]
        if len(words) > 1 and words[0] == "wecom-app":
            yield words[1:]


@pytest.mark.parametrize("document", documents())
def test_every_command_and_option_that_is_shown_exists(document: str) -> None:
    for words in command_lines(document):
        rest = words[2:] if words[0] == "--log-level" else words
        name = tuple(rest[:1]) if tuple(rest[:1]) in COMMANDS else tuple(rest[:2])
        if len(rest) == 1 and isinstance(main.commands.get(rest[0]), click.Group):
            continue
        assert name in COMMANDS, f"{document}: wecom-app {' '.join(words)}"
        known = {option for parameter in COMMANDS[name].params for option in parameter.opts}
        for word in rest[len(name) :]:
            assert not word.startswith("--") or word in known, f"{document}: wecom-app {' '.join(words)}"


@pytest.mark.parametrize("readme", READMES)
def test_every_command_has_its_row_with_all_options(readme: str) -> None:
    rows = {row[0]: row[1] for row in table_of(readme, "`wecom-app serve`")}
    for name, command in COMMANDS.items():
        text = rows.pop(f"`wecom-app {' '.join(name)}`")
        options = {parameter.opts[0] for parameter in command.params if isinstance(parameter, click.Option)}
        assert set(re.findall(r"`(--[\w-]+)`", text)) == options, name
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z-]+):.*##", makefile, re.MULTILINE)) - {"help"}
    assert set(rows) == {f"`make {target}`" for target in targets}


@pytest.mark.parametrize("document", documents())
def test_every_make_target_that_is_shown_exists(document: str) -> None:
    lines = [*spans(document), *(line for _, text in blocks(document) for line in text.splitlines())]
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    for line in lines:
        if line.startswith("make "):
            assert line.split()[1] in targets, f"{document}: {line}"


@pytest.mark.parametrize("document", documents())
def test_every_module_that_is_run_exists(document: str) -> None:
    for module in re.findall(r"python3? -m ([\w.]+)", read(document)):
        path = ROOT / module.replace(".", "/")
        assert path.with_suffix(".py").exists(), f"{document}: {module}"


@pytest.mark.parametrize("readme", READMES)
def test_the_settings_are_those_of_the_code(readme: str) -> None:
    rows = table_of(readme, "`TIME_ZONE`")
    shown = {re.sub(r"[` *]", "", row[0]): row[1].strip("`") for row in rows}
    assert set(shown) == {name.upper() for name in Settings.model_fields}
    for name, field in Settings.model_fields.items():
        required = name.upper() in (*WECOM_NAMES, "SECRET_KEY")
        words = ("required", "必填") if required else ("none", "无")
        default = words if field.default is None else (str(field.default).replace("False", "false"),)
        assert shown[name.upper()] in default, name
    assert {row[0].split("`")[1] for row in rows if row[0].endswith("*")} == set(SECRET_NAMES)


def test_the_example_of_an_environment_names_only_settings() -> None:
    text = (ROOT / ".env.example").read_text(encoding="utf-8")
    names = re.findall(r"^(?:# )?([A-Z_]+)=", text, re.MULTILINE)
    assert set(names) <= {name.upper() for name in Settings.model_fields}


def in_braces(path: str) -> str:
    """Return a path with its parameters written as OpenAPI writes them."""
    return re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", path)


@pytest.mark.parametrize("readme", READMES)
def test_the_endpoints_are_those_of_the_code(readme: str) -> None:
    rows = table_of(readme, "`GET /api/v1/tags`")
    shown = {(row[0].strip("`"), row[1]) for row in rows}
    assert shown == {(f"{item.method} {PREFIX}{in_braces(item.path)}", item.scope.value) for item in ENDPOINTS}


def headings(document: str) -> list[int]:
    return [len(marks) for marks in re.findall(r"^(#+) ", prose(document), re.MULTILINE)]


def test_the_two_readmes_have_the_same_shape() -> None:
    english, chinese = READMES
    assert headings(english) == headings(chinese)
    assert [len(table) for table in tables(english)] == [len(table) for table in tables(chinese)]
    assert [row[0] for table in tables(english)[1:] for row in table if row[0].startswith("`")] == [
        row[0] for table in tables(chinese)[1:] for row in table if row[0].startswith("`")
    ]
    links = [{link for link in LINK.findall(prose(readme)) if link[0] != "#"} for readme in READMES]
    assert links[0] - {chinese} == links[1] - {english}


def test_the_two_readmes_have_the_same_code() -> None:
    """Word for word, but for the words in the diagram."""
    english, chinese = (blocks(readme) for readme in READMES)
    assert [language for language, _ in english] == [language for language, _ in chinese]
    for (language, ours), (_, theirs) in zip(english, chinese, strict=True):
        if language == "mermaid":
            arrows = [re.findall(r"\b[A-Z]\d?\b(?=[\[ (]|$)", text, re.MULTILINE) for text in (ours, theirs)]
            assert arrows[0] == arrows[1]
        else:
            assert ours == theirs


def metric_names() -> set[str]:
    """Return the names under which Prometheus shows what the code declares."""
    metrics = Metrics()
    declared = {name for name in vars(metrics) if name != "registry"}
    names = {family.name for family in metrics.registry.collect()}
    assert len(names) == len(declared)
    counters = {family.name for family in metrics.registry.collect() if family.type == "counter"}
    gauges = re.findall(r'Gauge\(\s*"(wecom_app_\w+)"', (ROOT / "wecom_app/web/operations.py").read_text())
    return {f"{name}_total" if name in counters else name for name in names} | set(gauges)


def test_every_metric_is_listed_and_no_other() -> None:
    document = f"{ENGINEERING}/metrics.md"
    rows = table_of(document, "`wecom_app_callback_duration_seconds`")
    assert {row[0].strip("`") for row in rows} == metric_names()
    assert isinstance(Metrics().callback_seconds, Histogram)
    for other in documents():
        named = {name for span in spans(other) for name in METRIC.findall(span)} - {"wecom_app_"}
        assert named <= metric_names(), other


def test_the_architecture_names_every_table_lane_and_job() -> None:
    found = set(spans(f"{ENGINEERING}/architecture.md"))
    assert set(Base.metadata.tables) <= found
    assert set(LANES) <= found
    assert set(jobs.JOB_KINDS) <= found
    lanes = table_of(f"{ENGINEERING}/architecture.md", "`welcome`")
    assert {row[0].strip("`"): int(row[1]) for row in lanes} == dict(LANES)


def test_the_guide_names_every_job() -> None:
    rows = table_of("docs/guide/operations.md", "`event.handle`")
    assert {row[0].strip("`") for row in rows} == set(jobs.JOB_KINDS)


def test_the_simulator_is_described_in_full() -> None:
    document = f"{ENGINEERING}/simulator.md"
    found = spans(document)
    for rule, method, _ in ROUTES:
        assert f"{method} /_simulator{rule}" in found
    kinds = {kind for row in table_of(document, "`mark`") for kind in CODE.findall(row[0])}
    assert kinds == set(HANDLERS)
    faults = {kind for row in table_of(document, "`latency`") for kind in CODE.findall(row[0])}
    assert faults == set(KINDS)


def errcode_rows() -> list[str]:
    """Return the lines of the table of error numbers."""
    plain = [(f"{errcode}", meaning) for errcode, meaning in sorted(MEANINGS.items())]
    special = [(f"{errcode} (`{api}`)", meaning) for (api, errcode), meaning in sorted(SPECIAL.items())]
    return [_errcode_row(number, meaning) for number, meaning in [*plain, *special]]


def _errcode_row(number: str, meaning: Meaning) -> str:
    return f"| {number} | `{meaning.error.__name__}` | {meaning.advice} |"


def test_the_error_numbers_are_those_of_the_code() -> None:
    lines = read(f"{ENGINEERING}/errcodes.md").splitlines()
    table = [line for line in lines if re.match(r"\| -?\d", line)]
    assert table == errcode_rows()


@pytest.fixture
def company(database_url: str, clock: ManualClock) -> Iterator[Company]:
    opened = open_company(database_url, clock)
    yield opened
    opened.close()


@pytest.fixture
def caller(company: Company) -> requests.Session:
    session = requests.Session()
    session.mount("http://app.test", WsgiAdapter(company.web))
    return session


def scanned(company: Company, name: str) -> str:
    channel = company.make_channel(tags=company.make_tags("护肤"))
    external_userid: str = company.simulator.scan(channel["config_id"], name=name)["external_userid"]
    company.settle()
    return external_userid


def key_of(company: Company) -> str:
    return company.headers["Authorization"].removeprefix("Bearer ")


def test_the_example_tags_a_customer_once_for_each_order(company: Company, caller: requests.Session) -> None:
    external_userid = scanned(company, "林晓芸")
    api = tag_after_order.Api("http://app.test", key_of(company), caller)

    first = tag_after_order.tag_after_order(api, external_userid, "A-1001", ["满200", "复购"])
    again = tag_after_order.tag_after_order(api, external_userid, "A-1001", ["满200", "复购"])
    company.settle()

    assert first == again
    assert company.tags_there(external_userid) == {"护肤", "满200", "复购"}
    assert len(company.get(f"/customers/{external_userid}/history")["items"]) == 3


def test_the_example_says_what_was_refused(company: Company, caller: requests.Session) -> None:
    api = tag_after_order.Api("http://app.test", key_of(company), caller)
    with pytest.raises(RuntimeError, match="404 not_found"):
        tag_after_order.tag_after_order(api, "wm-nobody", "A-1001", ["满200"])


def test_the_example_exports_every_tag_without_formulas(company: Company, caller: requests.Session) -> None:
    external_userid = scanned(company, "=1+1")
    target = io.StringIO()

    count = export_customers.export("http://app.test", key_of(company), target, caller)

    head, *rows = csv.reader(io.StringIO(target.getvalue()))
    assert tuple(head) == export_customers.COLUMNS
    assert len(rows) == count == 1
    assert rows[0][:5] == [external_userid, "'=1+1", "active", "zhang", "护肤"]
    assert rows[0][6:] == ["channel:1", rows[0][7], "synced"]


if __name__ == "__main__":
    sys.stdout.write("\n".join(errcode_rows()) + "\n")
