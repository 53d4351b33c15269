"""Names and orders that both sides changed, in the list of conflicts, and a person's word on them."""

import pytest
from sqlalchemy import select

from tests.flows.company import Company
from wecom_app.domain.definitions import Dispute
from wecom_app.models import Tag
from wecom_app.services import definition_conflicts


@pytest.mark.both
def test_a_disagreement_about_a_name_stands_in_the_list_beside_those_about_marks(company: Company) -> None:
    (key,) = company.make_tags("护肤")
    with company.runtime.write() as session:
        tag = session.scalars(select(Tag).where(Tag.key == key)).one()
        definition_conflicts.note(
            session, tag, Dispute.NAME, ours="护肤", theirs="面部护理", resolution=None, now=company.clock.now()
        )

    (shown,) = company.get("/sync/conflicts?state=open&subject=library")["items"]

    assert company.get("/sync/conflicts?subject=mark")["items"] == []
    facts = ("kind", "subject", "key", "name", "group", "ours", "theirs", "external_userid", "resolution")
    assert [shown[name] for name in facts] == [
        "name",
        "tag",
        key,
        "护肤",
        "兴趣",
        ["护肤"],
        ["面部护理"],
        None,
        None,
    ]
