"""A database with its queue and a little library, for services that join a transaction."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import pytest
from sqlalchemy import select

from wecom_app.bootstrap import open_store
from wecom_app.clock import ManualClock
from wecom_app.config import load_settings
from wecom_app.domain.tagging import Source
from wecom_app.domain.vocabulary import SourceKind
from wecom_app.models import (
    ChangeSet,
    Customer,
    CustomerTag,
    Job,
    Relation,
    Tag,
    TagClaim,
    TagEvent,
    TagGroup,
    TagOperation,
)
from wecom_app.services import customers, relations, staff, tagging, taxonomy
from wecom_app.services.context import Context
from wecom_app.services.history import Act
from wecom_app.services.ports import JobView
from wecom_app.services.runtime import Store
from wecom_app.services.tagging import Applied, TagChange
from wecom_app.services.taxonomy import GroupDraft, TagDraft

PERSON = Source(SourceKind.MANUAL, actor="zhang")
CAMPAIGN = Source(SourceKind.CAMPAIGN, "spring")
CHANNEL = Source(SourceKind.CHANNEL, "1")
RULE = Source(SourceKind.RULE, "vip")
API = Source(SourceKind.API, "1")


@pytest.fixture
def store(database_url: str, clock: ManualClock) -> Iterator[Store]:
    opened = open_store(load_settings({"DATABASE_URL": database_url}), clock)
    yield opened
    opened.stop()
