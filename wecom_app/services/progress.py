"""How far a long piece of work is: what the work tells, whoever listens; `schedule_runs` writes it down.

Work that a schedule runs takes a `Progress` and tells it after each slice; run by anything else it has `SILENT`.
"""

from wecom_app.errors import AppError


class Progress:
    """Tells nobody, and lets every error through."""

    def expect(self, steps: int) -> None:
        """Say how many steps there are, once that is known."""

    def advance(self, steps: int = 1, **counts: int) -> None:
        """Say that steps are done and what they came to; where somebody asked to stop, this does not return."""

    def error(self, item: str, error: AppError) -> None:  # noqa: ARG002  named for those who write it down
        """Say that one item went wrong and the work goes on without it; raises the error where nobody would see it."""
        raise error


SILENT = Progress()
