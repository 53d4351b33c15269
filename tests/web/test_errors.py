"""Errors for people and for programs, and what every answer tells the browser."""

import json

import pytest
from flask import Flask
from structlog.testing import capture_logs

from tests.flows.company import Company
from tests.web.browsing import HTML, JSON, ORIGIN, Browser, local_admin, member
from wecom_app import errors
from wecom_app.errors import AppError

PAGES = {
    errors.NotAllowed: "没有权限",
    errors.NotFound: "没有找到",
    errors.NotInSight: "没有找到",
    errors.TooMany: "操作太频繁",
    AppError: "系统出错了",
    errors.Unavailable: "暂时无法使用",
    errors.WeComUnavailable: "暂时无法使用",
    errors.InvalidInput: "没有完成",
    errors.StaleEdit: "没有完成",
    ZeroDivisionError: "系统出错了",
}


@pytest.fixture
def raising(company: Company) -> Company:
    for kind in PAGES:
        company.web.add_url_rule(f"/raise/{kind.__name__}", kind.__name__, _raiser(company.web, kind))
    return company


def _raiser(_: Flask, kind: type[Exception]) -> object:
    def view() -> str:
        raise kind

    return view


def test_people_get_a_page_in_chinese_and_programs_get_json(raising: Company) -> None:
    browser = Browser(raising)
    for kind, heading in PAGES.items():
        page = browser.get(f"/raise/{kind.__name__}")
        assert page.mimetype == "text/html"
        assert f"<h1>{heading}" in page.get_data(as_text=True).replace("这个请求没有完成", "没有完成")
        for headers in (JSON, {}, {**HTML, "X-Requested-With": "XMLHttpRequest"}):
            answer = browser.client.get(f"/raise/{kind.__name__}", headers=headers)
            assert answer.status_code == page.status_code
            assert set(answer.get_json()) >= {"error", "message"}


def test_an_unknown_address_is_a_page_for_people(standing_company: Company) -> None:
    answer = Browser(standing_company).get("/no-such-page")
    assert (answer.status_code, answer.mimetype) == (404, "text/html")


def test_the_api_answers_json_whoever_asks(standing_company: Company) -> None:
    answer = Browser(standing_company).get("/api/v1/no-such-thing")
    assert (answer.status_code, answer.mimetype) == (404, "application/json")


def test_a_page_without_a_session_leads_to_the_log_in_and_back(standing_company: Company) -> None:
    browser = Browser(standing_company)
    assert browser.get("/account?x=1").headers["Location"] == "/auth/wecom?next=%2Faccount%3Fx%3D1"
    assert browser.get("/admin").headers["Location"] == "/admin/login?next=%2Fadmin"
    assert browser.client.get("/account", headers=JSON).status_code == 401


def test_every_answer_carries_the_headers(raising: Company) -> None:
    browsers = (Browser(raising), member(raising, "zhang"), local_admin(raising))
    paths = [
        "/",
        "/account",
        "/admin",
        "/admin/login",
        "/auth/wecom",
        "/nothing",
        "/raise/ZeroDivisionError",
        "/healthz",
    ]
    for browser in browsers:
        for path in [*paths, "/api/v1/customers", "/wecom/callback", "/static/css/app.css", "/auth/callback"]:
            with browser.get(path) as answer:
                headers = answer.headers
            assert "default-src 'none'" in headers["Content-Security-Policy"], path
            assert "report-uri /csp-report" in headers["Content-Security-Policy"], path
            assert headers["X-Content-Type-Options"] == "nosniff"
            assert headers["Referrer-Policy"] == "same-origin"
            assert "Strict-Transport-Security" not in headers
            assert path.startswith("/static") or headers["Cache-Control"] == "no-store", path


def test_reports_are_counted_and_tell_the_log_nothing_personal(company: Company) -> None:
    report = {
        "csp-report": {"document-uri": "http://localhost/sidebar/customers/wm_li", "effective-directive": "img-src"}
    }
    bodies = [json.dumps(report), "{", "[]", '{"csp-report": {"effective-directive": "wm_li"}}', "[" * 5000]
    with capture_logs() as lines:
        for body in bodies * 20:
            answer = company.client.post("/csp-report", data=body, content_type="application/csp-report")
            assert (answer.status_code, answer.get_data()) == (204, b"")
        assert company.client.post("/csp-report", data="x" * 9000).status_code == 413
    metrics = company.client.get("/metrics").get_data(as_text=True)
    assert 'wecom_app_csp_reports_total{directive="img-src"} 20.0' in metrics
    assert 'wecom_app_csp_reports_total{directive="other"} 80.0' in metrics
    reports = [line for line in lines if "csp_report" in line["event"]]
    assert 0 < len(reports) <= 20
    assert "wm_li" not in repr(lines)


def test_a_form_from_before_somebody_signed_out_says_what_has_happened(company: Company) -> None:
    admin = local_admin(company)
    form = {"name": "门店", "csrf_token": "0" * 80}
    refused = admin.client.post("/admin/tags/dimensions", data=form, headers={**HTML, "Origin": ORIGIN})
    page = refused.get_data(as_text=True)
    assert (refused.status_code, "没有提交成功" in page, "重新登录" in page) == (403, True, True)
    assert "开通相应的角色" not in page
