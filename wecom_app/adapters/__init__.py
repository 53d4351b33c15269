"""The outside world behind the ports of `services.ports`; only `bootstrap` and tests build these."""
