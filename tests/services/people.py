"""Viewers for tests of what people see: members of the shop, and a local administrator."""

from sqlalchemy import select

from tests.services.shop import Shop
from wecom_app.domain.access import Role
from wecom_app.models import Staff
from wecom_app.services import access
from wecom_app.services.access import Viewer

ADMIN = Viewer(None, None, None, "管理员", frozenset({Role.ADMIN}), sees_all=True)


def viewer(shop: Shop, userid: str) -> Viewer:
    """Return the member as he is signed in."""
    with shop.store.read() as session:
        return access.staff_viewer(session, session.scalars(select(Staff).where(Staff.userid == userid)).one())
