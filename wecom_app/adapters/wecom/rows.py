"""The one statement that the token store and the call budget both need, for both databases."""

from typing import Any

from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from wecom_app.db import Base


def insert_if_missing(session: Session, table: type[Base], **values: Any) -> None:
    """Insert a row unless its key is there, in a way that two processes may do at once."""
    insert = sqlite.insert if session.get_bind().dialect.name == "sqlite" else postgresql.insert
    session.execute(insert(table).values(**values).on_conflict_do_nothing())
