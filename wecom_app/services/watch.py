"""What is looked at every minute: runs whose job was given up, the alerts, the digest; the job `watch.run`."""

from wecom_app.services import alerts, digest, run_ends
from wecom_app.services.ports import JobArgs
from wecom_app.services.runtime import Runtime, Store

KIND = "watch.run"


def request(store: Store) -> None:
    """Have a look taken: one at a time, however many processes ask."""
    with store.write() as session:
        store.queue.enqueue(session, KIND, {}, lane="local", key=KIND, unique="minute")


def run(runtime: Runtime, _args: JobArgs) -> None:
    """Look at everything; running it again tells nothing twice."""
    run_ends.end_given_up(runtime)
    alerts.check(runtime)
    digest.say_if_due(runtime)
