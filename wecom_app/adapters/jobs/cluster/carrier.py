"""Procrastinate's names that we use, or the ConfigurationError that says how to install it."""

from wecom_app.errors import ConfigurationError

try:
    from procrastinate import App, JobContext, PsycopgConnector
    from procrastinate.exceptions import ConnectorException
    from procrastinate.jobs import Job, Notification, Status
    from procrastinate.manager import JobManager, NotificationCallback
    from procrastinate.schema import SchemaManager
except ImportError as error:
    raise ConfigurationError("使用 PostgreSQL 需要附加组件 [postgres]：pip install 'wecom-app[postgres]'") from error

__all__ = [
    "App",
    "ConnectorException",
    "Job",
    "JobContext",
    "JobManager",
    "Notification",
    "NotificationCallback",
    "PsycopgConnector",
    "SchemaManager",
    "Status",
]
