"""The job queue of several machines: Procrastinate 3 on PostgreSQL (extra `[postgres]`)."""

from wecom_app.adapters.jobs.cluster.queue import ClusterQueue
from wecom_app.adapters.jobs.cluster.schema import install_schema, is_installed

__all__ = ["ClusterQueue", "install_schema", "is_installed"]
