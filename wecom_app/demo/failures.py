"""What ends the demo early, in words for the person who started it."""

from wecom_app.errors import AppError


class DemoFailed(AppError):
    """The demo cannot go on; the message says why and where to look."""

    code = "demo_failed"
