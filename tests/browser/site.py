"""The whole product behind a real socket: waitress as in production, the simulator in the same process.

Callbacks and jobs move only when a test says so, as in the flow tests.
"""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import waitress
from sqlalchemy import select

from tests.flows.company import CALLBACK, STAFF, Company, settings_for
from wecom_app.clock import ManualClock
from wecom_app.models import ProfileField, Staff, StaffRole
from wecom_app.services import follow_ups, sessions, staff
from wecom_app.services.access import staff_viewer
from wecom_app.simulator.config import SimulatorConfig
from wecom_app.simulator.server import Simulator

THREADS = 4


class Site(Company):
    """A company whose application listens at `url`."""

    url = ""
    wecom_url = ""
    """Where WeCom's log-in pages stand."""

    def session_of(self, userid: str, *roles: str) -> str:
        """Sign a member in; return the cookie's value."""
        now = self.clock.now()
        with self.runtime.write() as session:
            staff_id = staff.ensure(session, [userid], now)[userid]
            for role in roles:
                session.merge(StaffRole(staff_id=staff_id, role=role, granted_by="tests", granted_at=now))
            return sessions.start(session, now, staff_id=staff_id)

    def write_note(self, customer: str, text: str, userid: str = "zhang") -> None:
        """Let a member write a follow-up note."""
        now = self.clock.now()
        with self.runtime.write() as session:
            member = session.scalars(select(Staff).where(Staff.userid == userid)).one()
            follow_ups.add(session, staff_viewer(session, member), customer, text, None, now)

    def define_field(self, key: str, name: str, kind: str, **more: object) -> None:
        """Let an administrator define a profile field."""
        with self.runtime.write() as session:
            session.add(ProfileField(key=key, name=name, kind=kind, created_at=self.clock.now(), **more))

    def scan(self, name: str = "林晓芸", **channel: object) -> str:
        """Let a customer scan a live code of zhang's; return his external_userid."""
        made = self.make_channel(**channel)
        found: str = self.simulator.scan(made["config_id"], name=name)["external_userid"]
        self.settle()
        return found


@contextmanager
def open_site(database_url: str, clock: ManualClock, *, demo: bool = False) -> Iterator[Site]:
    """Serve a company with three members until the block ends; in demo mode the playground too."""
    listener = socket.create_server(("127.0.0.1", 0))
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    config = SimulatorConfig(callback_url=CALLBACK)
    holder: list[Site] = []
    simulator = Simulator(config, clock, post=lambda to, body, wait: holder[0].post_callback(to, body, wait))
    for userid, name in STAFF.items():
        simulator.world.add_member(userid, name)
    wecom = simulator.listen()
    more = {"PUBLIC_BASE_URL": url, "WECOM_OAUTH_BASE_URL": wecom.url}
    if demo:
        # API calls stay in this process all the same; the playground reaches the control side at the socket.
        more |= {"DEMO_MODE": "1", "WECOM_API_BASE_URL": wecom.url}
    site = Site(simulator, settings_for(config, database_url, **more), clock)
    site.url, site.wecom_url = url, wecom.url
    holder.append(site)
    server = waitress.create_server(site.web, sockets=[listener], threads=THREADS, ident="", asyncore_use_poll=True)
    thread = threading.Thread(target=server.run, name="waitress")
    thread.start()
    try:
        yield site
    finally:
        server.close()
        thread.join(5)
        wecom.stop()
        site.close()
