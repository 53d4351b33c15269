"""The command line, `wecom-app …`: one module a family of commands; settings are read here and nowhere else."""

import click

from wecom_app.cli import bot, database, doctor, keys, people, repair, schedule, serve, sync, tags
from wecom_app.cli.common import set_up_logging
from wecom_app.version import __version__


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="wecom-app")
@click.option("--log-level", default="INFO", show_default=True, help="DEBUG、INFO、WARNING 或 ERROR。")
def main(log_level: str) -> None:
    """企业微信客户标签系统。设置来自环境变量或当前目录的 .env（见 .env.example）。"""
    set_up_logging(log_level)


for command in (
    serve.serve,
    serve.worker,
    serve.simulate,
    serve.demo,
    database.database_group,
    keys.api_key_group,
    people.admin_group,
    people.role_group,
    repair.inbox_group,
    repair.jobs_group,
    sync.sync_group,
    tags.tags_group,
    schedule.schedule_group,
    bot.bot_group,
    doctor.doctor,
):
    main.add_command(command)
