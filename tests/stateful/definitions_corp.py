"""A corp whose tag library is alike on both sides: two groups of ours with names in common, one of another app.

Made from a template in a few milliseconds, as the corps of `corp` are.
"""

import shutil
import tempfile
from functools import cache
from pathlib import Path

from tests.conftest import START
from tests.stateful.corp import CONFIG, Corp, Template, keep, restore, scratch, templates_folder
from wecom_app.bootstrap import upgrade_database
from wecom_app.clock import ManualClock
from wecom_app.db import Database
from wecom_app.services import library, taxonomy
from wecom_app.services.taxonomy import GroupDraft, TagDraft

DIMENSION = "basic_info"
OURS = {"爱好": ("甲", "乙", "丙"), "等级": ("甲", "乙")}
FOREIGN = {"外部": ("甲", "丁")}


def open_library() -> Corp:
    """Return a corp at rest."""
    template = _template()
    directory = Path(tempfile.mkdtemp(prefix="library-", dir=scratch()))
    shutil.copy(template.database, directory / "app.db")
    corp = Corp(directory, ManualClock(template.now))
    restore(corp.simulator, template.world)
    return corp


def read_library(corp: Corp) -> None:
    """Have the whole library read, as the schedule does."""
    with corp.runtime.write() as session:
        taxonomy.enqueue_pull(session, corp.runtime.queue)


@cache
def _template() -> Template:
    directory = templates_folder() / "library"
    directory.mkdir()
    database = Database(f"sqlite:///{directory}/app.db")
    upgrade_database(database)
    database.close()
    corp = Corp(directory, ManualClock(START))
    assert CONFIG.callback_url is None
    for group, names in FOREIGN.items():
        corp.simulator.act("admin", "group_create", group=group, names=list(names))
    with corp.runtime.write() as session:
        for group, names in OURS.items():
            draft = GroupDraft(group, DIMENSION, tuple(TagDraft(name) for name in names))
            taxonomy.create_group(session, library.context(corp.runtime), draft)
    for _ in range(3):
        read_library(corp)
        corp.runtime.run_until_idle()
        corp.clock.advance(60)
    assert not corp.rows("SELECT 1 FROM tag WHERE wecom_tag_id IS NULL")
    return keep(corp, directory, "rest.db")
