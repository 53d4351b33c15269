"""Pure rules of the field: no database, no network, no third-party package."""
