"""The process's Prometheus metrics, one registry per runtime; names are listed in docs/engineering/metrics."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

PREFIX = "wecom_app"
FAST_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class Metrics:
    """Counters without ids in their labels."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.callback_requests = self._counter("callback_requests", "Callback requests by result", "result")
        self.callback_seconds = self._histogram("callback_duration_seconds", "Time to answer a callback")
        self.events = self._counter("events", "Callbacks handled, by event and result", "event", "result")
        self.welcomes = self._counter("welcomes", "Welcome messages by end", "result")
        self.welcome_delay = self._histogram("welcome_delay_seconds", "From receipt to the welcome call")
        self.wecom_calls = self._counter("wecom_api_requests", "Calls to WeCom", "api", "errcode")
        self.wecom_seconds = self._histogram("wecom_api_duration_seconds", "Duration of calls to WeCom", "api")
        self.token_refreshes = self._counter("token_refreshes", "Tokens and tickets fetched, by result", "result")
        self.csp_reports = self._counter("csp_reports", "Blocked by a browser, by directive", "directive")
        self.jobs = self._counter("jobs", "Jobs run, by kind and result", "kind", "result")
        self.operations_closed = self._counter("tag_operations_closed", "Tag operations ended, by their end", "result")
        self.sync_runs = self._counter("sync_runs", "Runs of sync, by kind and end", "kind", "result")
        self.sync_drift = self._counter("sync_drift", "Differences that full pulls found, by kind", "kind")
        self.sync_guard_trips = self._counter("sync_guard_trips", "Runs that a guard has held, by kind", "kind")
        self.clock_skew = Gauge(
            f"{PREFIX}_clock_skew_seconds",
            "Receipt minus CreateTime, where out of bounds",
            registry=self.registry,
        )

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(f"{PREFIX}_{name}_total", text, labels, registry=self.registry)

    def _histogram(self, name: str, text: str, *labels: str) -> Histogram:
        return Histogram(f"{PREFIX}_{name}", text, labels, registry=self.registry, buckets=FAST_BUCKETS)
