"""A corp on the simulator and the application beside it, made from a template in a few milliseconds.

Three friendships, five tags of a multi-choice group, three of a single-choice one, two of scope `relation`.
Callbacks are handed over by hand: nothing travels over HTTP but the application's own calls.
"""

import atexit
import os
import pickle
import random
import shutil
import sqlite3
import tempfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import requests
from sqlalchemy import Engine, select, text

from tests.conftest import START
from tests.flows.company import settings_for
from tests.wsgi_transport import WsgiAdapter
from wecom_app.bootstrap import build_runtime, upgrade_database
from wecom_app.clock import ManualClock
from wecom_app.db import Database
from wecom_app.domain.vocabulary import Scope, Selection
from wecom_app.models import Customer, Tag
from wecom_app.services import cells, inbox, library, runs, taxonomy
from wecom_app.services.runtime import Runtime
from wecom_app.services.taxonomy import GroupDraft, TagDraft
from wecom_app.simulator.config import SimulatorConfig
from wecom_app.simulator.server import Simulator

HOBBIES = ("咖啡", "茶", "露营", "绘画", "音乐")
LEVELS = ("金", "银", "铜")
NOTES = ("已联系", "已报价")
GROUPS = {"爱好": HOBBIES, "等级": LEVELS, "跟进": NOTES}
FRIENDSHIPS = (("zhang", "wmOne"), ("wang", "wmOne"), ("zhang", "wmTwo"))
CUSTOMERS = ("wmOne", "wmTwo")
STAFF = {"zhang": "张伟", "wang": "王芳"}
CARD = 3
"""add_way 名片分享; its source tag stands in the library from the beginning."""
SAVED = ("ids", "customers", "tags", "tokens", "welcomes", "members")
"""The parts of the simulated world that the template keeps."""
CONFIG = SimulatorConfig(callback_url=None)
MOST_STATEMENTS = 5000
GUARD_FLOOR = runs.GUARD_FLOOR


@dataclass(frozen=True)
class Template:
    """Both sides at one moment."""

    database: Path
    world: bytes
    now: datetime


class Corp:
    """The simulator, and the application on an SQLite file of its own."""

    def __init__(self, directory: Path, clock: ManualClock) -> None:
        # The back-off of jobs is jittered: the same history must take the same course.
        random.seed(0)
        self.clock, self._directory = clock, directory
        self.simulator = Simulator(CONFIG, clock)
        self.undisturb()
        self._settings = settings_for(CONFIG, f"sqlite:///{directory}/app.db")
        self.crash_hook: Callable[[str], None] | None = None
        self.sql = sqlite3.connect(directory / "app.db", isolation_level=None)
        self.runtime: Runtime
        self.start()

    def start(self) -> None:
        """Open the application, as after a restart."""
        session = requests.Session()
        session.trust_env = False
        session.mount(self._settings.wecom_api_base_url, WsgiAdapter(self.simulator.wsgi))
        self.runtime = build_runtime(
            self._settings, clock=self.clock, session=session, threads=False, crash_hook=self._crash
        )
        _compile_once(self.runtime.database)

    def restart(self) -> None:
        """End the application where it stands and open it again on the same file."""
        self.runtime.database.close()
        self.start()

    def close(self) -> None:
        self.guard_floor(GUARD_FLOOR)
        self.sql.close()
        self.runtime.database.close()
        shutil.rmtree(self._directory)

    def _crash(self, name: str) -> None:
        if self.crash_hook is not None:
            self.crash_hook(name)

    def deliver(self, message: str) -> None:
        """Hand one callback over, decrypted, as the callback address does."""
        with self.runtime.write() as session:
            inbox.store(session, self.runtime.queue, [inbox.read(message, self.clock.now())])

    def undisturb(self) -> None:
        """Let nothing go wrong; WeCom lists one friendship a page, so that acts fall between pages."""
        self.simulator.faults.put({"batch_page_size": 1})

    def guard_floor(self, most: int) -> None:
        """Let so few endings at once be enough for a person to be asked."""
        runs.GUARD_FLOOR = most

    def ask_for_looks(self) -> None:
        """Have every customer looked at by himself."""
        with self.runtime.write() as session:
            for customer_id in session.execute(select(Customer.id)).scalars().all():
                cells.request_sync(session, self.runtime.queue, customer_id)

    def rows(self, query: str, *values: Any) -> list[Any]:
        """Return what a plain SQL query finds in the application's file."""
        return self.sql.execute(query, values).fetchall()


def _compile_once(database: Database) -> None:
    """Let all corps use the statements that the first one has compiled, which is half of what a history costs."""
    for engine, first in zip((database._writer, database._reader), _engines(), strict=True):
        engine.dialect, engine._compiled_cache = first.dialect, first._compiled_cache


@cache
def _engines() -> tuple[Engine, Engine]:
    first = Database(f"sqlite:///{templates_folder()}/first.db")
    with first.write() as writing, first.read() as reading:
        writing.execute(text("SELECT 1"))
        reading.execute(text("SELECT 1"))
    first.close()
    for engine in (first._writer, first._reader):
        engine._compiled_cache.capacity = MOST_STATEMENTS
    return first._writer, first._reader


def open_corp(*, met: bool = True) -> Corp:
    """Return a corp at rest; `met`: its three friendships are known and looked at, without any of our tags."""
    template = _templates()[met]
    directory = Path(tempfile.mkdtemp(prefix="sync-", dir=scratch()))
    shutil.copy(template.database, directory / "app.db")
    corp = Corp(directory, ManualClock(template.now))
    restore(corp.simulator, template.world)
    return corp


@cache
def scratch() -> str | None:
    """A folder in memory where there is one: SQLite waits for the disk at every commit."""
    memory = Path("/dev/shm")
    return str(memory) if memory.is_dir() and os.access(memory, os.W_OK) else None


@cache
def templates_folder() -> Path:
    """A folder for what corps begin from, gone with the process."""
    directory = Path(tempfile.mkdtemp(prefix="sync-template-", dir=scratch()))
    atexit.register(shutil.rmtree, directory, ignore_errors=True)
    return directory


@cache
def _templates() -> dict[bool, Template]:
    directory = templates_folder()
    database = Database(f"sqlite:///{directory}/app.db")
    upgrade_database(database)
    database.close()
    corp = Corp(directory, ManualClock(START))
    for userid, name in STAFF.items():
        corp.simulator.world.add_member(userid, name)
    _fill_library(corp)
    unmet = keep(corp, directory, "unmet.db")
    corp.clock.advance(60)
    for userid, external_userid in FRIENDSHIPS:
        corp.simulator.act(userid, "add", external_userid=external_userid, name=external_userid, add_way=CARD)
    for record in corp.simulator.callbacks.records:
        corp.deliver(record.event.plaintext)
    for _ in range(3):
        corp.runtime.run_until_idle()
        corp.clock.advance(60)
    return {False: unmet, True: keep(corp, directory, "met.db")}


def _fill_library(corp: Corp) -> None:
    """Make the groups on both sides: the application finds the tags by name and links them."""
    world = corp.simulator.world
    for group, names in {**GROUPS, "获客来源": ("名片分享",)}.items():
        for name in names:
            world.add_tag(group, name, made_by=str(CONFIG.agent_id))
    drafts = [
        GroupDraft("爱好", "behaviour", _drafts(HOBBIES)),
        GroupDraft("等级", "consumption", _drafts(LEVELS), selection=Selection.SINGLE),
        GroupDraft("跟进", "journey", _drafts(NOTES), scope=Scope.RELATION),
        GroupDraft("获客来源", "basic_info", _drafts(("名片分享",)), key="basic_info.source"),
    ]
    with corp.runtime.write() as session:
        for draft in drafts:
            taxonomy.create_group(session, library.context(corp.runtime), draft)
    corp.runtime.run_until_idle()
    with corp.runtime.read() as session:
        assert session.execute(select(Tag.id).where(Tag.wecom_tag_id.is_(None))).first() is None


def _drafts(names: tuple[str, ...]) -> tuple[TagDraft, ...]:
    return tuple(TagDraft(name) for name in names)


def keep(corp: Corp, directory: Path, name: str) -> Template:
    """Keep what stands on both sides now, to begin from."""
    target = sqlite3.connect(directory / name)
    with suppress(sqlite3.Error):
        corp.sql.backup(target)
    target.close()
    world = corp.simulator.world
    saved = pickle.dumps({part: getattr(world, part) for part in SAVED})
    return Template(directory / name, saved, corp.clock.now())


def restore(simulator: Simulator, saved: bytes) -> None:
    """Put the simulated world back as a template has it."""
    for part, value in pickle.loads(saved).items():
        setattr(simulator.world, part, value)


LONG_AGO = int((START - timedelta(days=10)).timestamp())
"""A createtime before this deployment began."""
