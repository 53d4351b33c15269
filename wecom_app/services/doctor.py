"""`wecom-app doctor`: every check once, in an order in which each builds upon those before it."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import structlog

from wecom_app.errors import AppError
from wecom_app.services import checkup_host, checkup_sdk, checkup_wecom, checkup_work
from wecom_app.services.checkup import Finding, Patient, State, fail, skip

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Check:
    """One line of the report; not run unless all of `needs` were found in order."""

    name: str
    title: str
    run: Callable[[Patient], Finding]
    needs: tuple[str, ...] = ()


@dataclass(frozen=True)
class Result:
    name: str
    title: str
    finding: Finding


def examine(patient: Patient) -> Iterator[Result]:
    """Run the checks, giving each result as soon as it is known."""
    states: dict[str, State] = {}
    for check in CHECKS:
        missing = [name for name in check.needs if states[name] is not State.OK]
        finding = skip(f"「{TITLES[missing[0]]}」通过后再检查") if missing else _found(check, patient)
        states[check.name] = finding.state
        yield Result(check.name, check.title, finding)


def unreadable(message: str) -> Result:
    """Return the only line of a report where the settings could not be read."""
    return Result("settings", "设置", fail(message, "按提示改正 .env 或环境变量，再运行一次"))


def is_healthy(results: Sequence[Result]) -> bool:
    """Tell whether nothing failed; warnings do not count."""
    return all(result.finding.state is not State.FAIL for result in results)


def _found(check: Check, patient: Patient) -> Finding:
    try:
        return check.run(patient)
    except AppError as error:
        return fail(error.message, "解决后再运行一次")
    except Exception as error:
        # Its text may hold addresses and passwords, so it stays in the log.
        log.exception("doctor.check_failed", check=check.name)
        return fail(f"检查本身出错：{type(error).__name__}", "请把日志中的错误发给维护者")


SETTINGS, DATABASE, SCHEMA, TOKEN = "wecom_settings", "database", "schema", "token"
CHECKS = (
    Check(SETTINGS, "企业微信设置", checkup_host.wecom_settings),
    Check("secret_key", "SECRET_KEY", checkup_host.secret_key),
    Check("time_zone", "时区", checkup_host.time_zone),
    Check(DATABASE, "数据库", checkup_host.database),
    Check(SCHEMA, "数据库结构", checkup_host.schema, (DATABASE,)),
    Check("writable", "数据库写入", checkup_host.writable, (DATABASE,)),
    Check("journal", "断电保护", checkup_host.journal, (DATABASE,)),
    Check("disk", "磁盘空间", checkup_host.disk),
    Check("deployment", "数据库归属", checkup_host.deployment, (SCHEMA, SETTINGS)),
    Check("clock", "连接与时钟", checkup_wecom.clock, (SETTINGS,)),
    Check(TOKEN, "访问令牌", checkup_wecom.token, (SETTINGS,)),
    Check("members", "成员权限", checkup_wecom.members, (TOKEN,)),
    Check("tags", "标签权限", checkup_wecom.tags, (TOKEN,)),
    Check("customers", "客户权限", checkup_wecom.customers, (TOKEN,)),
    Check("circuit", "调用暂停", checkup_wecom.circuit, (SCHEMA, SETTINGS)),
    Check("callback", "回调地址", checkup_wecom.callback, (SETTINGS,)),
    Check("domain", "可信域名", checkup_sdk.domain),
    Check("signature", "页面签名", checkup_sdk.signature, (TOKEN,)),
    Check("workers", "任务执行", checkup_work.workers, (SCHEMA,)),
    Check("leftovers", "失败记录", checkup_work.leftovers, (SCHEMA,)),
    Check("alerts", "告警与群机器人", checkup_work.alerts_and_robots, (SCHEMA,)),
)
TITLES = {check.name: check.title for check in CHECKS}
