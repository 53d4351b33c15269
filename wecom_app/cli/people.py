"""`admin` and `role`: local administrators, and what members may do; both bring an SQLite database to head."""

import sys
from datetime import datetime

import click
from sqlalchemy.orm import Session

from wecom_app.cli.common import fail, with_database
from wecom_app.cli.tables import echo_table, moment
from wecom_app.config import Settings
from wecom_app.db import Database
from wecom_app.domain.access import GIVEN_ROLES, ROLE_WORDS, WHOLE_COMPANY, Role
from wecom_app.errors import NotFound
from wecom_app.services import administrators, audit, roles
from wecom_app.services.roles import Holder

admin_name = click.argument("name", metavar="用户名")
password_stdin = click.option("--password-stdin", is_flag=True, help="从标准输入读取密码（一行），不提示输入。")
member = click.argument("userid", metavar="成员账号")
role_name = click.argument("role", metavar="角色", type=click.Choice([role.value for role in GIVEN_ROLES]))


@click.group("admin")
def admin_group() -> None:
    """本地管理员：用于首次设置，或企业微信登录不可用时。"""


@admin_group.command("create")
@admin_name
@password_stdin
@with_database
def create_admin(_: Settings, database: Database, now: datetime, name: str, password_stdin: bool) -> None:
    """新建本地管理员；密码至少 12 个字符。"""
    password = _password(password_stdin)
    with database.write() as session:
        made = administrators.create(session, name, password, now)
    click.echo(f"已新建管理员「{made.name}」，登录地址：/admin/login")


@admin_group.command("list")
@with_database
def list_admins(settings: Settings, database: Database, _: datetime) -> None:
    """列出本地管理员。"""
    with database.read() as session:
        found = administrators.list_admins(session)
    rows = [
        (
            admin.name,
            "已停用" if admin.disabled_at else "正常",
            moment(admin.created_at, settings.time_zone),
            moment(admin.password_set_at, settings.time_zone),
        )
        for admin in found
    ]
    if rows:
        echo_table(("用户名", "状态", "新建时间", "设置密码时间"), rows)
    else:
        click.echo("还没有本地管理员：用 wecom-app admin create 用户名 新建")


@admin_group.command("disable")
@admin_name
@with_database
def disable_admin(_: Settings, database: Database, now: datetime, name: str) -> None:
    """停用本地管理员，并结束他的登录；重设密码即恢复。"""
    with database.write() as session:
        administrators.disable(session, name, now)
    click.echo(f"已停用「{name}」，他的登录已全部结束")


@admin_group.command("reset-password")
@admin_name
@password_stdin
@with_database
def reset_password(_: Settings, database: Database, now: datetime, name: str, password_stdin: bool) -> None:
    """重设密码：结束他的登录，恢复停用的账号，并解除登录次数限制。"""
    password = _password(password_stdin)
    with database.write() as session:
        administrators.reset_password(session, name, password, now)
    click.echo(f"已重设「{name}」的密码，他的登录已全部结束")


@click.group("role")
def role_group() -> None:
    """成员的角色与数据范围。"""


@role_group.command("grant")
@member
@role_name
@click.option(
    "--department", "departments", multiple=True, type=click.IntRange(1), help="部门编号，可重复；含下级部门。"
)
@click.option("--whole-company", is_flag=True, help="数据范围为整个公司。")
@with_database
def grant(
    _: Settings,
    database: Database,
    now: datetime,
    userid: str,
    role: str,
    departments: tuple[int, ...],
    whole_company: bool,
) -> None:
    """授予角色；给出的数据范围会取代原来的。"""
    scope = frozenset({WHOLE_COMPANY} if whole_company else departments)
    with database.write() as session:
        is_new = not _is_known(session, userid)
        found = roles.grant(session, userid, Role(role), scope, audit.COMMAND, now)
        details = {"role": role, "scope": sorted(found.scope)}
        audit.record_command(session, "role.grant", f"staff:{found.staff_id}", details, now=now)
        click.echo(f"{_who(found)}：{_roles(found)}；数据范围：{_scope(session, found)}")
    if is_new:
        click.echo("注意：通讯录里还没有见过这个账号，请核对拼写；同步通讯录后会补上姓名", err=True)


@role_group.command("revoke")
@member
@role_name
@with_database
def revoke(_: Settings, database: Database, now: datetime, userid: str, role: str) -> None:
    """收回角色。"""
    with database.write() as session:
        found = roles.revoke(session, userid, Role(role), audit.COMMAND, now)
        audit.record_command(session, "role.revoke", f"staff:{found.staff_id}", {"role": role}, now=now)
    click.echo(f"{_who(found)}：{_roles(found)}")


@role_group.command("list")
@with_database
def list_roles(_: Settings, database: Database, __: datetime) -> None:
    """列出被授予角色的成员。"""
    with database.read() as session:
        rows = [(item.userid, item.name, _roles(item), _scope(session, item)) for item in roles.list_holders(session)]
    if rows:
        echo_table(("成员账号", "姓名", "角色", "数据范围"), rows)
    else:
        click.echo("还没有给任何成员授予角色；每位成员都是导购，部门负责人自动是主管")


def _password(from_stdin: bool) -> str:
    """Read a password without showing it, or one line of standard input."""
    if from_stdin:
        return sys.stdin.readline().rstrip("\r\n")
    if not sys.stdin.isatty():
        fail("没有终端可以输入密码：请用 --password-stdin 从标准输入传入")
    found: str = click.prompt("密码", hide_input=True, confirmation_prompt="再输入一次")
    return found


def _is_known(session: Session, userid: str) -> bool:
    try:
        return bool(roles.find(session, userid))
    except NotFound:
        return False


def _who(found: Holder) -> str:
    return found.name if found.name == found.userid else f"{found.name}（{found.userid}）"


def _roles(found: Holder) -> str:
    return "、".join(ROLE_WORDS[role] for role in found.roles) or "没有授予的角色"


def _scope(session: Session, found: Holder) -> str:
    return roles.scope_words(found.scope, roles.department_names(session)) or "不适用"
