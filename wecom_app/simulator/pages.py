"""The page for a person: the customers' phones, what WeCom knows, what goes wrong, and what was called."""

import io
from collections.abc import Callable
from typing import Any

import segno
from flask import Blueprint, Response, jsonify, redirect, render_template, request, url_for
from markupsafe import Markup
from werkzeug.wrappers import Response as BaseResponse

from wecom_app.errors import AppError, InvalidInput, NotFound
from wecom_app.simulator import sample
from wecom_app.simulator.acts.table import perform
from wecom_app.simulator.context import Context
from wecom_app.simulator.paging import view_of
from wecom_app.simulator.panels import PANELS, render
from wecom_app.simulator.presets import PRESETS
from wecom_app.simulator.scans import scan

QR_SCALE = 6


def make_pages(context: Context) -> Blueprint:
    """Return the routes of the page."""
    blueprint = Blueprint("pages", __name__)

    @blueprint.get("/")
    def index() -> str:
        view = view_of(request.args)
        panels = {name: Markup(render(context, panel, view)) for name, panel in PANELS.items()}  # noqa: S704  templates escape
        return render_template(
            "simulator/index.html",
            panels=panels,
            view=view,
            config=context.config,
            notice=request.args.get("notice", "")[:200],
            empty=not len(context.world.members),
        )

    @blueprint.get("/page/panels")
    def panels() -> Response:
        view = view_of(request.args)
        return jsonify({name: render(context, panel, view) for name, panel in PANELS.items()})

    @blueprint.post("/page/<action>")
    def do(action: str) -> BaseResponse:
        return _done(context, action)

    @blueprint.get("/wwhead/<config_id>/0")
    def picture(config_id: str) -> Response:
        return _picture(context, config_id)

    return blueprint


def _done(context: Context, action: str) -> BaseResponse:
    """Do what a form asks and say so: as JSON to the script, else on the page again."""
    handler = ACTIONS.get(action)
    if handler is None:
        raise NotFound
    try:
        ok, notice = True, handler(context, request.form.to_dict())
    except AppError as error:
        ok, notice = False, error.message
    context.callbacks.wake()
    if request.headers.get("Accept") == "application/json":
        return jsonify({"ok": ok, "notice": notice})
    return redirect(url_for("pages.index", notice=notice), 303)


def _scan(context: Context, form: dict[str, str]) -> str:
    chosen = {name: form[name] for name in ("config_id", "external_userid", "name") if form.get(name)}
    answer = scan(context, chosen)
    if answer["already_friend"]:
        return f"{answer['name']} 与 {answer['userid']} 已是好友，企业微信直接打开了会话"
    return f"{answer['name']} 已添加 {answer['userid']} 为好友"


def _act(context: Context, form: dict[str, str]) -> str:
    parts: dict[str, Any] = {name: value for name, value in form.items() if name not in {"add", "remove"}}
    for name in ("add", "remove"):
        if form.get(name):
            parts[name] = [form[name]]
    perform(context, parts)
    return "已在企业微信里操作"


def _fault(context: Context, form: dict[str, str]) -> str:
    preset = PRESETS.get(form.get("preset", ""))
    if preset is None:
        raise InvalidInput("没有这种故障")
    if preset.rule is not None:
        context.faults.add(**preset.rule)
    else:
        context.faults.set(**preset.settings)
    return f"{preset.label}：{preset.explanation}"


def _recover(context: Context, _: dict[str, str]) -> str:
    context.faults.clear()
    return "已全部恢复正常"


def _sample(context: Context, _: dict[str, str]) -> str:
    sample.fill(context.world)
    return "已放入示例成员与标签"


ACTIONS: dict[str, Callable[[Context, dict[str, str]], str]] = {
    "scan": _scan,
    "act": _act,
    "fault": _fault,
    "recover": _recover,
    "sample": _sample,
}


def _picture(context: Context, config_id: str) -> Response:
    """Answer the picture of a live code, as the address in `qr_code` does at WeCom."""
    with context.world.lock:
        way = context.world.contact_ways.find(config_id)
    if way is None:
        raise NotFound
    code = segno.make(f"{context.config.base_url}/#code-{config_id}", error="m")
    drawn = io.BytesIO()
    code.save(drawn, kind="png", scale=QR_SCALE, border=4)
    return Response(drawn.getvalue(), mimetype="image/png")
