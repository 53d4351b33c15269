"""`db`: keeping the database."""

import click

from wecom_app.bootstrap import prepare_database, upgrade_database
from wecom_app.cli.common import with_settings
from wecom_app.clock import SystemClock
from wecom_app.config import Settings
from wecom_app.db import Database


@click.group("db")
def database_group() -> None:
    """数据库维护。"""


@database_group.command()
@with_settings
def upgrade(settings: Settings) -> None:
    """把数据库结构升级到当前版本；SQLite 有数据时先备份。"""
    database = Database(settings.database_url)
    if database.is_sqlite:
        backup = prepare_database(database, SystemClock())
        if backup is not None:
            click.echo(f"升级前已备份到 {backup}")
    else:
        upgrade_database(database)
    click.echo("数据库结构已是最新")
    database.close()
