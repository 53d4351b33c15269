"""The database's history as Alembic revisions, shipped inside the package."""
