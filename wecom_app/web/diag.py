"""`/diag`: what the WeCom client, the JS-SDK and we ourselves see of one another, for whoever helps from afar.

Open to everybody, since a failing log-in is one thing it is there for; only a member who is signed in gets a
signature and his own facts. Nothing on it is secret.
"""

from dataclasses import dataclass

from flask import Blueprint, render_template, request
from sqlalchemy import func, select

from wecom_app.domain.access import ROLE_WORDS
from wecom_app.models import Relation
from wecom_app.services import sdk
from wecom_app.version import __version__
from wecom_app.web import jssdk
from wecom_app.web.looks import looks
from wecom_app.web.session import current_session
from wecom_app.web.state import runtime

blueprint = Blueprint("diag", __name__)


@dataclass(frozen=True)
class Line:
    """One fact; `good` None where it is neither right nor wrong."""

    name: str
    value: str
    good: bool | None = None


@blueprint.get("/diag")
def page() -> str:
    """The server's side as text, the client's as the page's script finds it."""
    present = current_session()
    setup = jssdk.setup() if present else None
    lines = [
        *_server_lines(),
        *(_viewer_lines() if present else [Line("登录", "没有登录：签名与客户检查需要先登录", False)]),
    ]
    if setup is not None:
        lines.append(Line("签名", setup.problem or "已生成（应用票据）", setup.problem is None))
    return render_template("sidebar/diag.html", lines=lines, setup=setup.fields if setup else {}, **looks())


def _server_lines() -> list[Line]:
    settings, url = runtime().settings, jssdk.page_url()
    lines = [
        Line("版本", f"wecom-app {__version__}"),
        Line("服务器时间", runtime().clock.now().isoformat(timespec="seconds")),
        Line("本页地址（服务器看到的）", request.url),
        Line("PUBLIC_BASE_URL", settings.public_base_url or "没有设置", settings.public_base_url is not None),
    ]
    wecom = settings.require_wecom()
    lines.append(Line("企业与应用", f"{wecom.corp_id} · {wecom.agent_id}"))
    lines.append(Line("可以签名的地址", url, sdk.is_ours(settings, url)))
    return lines


def _viewer_lines() -> list[Line]:
    present = current_session()
    assert present is not None
    viewer = present.viewer
    roles = "、".join(sorted(ROLE_WORDS[role] for role in viewer.roles))
    lines = [Line("登录", f"{viewer.name}（{viewer.userid or '本地管理员'}）· {roles}", True)]
    if viewer.staff_id is not None:
        with runtime().read() as session:
            query = select(func.count()).where(Relation.staff_id == viewer.staff_id, Relation.lost_at.is_(None))
            count = session.scalar(query) or 0
        lines.append(Line("可见范围", f"本系统里有您的 {count} 个好友关系", count > 0))
    return lines
