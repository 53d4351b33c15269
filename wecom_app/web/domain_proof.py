"""`/WW_verify_….txt`: proves to WeCom that the trusted domain is ours, where WECOM_DOMAIN_PROOF names the file.

The file's content is the middle of its name. Only the one that an administrator was given for his own app is
answered: whoever could have any served could have our domain trusted for an app of his.
"""

import hmac

from flask import Blueprint, Response

from wecom_app.errors import NotFound
from wecom_app.web.state import runtime

PREFIX, SUFFIX = "WW_verify_", ".txt"

blueprint = Blueprint("domain_proof", __name__)


@blueprint.get(f"/{PREFIX}<token>{SUFFIX}")
def proof(token: str) -> Response:
    """The file's content; 404 for any other than ours."""
    ours = runtime().settings.wecom_domain_proof or ""
    if not hmac.compare_digest(ours.encode(), f"{PREFIX}{token}{SUFFIX}".encode()):
        raise NotFound
    return Response(token, mimetype="text/plain")
