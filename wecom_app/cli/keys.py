"""`api-key`: keys for programs."""

import click

from wecom_app.bootstrap import prepare_database
from wecom_app.cli.common import with_settings
from wecom_app.clock import SystemClock
from wecom_app.config import Settings
from wecom_app.db import Database
from wecom_app.services import accounts
from wecom_app.services.accounts import KeyScope


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
@with_settings
def create_api_key(settings: Settings, name: str, scopes: tuple[str, ...]) -> None:
    """新建接口密钥，只打印密钥本身；它不会再次显示。"""
    database = Database(settings.database_url)
    clock = SystemClock()
    prepare_database(database, clock)
    with database.write() as session:
        key = accounts.create_key(session, name, scopes, clock.now())
    database.close()
    click.echo(key)
