"""`/pictures/<sha256>`: the pictures of content cards, public because WeCom shows them to customers.

The address is the hash of the picture, which nobody can guess; files that no item in use shows are not there.
"""

import re

from flask import Blueprint, Response
from sqlalchemy import exists, select

from wecom_app.errors import NotFound
from wecom_app.models import ContentItem, Media
from wecom_app.services import media
from wecom_app.web.assets import FOR_EVER
from wecom_app.web.state import runtime

blueprint = Blueprint("pictures", __name__)
SHA256 = re.compile(r"[0-9a-f]{64}")


@blueprint.get("/pictures/<sha256>")
def picture(sha256: str) -> Response:
    """The picture itself; raises NotFound."""
    if not SHA256.fullmatch(sha256):
        raise NotFound
    shown = exists().where(ContentItem.media_id == Media.id, ContentItem.archived_at.is_(None))
    with runtime().read() as session:
        query = select(Media.id).where(Media.sha256 == sha256, Media.kind == "image", shown).limit(1)
        if session.execute(query).first() is None:
            raise NotFound
        content = media.content_of(session, sha256)
    return Response(content, mimetype=media.mimetype_of("image", content), headers={"Cache-Control": FOR_EVER})
