"""`api-key`: keys for programs."""

from datetime import datetime

import click

from wecom_app.cli.common import with_database, with_store
from wecom_app.cli.tables import echo_json, echo_table, moment
from wecom_app.config import Settings
from wecom_app.db import Database
from wecom_app.services import accounts
from wecom_app.services.accounts import KeyScope, KeyView
from wecom_app.services.runtime import Store

as_json = click.option("--json", "as_json", is_flag=True, help="输出 JSON。")


@click.group("api-key")
def api_key_group() -> None:
    """接口密钥。"""


@api_key_group.command("create")
@click.argument("name")
@click.option(
    "--scope",
    "scopes",
    multiple=True,
    required=True,
    type=click.Choice([scope.value for scope in KeyScope]),
    help="权限范围，可重复。",
)
@with_database
def create_api_key(_: Settings, database: Database, now: datetime, name: str, scopes: tuple[str, ...]) -> None:
    """新建接口密钥，只打印密钥本身；它不会再次显示。"""
    with database.write() as session:
        key = accounts.create_key(session, name, scopes, now)
    click.echo(key)


@api_key_group.command("list")
@as_json
@with_store
def list_api_keys(settings: Settings, store: Store, as_json: bool) -> None:
    """列出接口密钥；密钥本身不保存，也不显示。"""
    with store.read() as session:
        found = accounts.list_keys(session)
    if as_json:
        echo_json({"items": [_as_dict(key) for key in found]})
        return
    zone = settings.time_zone
    rows = [
        (key.prefix, key.name, "、".join(key.scopes), moment(key.created_at, zone), moment(key.revoked_at, zone))
        for key in found
    ]
    echo_table(("编号", "名称", "权限", "新建时间", "吊销时间"), rows)


@api_key_group.command("revoke")
@click.argument("name", metavar="编号或名称")
@with_store
def revoke_api_key(_settings: Settings, store: Store, name: str) -> None:
    """吊销一个接口密钥，立即失效，不能恢复；编号是密钥里点号之前的部分。"""
    with store.write() as session:
        key = accounts.revoke_key(session, name, store.clock.now())
    click.echo(f"已吊销 {key.prefix}（{key.name}）")


def _as_dict(key: KeyView) -> dict[str, object]:
    return {
        "prefix": key.prefix,
        "name": key.name,
        "scopes": list(key.scopes),
        "created_at": key.created_at.isoformat(),
        "revoked_at": None if key.revoked_at is None else key.revoked_at.isoformat(),
    }
