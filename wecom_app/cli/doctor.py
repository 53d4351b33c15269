"""`doctor`: is everything in order, and if not, what is to be done."""

import sys
from collections.abc import Iterator, Mapping
from typing import Any

import click

from wecom_app.bootstrap import build_patient
from wecom_app.cli.tables import GAP, echo_json, padded
from wecom_app.config import Settings, load_settings
from wecom_app.demo.telling import width
from wecom_app.errors import ConfigurationError
from wecom_app.services import doctor as doctor_service
from wecom_app.services.checkup import State
from wecom_app.services.doctor import TITLES, Result
from wecom_app.version import __version__
from wecom_app.web import callback

MARKS: Mapping[State, tuple[str, str]] = {
    State.OK: ("通过", "green"),
    State.WARN: ("注意", "yellow"),
    State.FAIL: ("失败", "red"),
    State.SKIP: ("未查", "bright_black"),
}
TITLE_SIZE = max(width(title) for title in TITLES.values())
INDENT = " " * (width("通过") + len(GAP) + TITLE_SIZE + len(GAP))


@click.command()
@click.option("--json", "as_json", is_flag=True, help="输出 JSON。")
@click.option("--url", default=None, help="回调地址；默认为 PUBLIC_BASE_URL 加 /wecom/callback。")
def doctor(as_json: bool, url: str | None) -> None:
    """检查设置、数据库、企业微信权限、回调地址与任务；有失败项时退出码为 1。"""
    if url is not None and not url.startswith(("http://", "https://")):
        raise click.UsageError("--url 要以 http:// 或 https:// 开头")
    results: list[Result] = []
    for result in _examine(url):
        results.append(result)
        if not as_json:
            _echo_result(result)
    healthy = doctor_service.is_healthy(results)
    if as_json:
        echo_json({"ok": healthy, "version": __version__, "checks": [_as_dict(result) for result in results]})
    else:
        click.echo(_summary(results))
    sys.exit(0 if healthy else 1)


def _examine(url: str | None) -> Iterator[Result]:
    try:
        settings = load_settings()
        patient = build_patient(settings, callback_url=url or _own_address(settings))
    except ConfigurationError as error:
        yield doctor_service.unreadable(error.message)
        return
    try:
        yield from doctor_service.examine(patient)
    finally:
        patient.database.close()


def _own_address(settings: Settings) -> str | None:
    return None if settings.public_base_url is None else f"{settings.public_base_url}{callback.PATH}"


def _echo_result(result: Result) -> None:
    mark, colour = MARKS[result.finding.state]
    title = padded(result.title, TITLE_SIZE)
    click.echo(f"{click.style(mark, fg=colour)}{GAP}{title}{GAP}{result.finding.saw}")
    if result.finding.advice is not None:
        click.echo(f"{INDENT}→ {result.finding.advice}")


def _summary(results: list[Result]) -> str:
    counts = {
        state: sum(result.finding.state is state for result in results)
        for state in (State.FAIL, State.WARN, State.OK, State.SKIP)
    }
    return "，".join(f"{count} 项{MARKS[state][0]}" for state, count in counts.items() if count)


def _as_dict(result: Result) -> dict[str, Any]:
    return {
        "name": result.name,
        "title": result.title,
        "state": result.finding.state,
        "saw": result.finding.saw,
        "advice": result.finding.advice,
    }
