"""`bot`: trying the group robots, and looking at the digest before it is sent."""

import click

from wecom_app.bootstrap import build_robots
from wecom_app.cli.common import fail, with_store
from wecom_app.config import Settings
from wecom_app.domain.days import local
from wecom_app.services import digest, robots
from wecom_app.services.runtime import Store


@click.group("bot")
def bot_group() -> None:
    """群机器人：试发与日报。"""


@bot_group.command("test-robot")
@with_store
def try_robot(settings: Settings, store: Store) -> None:
    """给每个群机器人发一条测试消息。"""
    at = local(store.clock.now(), settings.time_zone)
    _say(settings, store, f"客户标签系统测试消息 {at:%m-%d %H:%M}：收到这条，告警和日报就能送到这个群。")


@bot_group.command("digest")
@click.option("--dry-run", is_flag=True, help="只显示，不发送。")
@with_store
def show_digest(settings: Settings, store: Store, dry_run: bool) -> None:
    """把昨天的日报发到群里；每天到点会自动发送一次，与这条命令无关。"""
    with store.read() as session:
        words = digest.words(session, store.queue, store.clock.now(), settings.time_zone)
    if dry_run:
        click.echo(words)
        return
    _say(settings, store, words)


def _say(settings: Settings, store: Store, content: str) -> None:
    found = build_robots(settings, store.database, store.clock)
    outcome = robots.say_now(found, content)
    for name, problem in outcome.items():
        click.echo(f"机器人 {name}：{problem or '已发送'}")
    if any(outcome.values()):
        fail("有群机器人没有发送成功")
