"""`wecom-app doctor` says of each thing that can be wrong what it saw and what to do, and never a secret."""

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from flask import Flask, Response, request
from pydantic import SecretStr

from tests.flows.company import CALLBACK, Company, open_company
from tests.wsgi_transport import WsgiAdapter
from wecom_app.bootstrap import build_patient
from wecom_app.clock import ManualClock
from wecom_app.config import Settings
from wecom_app.services import checkup_host, doctor
from wecom_app.services.checkup import Finding, Patient, State

STRONG = "kTz9w3Xq7LmB2vR8nYc4Hs6JdF1gPa5E"
OURS = "https://tags.example.com"
ALWAYS_SKIPPED = {"sqlite": set[str](), "postgresql": {"journal", "disk"}}


def open_patient(company: Company, *, url: str | None = CALLBACK, at_url: Any = None, **settings: Any) -> Patient:
    """Return the company's installation; `at_url` answers at the callback's address instead of it."""
    changed = company.settings.model_copy(update=settings)
    session = company._session()
    session.mount("http://app.test", WsgiAdapter(at_url or company.web))
    return build_patient(changed, callback_url=url, clock=company.clock, session=session)


def findings(patient: Patient) -> dict[str, Finding]:
    results = {result.name: result.finding for result in doctor.examine(patient)}
    for finding in results.values():
        assert (finding.advice is None) == (finding.state in (State.OK, State.SKIP))
    text = str(results)
    for secret in secrets_of(patient.settings):
        assert secret not in text
    patient.database.close()
    return results


def secrets_of(settings: Settings) -> Sequence[str]:
    values = (
        settings.wecom_secret,
        settings.wecom_callback_token,
        settings.wecom_callback_aes_key,
        settings.secret_key,
    )
    return [value.get_secret_value() for value in values if value is not None]


def assert_finding(finding: Finding, state: State, saw: str, advice: str = "") -> None:
    assert finding.state is state, finding
    assert saw in finding.saw
    assert advice in (finding.advice or "")


@pytest.mark.both
def test_a_sound_installation_has_nothing_to_complain_of(company: Company, backend: str) -> None:
    company.make_channel()
    found = findings(open_patient(company, secret_key=SecretStr(STRONG), public_base_url=OURS))

    skipped = {name for name, finding in found.items() if finding.state is State.SKIP}
    assert skipped == ALWAYS_SKIPPED[backend]
    assert {finding.state for name, finding in found.items() if name not in skipped} == {State.OK}
    assert "3 名" in found["members"].saw
    assert "1 个标签" in found["tags"].saw


def test_nothing_is_changed_by_looking(company: Company) -> None:
    company.make_channel()
    before = company.wecom_state(), company.get("/jobs"), company.get("/wecom/budget")
    findings(open_patient(company))
    assert (company.wecom_state(), company.get("/jobs"), company.get("/wecom/budget")) == before


def test_missing_settings_are_named_and_the_rest_is_still_checked(company: Company) -> None:
    found = findings(open_patient(company, wecom_secret=None, wecom_agent_id=None))
    assert_finding(found["wecom_settings"], State.FAIL, "WECOM_AGENT_ID、WECOM_SECRET", ".env")
    assert_finding(found["token"], State.SKIP, "「企业微信设置」通过后再检查")
    assert found["schema"].state is State.OK


def test_a_missing_or_weak_secret_key_is_told(company: Company) -> None:
    assert_finding(findings(open_patient(company, secret_key=None))["secret_key"], State.FAIL, "缺少 SECRET_KEY", "用")
    found = findings(open_patient(company, secret_key=SecretStr("abc" * 12)))["secret_key"]
    assert_finding(found, State.WARN, "36 个字符，其中不同的 3 个", "32 个字符以上")


def test_another_time_zone_is_pointed_out(company: Company) -> None:
    found = findings(open_patient(company, time_zone="Europe/Berlin"))["time_zone"]
    assert_finding(found, State.WARN, "Europe/Berlin，现在 2026-11-23 03:00", "Asia/Shanghai")


def test_before_the_first_start_the_missing_file_is_no_failure(company: Company, tmp_path: Path) -> None:
    found = findings(open_patient(company, database_url=f"sqlite:///{tmp_path / 'new' / 'app.db'}"))
    assert_finding(found["database"], State.WARN, "还没有数据库文件", "serve")
    assert {found[name].state for name in ("schema", "writable", "workers")} == {State.SKIP}
    assert found["token"].state is State.OK
    assert not (tmp_path / "new" / "app.db").exists()


def test_a_database_that_cannot_be_reached_fails(company: Company) -> None:
    url = "postgresql://postgres@127.0.0.1:9/nowhere"
    found = findings(open_patient(company, database_url=url))
    assert_finding(found["database"], State.FAIL, "连不上数据库", "DATABASE_URL")
    assert found["schema"].state is State.SKIP


def test_a_file_that_is_no_database_fails_without_its_contents(company: Company, tmp_path: Path) -> None:
    (tmp_path / "letter.db").write_text("dear diary " * 1000)
    found = findings(open_patient(company, database_url=f"sqlite:///{tmp_path / 'letter.db'}"))
    assert_finding(found["database"], State.FAIL, "DatabaseError")


def test_an_old_schema_fails(company: Company) -> None:
    run_in_file(company, "UPDATE alembic_version SET version_num = '0000_of_old'")
    found = findings(open_patient(company))
    assert_finding(found["schema"], State.FAIL, "更新的版本")
    run_in_file(company, "DELETE FROM alembic_version")
    found = findings(open_patient(company))
    assert_finding(found["schema"], State.FAIL, "不是当前版本", "db upgrade")
    assert found["leftovers"].state is State.SKIP


def test_a_locked_database_cannot_be_written(company: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wecom_app.db.LOCK_WAIT_S", 0.0)
    with closing(sqlite3.connect(file_of(company), isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        found = findings(open_patient(company))
    assert_finding(found["writable"], State.FAIL, "不能写入", "占用")
    assert found["database"].state is State.OK


def test_a_disk_without_wal_fails(company: Company, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # A lock file instead of shared memory: what SQLite has to do on many network disks.
    monkeypatch.chdir(tmp_path)
    patient = open_patient(company, database_url=f"sqlite:///file:{tmp_path}/plain.db?vfs=unix-dotfile&uri=true")
    found = checkup_host.journal(patient)
    assert_finding(found, State.FAIL, "journal_mode=delete，synchronous=FULL", "网络盘")
    patient.database.close()


@pytest.mark.parametrize(("free", "state"), [(4, State.FAIL), (9, State.WARN), (50, State.OK)])
def test_a_disk_that_fills_up_is_told(
    company: Company, monkeypatch: pytest.MonkeyPatch, free: int, state: State
) -> None:
    class Usage(NamedTuple):
        total: int
        used: int
        free: int

    monkeypatch.setattr("shutil.disk_usage", lambda _path: Usage(100, 100 - free, free))
    assert_finding(findings(open_patient(company))["disk"], state, f"（{free}%）")


def test_the_database_of_another_app_fails(company: Company) -> None:
    found = findings(open_patient(company, wecom_agent_id=7))
    assert_finding(found["deployment"], State.FAIL, "与设置不同", "另一个数据库")


@pytest.mark.parametrize(
    ("offset_s", "state", "saw"),
    [(29, State.OK, "慢 29 秒"), (45, State.WARN, "慢 45 秒"), (-3600, State.WARN, "快 3600 秒")],
)
def test_a_clock_that_is_wrong_is_told(company: Company, offset_s: float, state: State, saw: str) -> None:
    company.simulator.clock.offset_s = offset_s
    assert_finding(findings(open_patient(company))["clock"], state, saw)


def test_wecom_that_cannot_be_reached_fails(company: Company) -> None:
    company.simulator.faults.add(kind="down")
    found = findings(open_patient(company))
    assert_finding(found["clock"], State.FAIL, "连不上企业微信（连接失败）", "网络")
    assert_finding(found["token"], State.FAIL, "连不上企业微信")


@pytest.mark.parametrize(
    ("errcode", "saw", "advice"),
    [
        (40001, "Secret 不正确", "WECOM_SECRET"),
        (40013, "企业 ID 不正确", "WECOM_CORP_ID"),
        (40091, "Secret 属于另一家企业", "WECOM_CORP_ID 与 WECOM_SECRET"),
        (50003, "应用已被停用", "重新启用"),
        (99999, "企业微信拒绝了这次操作", "错误码说明"),
    ],
)
def test_a_refused_token_is_explained(company: Company, errcode: int, saw: str, advice: str) -> None:
    company.simulator.faults.add("gettoken", errcode=errcode)
    found = findings(open_patient(company))
    assert_finding(found["token"], State.FAIL, saw, advice)
    assert f"（错误码 {errcode}）" in found["token"].saw
    assert {found[name].state for name in ("members", "tags", "customers")} == {State.SKIP}


def test_a_wrong_secret_is_asked_about_once(company: Company) -> None:
    found = findings(open_patient(company, wecom_secret=SecretStr("somebody-elses-secret-0000")))
    assert_finding(found["token"], State.FAIL, "Secret 不正确，或应用已停用（错误码 40001）")
    assert [call.errcode for call in company.simulator.calls.of("gettoken")] == [40001]


def test_an_untrusted_address_is_printed_with_the_place_to_enter_it(company: Company) -> None:
    company.simulator.faults.set(trusted_ips=["203.0.113.7"])
    found = findings(open_patient(company))["token"]
    assert_finding(
        found, State.FAIL, "本机出口 IP 127.0.0.1 不在企业可信IP中（错误码 60020）", "「企业可信IP」中添加 127.0.0.1"
    )


def test_an_app_without_customer_contact_is_told_where_to_tick_it(company: Company) -> None:
    company.simulator.faults.set(customer_contact=False)
    found = findings(open_patient(company))
    for name in ("members", "tags", "customers"):
        assert_finding(found[name], State.FAIL, "48002", "「客户联系 → 可调用接口的应用」")
    assert found["token"].state is State.OK


def test_an_app_that_sees_nobody_is_told_how_to_change_it(company: Company) -> None:
    company.simulator.faults.set(visible_members=[])
    assert_finding(findings(open_patient(company))["members"], State.WARN, "看不到任何", "可见范围")


def test_an_open_circuit_is_told_with_its_end(company: Company) -> None:
    company.simulator.faults.add("gettoken", errcode=40001, times=3)
    for _ in range(3):
        company.client.post("/api/v1/channels", json={}, headers=company.headers)
        with pytest.raises(Exception, match="40001"):
            company.runtime.wecom.list_corp_tags()
    found = findings(open_patient(company))
    assert found["token"].state is State.OK
    assert_finding(found["circuit"], State.WARN, "暂停到 11:00（40001: Secret 不正确", "换过 Secret 后立即恢复")


def answering(body: str, status: int = 200, *, clock: ManualClock | None = None, takes_s: float = 0.0) -> Flask:
    app = Flask(__name__)

    @app.get("/wecom/callback")
    def answer() -> Response:
        assert set(request.args) == {"msg_signature", "timestamp", "nonce", "echostr"}
        if clock is not None:
            clock.advance(takes_s)
        return Response(body, status)

    return app


@pytest.mark.parametrize(
    ("body", "status", "saw", "advice"),
    [
        ("<html>", 200, "返回的不是验证内容的明文", "/wecom/callback"),
        ("", 302, "返回 HTTP 302", "不跟随跳转"),
        ("", 502, "返回 HTTP 502", "反向代理"),
        ("", 403, "不认我们的签名", "同样的设置"),
    ],
)
def test_a_callback_address_that_answers_wrongly_fails(
    company: Company, body: str, status: int, saw: str, advice: str
) -> None:
    found = findings(open_patient(company, at_url=answering(body, status)))["callback"]
    assert_finding(found, State.FAIL, f"{CALLBACK} {saw}", advice)


def test_a_callback_address_of_other_keys_fails(company: Company, tmp_path: Path, sqlite_template: Path) -> None:
    (tmp_path / "other.db").write_bytes(sqlite_template.read_bytes())
    other = open_company(f"sqlite:///{tmp_path / 'other.db'}", company.clock, callback_token="AnotherToken")
    found = findings(open_patient(company, at_url=other.web))["callback"]
    assert_finding(found, State.FAIL, "HTTP 403")
    other.close()


def test_every_pair_of_callback_keys_is_tried(company: Company) -> None:
    config = company.simulator.config
    tokens, keys = f"{config.callback_token},NewToken", f"{config.callback_aes_key},{'B' * 42}A"
    patient = open_patient(company, wecom_callback_token=SecretStr(tokens), wecom_callback_aes_key=SecretStr(keys))
    found = findings(patient)["callback"]
    assert_finding(found, State.FAIL, f"第 2 组密钥：{CALLBACK} 不认我们的签名", "改过设置要重启")


def test_a_callback_address_that_takes_more_than_a_second_fails(company: Company) -> None:
    def slow(environ: dict[str, Any], start_response: Any) -> Any:
        company.clock.advance(1.5)
        return company.web(environ, start_response)

    found = findings(open_patient(company, at_url=slow))["callback"]
    assert_finding(found, State.FAIL, "用了 1.5 秒", "只等 1 秒")


def test_a_callback_address_that_does_not_answer_fails(company: Company) -> None:
    found = findings(open_patient(company, url="http://127.0.0.1:9/wecom/callback"))["callback"]
    assert_finding(found, State.FAIL, "没有应答：连接失败", "serve")


def test_without_a_callback_address_there_is_a_warning(company: Company) -> None:
    assert_finding(
        findings(open_patient(company, url=None))["callback"], State.WARN, "没有设置 PUBLIC_BASE_URL", "--url"
    )


@pytest.mark.both
@pytest.mark.parametrize(
    ("waits_s", "state", "advice"), [(50, State.OK, ""), (300, State.WARN, "worker"), (1200, State.FAIL, "serve")]
)
def test_jobs_that_nobody_runs_are_noticed(company: Company, waits_s: float, state: State, advice: str) -> None:
    company.make_tags()
    company.simulator.scan(company.make_channel()["config_id"])
    company.simulator.run_until_idle()
    company.clock.advance(waits_s)
    assert_finding(findings(open_patient(company))["workers"], state, "0 个正在执行，", advice)


@pytest.mark.both
def test_what_failed_for_good_is_counted_and_what_was_cancelled_is_not(company: Company) -> None:
    with company.runtime.write() as session:
        queue = company.runtime.queue
        queue.enqueue(session, "event.handle", {"event_id": 999}, lane="event")
        cancelled = queue.enqueue(session, "event.handle", {"event_id": 1000}, lane="event")
        queue.cancel(session, cancelled or 0)
    company.settle()
    found = findings(open_patient(company))["leftovers"]
    assert_finding(
        found, State.WARN, "处理失败的任务 1 个（event.handle 1 个），处理失败的回调 0 条", "jobs replay --dead"
    )


def test_a_mistake_in_a_check_is_one_failed_line(company: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    def fall_over(_path: object) -> None:
        raise KeyError("a secret")

    monkeypatch.setattr("shutil.disk_usage", fall_over)
    found = findings(open_patient(company))["disk"]
    assert_finding(found, State.FAIL, "检查本身出错：KeyError")
    assert "a secret" not in str(found)


def file_of(company: Company) -> str:
    path = company.runtime.database.url.database
    assert path
    return path


def run_in_file(company: Company, statement: str) -> None:
    with closing(sqlite3.connect(file_of(company), isolation_level=None)) as connection:
        connection.execute(statement)


@pytest.mark.parametrize(
    ("base", "state", "saw"),
    [
        (None, State.WARN, "没有设置 PUBLIC_BASE_URL"),
        ("http://127.0.0.1:8000", State.WARN, "只能在本机演示"),
        ("http://192.0.2.10:8000", State.WARN, "不是域名"),
        ("http://tags.example.com", State.FAIL, "不是 https"),
        ("https://tags.example.com:8443", State.OK, "tags.example.com:8443；"),
    ],
)
def test_a_domain_that_wecom_cannot_trust_is_told(company: Company, base: str | None, state: State, saw: str) -> None:
    found = findings(open_patient(company, public_base_url=base))["domain"]
    assert_finding(found, state, saw)


def test_both_tickets_are_asked_for_and_kept_by_nobody(company: Company) -> None:
    found = findings(open_patient(company, public_base_url=OURS))["signature"]
    assert_finding(found, State.OK, f"可以为 {OURS}/sidebar 签名")
    assert [len(company.simulator.calls.of(api)) for api in ("ticket/get", "get_jsapi_ticket")] == [1, 1]


def test_a_refused_ticket_is_named(company: Company) -> None:
    company.simulator.faults.add("get_jsapi_ticket", "errcode", errcode=48002)
    found = findings(open_patient(company))["signature"]
    assert_finding(found, State.FAIL, "企业票据", "可调用接口的应用")
