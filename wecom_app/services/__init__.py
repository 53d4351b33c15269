"""Use cases, as modules of functions: `session` first joins a transaction, `runtime` first drives its own."""
