"""The demo as a person starts it, its comparison, and the two pages that it leads to."""

import os
import re
import signal
import socket
import subprocess
import sys
from copy import deepcopy
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from tests.flows.company import Company
from wecom_app.clock import SystemClock
from wecom_app.demo import places
from wecom_app.demo.cast import POSTER, Played, Scan
from wecom_app.demo.children import settings_for_children
from wecom_app.demo.comparison import Comparison, compare, read_ours, read_theirs
from wecom_app.demo.ending import say_links
from wecom_app.demo.sides import Application, Corp
from wecom_app.demo.stage import Stage
from wecom_app.demo.telling import COLUMNS, Teller, width, wrapped
from wecom_app.demo.waiting import Waiter
from wecom_app.errors import ConfigurationError
from wecom_app.web import create_web

ROOT = Path(__file__).resolve().parents[2]
COMMAND = [sys.executable, "-c", "from wecom_app.cli import main; main()", "demo"]
LONGEST_S = 120


def start_demo(folder: Path, *arguments: str, **environment: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*COMMAND, *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def free_ports() -> list[str]:
    with socket.socket() as first, socket.socket() as second:
        for probe in (first, second):
            probe.bind(("127.0.0.1", 0))
        app, simulator = first.getsockname()[1], second.getsockname()[1]
    return ["--port", str(app), "--simulator-port", str(simulator)]


def children_of(process: subprocess.Popen[str]) -> list[int]:
    listed = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    return [int(pid) for pid in listed]


@pytest.mark.slow
def test_demo_ends_with_nothing_different_and_ignores_the_companys_settings(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("WECOM_CORP_ID=wwrealcompany00000\nSECRET_KEY=short\n", encoding="utf-8")
    demo = start_demo(
        tmp_path,
        "--once",
        *free_ports(),
        DATABASE_URL="postgresql://nobody@127.0.0.1:1/nothing",
        WECOM_SECRET_FILE="/nowhere",
        wecom_agent_id="7",
    )
    said, _ = demo.communicate(timeout=LONGEST_S)

    assert demo.returncode == 0, said
    assert "差异：0" in said
    assert "✗" not in said
    for expected in ("每个回调都重复推了 3 次", "打标签时网络断了", "已过期 1 条", "企微同步"):
        assert expected in said
    assert re.search(r"客户 +30 +30 +0", said)
    assert max(width(line) for line in said.splitlines()) <= COLUMNS
    assert "Bearer" not in said
    assert not re.search(r"wk[0-9a-f]{10}\.", said), "the key belongs into the links alone, which --once leaves out"


@pytest.mark.slow
@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM], ids=["Ctrl-C", "SIGTERM"])
def test_one_signal_stops_every_process(tmp_path: Path, stop: signal.Signals) -> None:
    demo = start_demo(tmp_path, *free_ports())
    assert demo.stdout
    for line in demo.stdout:
        if "都已就绪" in line:
            break
    children = children_of(demo)
    os.killpg(demo.pid, stop)  # as a terminal does
    said, _ = demo.communicate(timeout=LONGEST_S)

    assert demo.returncode == 130
    assert "已全部停止" in said
    assert len(children) == 2
    assert not [pid for pid in children if Path(f"/proc/{pid}").exists()]


@pytest.mark.slow
def test_a_child_that_dies_is_named_with_its_last_words(tmp_path: Path) -> None:
    demo = start_demo(tmp_path, *free_ports())
    assert demo.stdout
    for line in demo.stdout:
        if "都已就绪" in line:
            break
    simulator, app = children_of(demo)
    os.kill(app, signal.SIGKILL)
    said, _ = demo.communicate(timeout=LONGEST_S)

    assert demo.returncode == 1
    assert "应用意外结束（退出码 -9）" in said
    assert "wecom-app" in said.split("最后几行")[1]
    assert not Path(f"/proc/{simulator}").exists()


def test_a_port_in_use_is_named_and_changes_nothing(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        demo = start_demo(tmp_path, "--once", "--port", port)
        said, _ = demo.communicate(timeout=LONGEST_S)

    assert demo.returncode == 1
    assert f"端口 {port} 不可用或已被占用" in said


def test_a_default_port_in_use_gives_way_to_the_next_free_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(places, "_was_asked_for", lambda option: False)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]

        found = places.choose("port", "127.0.0.1", port, besides=port + 1)

    assert found.port > port + 1


def test_a_folder_in_use_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with places.open_folder(), pytest.raises(ConfigurationError, match="已有一个演示"), places.open_folder():
        pass


def test_children_get_no_setting_of_the_company(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("WECOM_SECRET_FILE", "METRICS_TOKEN", "wecom_oauth_base_url", "PUBLIC_BASE_URL"):
        monkeypatch.setenv(name, "https://real.example.com")
    settings = settings_for_children("http://127.0.0.1:9")

    assert "https://real.example.com" not in settings.values()
    assert settings["DEMO_MODE"] == "1"
    assert settings["SECRET_KEY"] != settings_for_children("http://127.0.0.1:9")["SECRET_KEY"]


@pytest.mark.parametrize("text", ["", "a" * 100, "中" * 50, "中文 and English 混排，" * 20])
def test_no_line_is_wider_than_the_terminal(text: str) -> None:
    lines = wrapped(text, 40)

    assert "".join(lines) == text
    assert max(width(line) for line in lines) <= 40


def test_the_end_says_how_to_enter_everything() -> None:
    said = StringIO()
    scans = [
        Scan(f"wm-{userid}", name, userid, POSTER, "code") for userid, name in (("lina", "甲"), ("zhangwei", "乙"))
    ]
    app, corp = Application("http://127.0.0.1:8000", "wk-key"), Corp("http://127.0.0.1:8001")
    waiter = Waiter(SystemClock(), Teller(said), lambda: None)
    say_links(Stage(app, corp, Teller(said), waiter, SystemClock(), Played(scans)))

    for words, address in (
        ("演练场", "http://127.0.0.1:8000/playground\n"),
        ("侧边栏：以导购张伟的身份", "/playground/as/zhangwei?next=/playground?customer=wm-zhangwei\n"),
        ("后台：以店长陈杰的身份", "/playground/as/chenjie?next=/admin\n"),
        ("全部客户", "/playground/customers\n"),
        ("企业微信那一边", "http://127.0.0.1:8001/\n"),
    ):
        assert said.getvalue().index(words) < said.getvalue().index(address)


MOMENT = 1_795_000_000
STATE: dict[str, Any] = {
    "members": [{"userid": "lina", "name": "李娜"}],
    "customers": [{"external_userid": "wm1", "name": "林晓芸"}, {"external_userid": "wm9", "name": "路人"}],
    "relations": [
        {
            "userid": "lina",
            "external_userid": "wm1",
            "createtime": MOMENT,
            "add_way": 1,
            "state": "ch_1",
            "deleted_by": None,
            "tags": [
                {"group": "兴趣", "name": "护肤", "id": "et1", "type": 1},
                {"group": "我的", "name": "私人", "id": None, "type": 2},
            ],
        }
    ],
    "tag_groups": [{"group_name": "兴趣", "tag": [{"id": "et1", "name": "护肤"}]}],
    "welcomes": [{"external_userid": "wm1", "userid": "lina", "sent_at": "2026-11-23T02:00:01", "text": "您好"}],
}
CUSTOMER: dict[str, Any] = {
    "external_userid": "wm1",
    "name": "林晓芸",
    "relations": [
        {
            "userid": "lina",
            "add_way": 1,
            "state": "ch_1",
            "created_at": "2026-11-18T11:06:40.000Z",
            "lost_by": None,
        }
    ],
    "tags": [{"key": "k.1", "relations": ["lina"], "sync": {"state": "synced"}}],
}
WELCOMES = {"sent": {("wm1", "lina"): "您好"}, "expired": {}}


def compared(customer: dict[str, Any] = CUSTOMER, state: dict[str, Any] = STATE, **welcomes: Any) -> Comparison:
    tags = [{"key": "k.1", "name": "护肤", "group": "k", "wecom_tag_id": "et1"}]
    groups = [{"key": "k", "name": "兴趣"}]
    return compare(read_ours([customer], tags, groups, {**WELCOMES, **welcomes}), read_theirs(state))


def test_two_sides_that_agree_have_no_difference() -> None:
    found = compared()

    assert found.differences == ()
    assert {(row.kind, row.ours, row.theirs) for row in found.rows} == {
        ("客户", 1, 1),
        ("好友关系", 1, 1),
        ("标签库", 1, 1),
        ("标签格", 1, 1),
        ("欢迎语 已发送", 1, 1),
        ("欢迎语 已过期", 0, 0),
    }


def test_one_cell_that_differs_is_named() -> None:
    state = deepcopy(STATE)
    state["relations"][0]["tags"].clear()

    found = compared(state=state)

    assert [str(difference) for difference in found.differences] == [
        "标签格 林晓芸 × 李娜 × 兴趣/护肤：我们「有」，企业微信「没有」"
    ]
    assert [row.differences for row in found.rows] == [0, 0, 0, 1, 0, 0]


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        ({"name": "林小云"}, "客户"),
        ({"external_userid": "wm2"}, "客户"),
        ({"relations": [{**CUSTOMER["relations"][0], "lost_by": "customer"}]}, "好友关系"),
        ({"relations": [{**CUSTOMER["relations"][0], "state": None}]}, "好友关系"),
        ({"relations": [{**CUSTOMER["relations"][0], "created_at": "2026-11-18T11:06:41.000Z"}]}, "好友关系"),
        ({"relations": []}, "好友关系"),
        ({"tags": []}, "标签格"),
        ({"tags": [{**CUSTOMER["tags"][0], "sync": {"state": "pending"}}]}, "标签格"),
    ],
)
def test_each_fact_of_ours_is_compared(change: dict[str, Any], kind: str) -> None:
    assert kind in {difference.kind for difference in compared({**CUSTOMER, **change}).differences}


@pytest.mark.parametrize(
    ("welcomes", "kind"),
    [
        ({"sent": {("wm1", "lina"): "别的话"}}, "欢迎语 已发送"),
        ({"sent": {}, "expired": {("wm1", "lina"): "已过期"}}, "欢迎语 已过期"),
    ],
)
def test_each_welcome_is_compared(welcomes: dict[str, Any], kind: str) -> None:
    assert kind in {difference.kind for difference in compared(**welcomes).differences}


@pytest.fixture
def pages(company: Company) -> FlaskClient:
    company.runtime.settings = company.settings.model_copy(update={"demo_mode": True})
    return create_web(company.runtime).test_client()


def scan(company: Company, name: str) -> str:
    tags = company.make_tags("护肤")
    channel = company.make_channel(name="小红书达人", source="小红书", tags=tags)
    external_userid: str = company.simulator.scan(channel["config_id"], name=name)["external_userid"]
    company.settle()
    return external_userid


def test_pages_exist_in_demo_mode_only(company: Company, pages: FlaskClient) -> None:
    assert company.client.get("/playground/customers").status_code == 404
    empty = pages.get("/playground/customers")

    assert empty.status_code == 200
    assert "还没有客户" in empty.text
    assert company.settings.wecom_api_base_url in empty.text


def test_overview_shows_channel_member_tag_and_welcome(company: Company, pages: FlaskClient) -> None:
    external_userid = scan(company, "林晓芸")

    page = pages.get("/playground/customers").text

    for shown in ("共 1 位客户", "林晓芸", "小红书达人", "张伟", "护肤", "与企业微信一致", "欢迎语已发送"):
        assert shown in page
    assert f"/playground/customers/{external_userid}" in page


def test_search_finds_by_part_of_the_name_and_escapes(company: Company, pages: FlaskClient) -> None:
    scan(company, "<b>林_晓芸</b>")

    assert "&lt;b&gt;林_晓芸&lt;/b&gt;" in pages.get("/playground/customers?q=林_晓").text
    assert "没有找到" in pages.get("/playground/customers?q=林%25").text
    assert "没有找到" in pages.get("/playground/customers?q=<script>").text
    assert "<script>" not in pages.get("/playground/customers?q=<script>").text
    assert "共 1 位客户" in pages.get("/playground/customers?before=x").text
    assert "共 1 位客户" in pages.get(f"/playground/customers?before={10**30}").text


def test_customer_page_says_why_each_tag_stands(company: Company, pages: FlaskClient) -> None:
    external_userid = scan(company, "林晓芸")
    company.simulator.act("zhang", "mark", external_userid=external_userid, remove=[{"group": "兴趣", "tag": "护肤"}])
    company.settle()

    page = pages.get(f"/playground/customers/{external_userid}").text

    for shown in ("消费属性", "行为属性", "基础信息", "用户旅程", "渠道活码", "State", "回调事件", "移除", "企微同步"):
        assert shown in page
    assert page.index("op-remove") < page.index("op-add"), "the newest change comes first"
    assert "11月23日 10:00:00" in page, "times are told in the company's zone"
    assert "style=" not in page
    assert pages.get("/playground/customers/wm-unknown").status_code == 404
    assert "没有这个客户" in pages.get("/playground/customers/wm-unknown").text
