"""WeCom's server API, one module for each family of endpoints; `table` joins them for the gateway."""
