"""`/admin/tags`: the tag library: found, made, edited, put in order, archived and brought back."""

from typing import Any

from flask import Blueprint, render_template, request, url_for
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from wecom_app.domain.access import Role
from wecom_app.domain.vocabulary import SOURCE_GROUP_NAME
from wecom_app.errors import Conflict, InvalidInput, NotFound, StaleEdit
from wecom_app.models import Tag, TagGroup
from wecom_app.services import (
    audit,
    dimensions,
    library,
    library_edits,
    library_orders,
    library_recreation,
    library_restoring,
    tag_lint,
    tag_merges,
    tag_tree,
    tag_users,
    taxonomy,
)
from wecom_app.services.tag_tree import Wanted
from wecom_app.services.taxonomy import GroupDraft, TagDraft
from wecom_app.web.admin import notices, tag_forms
from wecom_app.web.admin.tag_forms import GroupForm, TagForm
from wecom_app.web.session import current_viewer, signed_in
from wecom_app.web.state import runtime

READ = (Role.ADMIN, Role.AUDITOR)
PAGE = 20
"""Groups on a page."""
TAGS_PAGE = 50
"""Tags on the page of their group."""
STEPS = {"up": -1, "down": 1}
Answer = str | Response | tuple[str, int]


def register(blueprint: Blueprint) -> None:
    """Add the pages."""
    add = blueprint.add_url_rule
    add("/tags", "tags", tree)
    add("/tags/report", "tags_report", report)
    add("/tags/findings", "tags_findings", findings)
    add("/tags/groups/new", "tags_group_new", new_group)
    add("/tags/groups/new", "tags_group_create", create_group, methods=["POST"])
    add("/tags/groups/<key>", "tags_group", group)
    add("/tags/groups/<key>", "tags_group_save", save_group, methods=["POST"])
    add("/tags/groups/<key>/tags", "tags_add", add_tags, methods=["POST"])
    add("/tags/groups/<key>/move", "tags_group_move", move_group, methods=["POST"])
    add("/tags/groups/<key>/archive", "tags_group_archive", archive_group, methods=["POST"])
    add("/tags/groups/<key>/restore", "tags_group_restore", restore_group, methods=["POST"])
    add("/tags/items/<key>", "tags_tag", tag)
    add("/tags/items/<key>", "tags_tag_save", save_tag, methods=["POST"])
    add("/tags/items/<key>/move", "tags_move", move_tag, methods=["POST"])
    add("/tags/items/<key>/archive", "tags_archive", archive_tag, methods=["POST"])
    add("/tags/items/<key>/restore", "tags_restore", restore_tag, methods=["POST"])


@signed_in(*READ)
def tree() -> str:
    """The library, by dimension and group."""
    wanted = Wanted(
        q=request.args.get("q", "").strip()[:64],
        dimension=request.args.get("dimension", "")[:64],
        archived=request.args.get("show") == "archived",
    )
    page = _page()
    with runtime().read() as session:
        found = tag_tree.find(session, runtime().slugify, wanted, skip=page * PAGE, limit=PAGE)
        known = dimensions.list_dimensions(session)
        is_empty = not taxonomy.list_groups(session, limit=1)
        has_deleted = bool(library_recreation.deleted(session, limit=1))
    given = {"q": wanted.q, "dimension": wanted.dimension, "show": "archived" if wanted.archived else ""}
    filters: dict[str, Any] = {name: value for name, value in given.items() if value}
    return render_template(
        "admin/tags/list.html",
        found=found,
        wanted=wanted,
        dimensions=[("", "全部维度"), *((one.key, one.name) for one in known)],
        states=[("", "未归档"), ("archived", "已归档")],
        filters=filters,
        is_empty=is_empty,
        is_whole=not (page or filters),
        as_of=runtime().clock.now(),
        first=url_for("admin.tags", **filters) if page else None,
        next=url_for("admin.tags", **filters, page=page + 1) if found.has_more else None,
        words=tag_forms,
        source_group=SOURCE_GROUP_NAME,
        has_deleted=has_deleted,
    )


@signed_in(*READ)
def report() -> str:
    """The hygiene report: what was found, and what to do about it."""
    now = runtime().clock.now()
    with runtime().read() as session:
        found = tag_lint.lint(session, runtime().slugify, now)
        is_empty = not taxonomy.list_groups(session, limit=1)
    return render_template("admin/tags/report.html", found=found, is_empty=is_empty, as_of=now)


@signed_in(*READ)
def findings() -> str:
    """The report in one line over the library; a fragment, for it reads more than the page itself."""
    with runtime().read() as session:
        found = tag_lint.lint(session, runtime().slugify, runtime().clock.now())
    return render_template("admin/tags/_findings.html", findings=found)


@signed_in(Role.ADMIN)
def new_group() -> str:
    """The form of a group that is yet to be made."""
    return _group_form(None, GroupForm(dimension=request.args.get("dimension", "")[:64]), {})


@signed_in(Role.ADMIN)
def create_group() -> Answer:
    """Make a group with its tags, or show the form again with what is wrong."""
    typed = tag_forms.read_group(request.form)
    try:
        draft = GroupDraft(
            name=typed.name,
            dimension=typed.dimension,
            tags=tuple(map(TagDraft, tag_forms.lines(request.form, "tags"))),
            **typed.choices(),
            **typed.texts(),
        )
        library_edits.check_texts(vars(draft))
        with runtime().write() as session:
            made = taxonomy.create_group(session, library.context(runtime()), draft)
            record(session, "tag_group.create", f"tag_group:{made.key}")
            key = made.key
    except (InvalidInput, Conflict) as error:
        return _group_form(None, typed, tag_forms.problems(error)), error.http_status
    return notices.back_to("admin.tags_group", "tags.group_created", key=key)


@signed_in(*READ)
def group(key: str) -> str:
    """The form of a group, with its tags."""
    with runtime().read() as session:
        found = library_edits.find_group(session, key)
    return _group_form(found, GroupForm.of(found), {})


@signed_in(Role.ADMIN)
def save_group(key: str) -> Answer:
    """Change a group by the form."""
    typed = tag_forms.read_group(request.form)
    with runtime().read() as session:
        found = library_edits.find_group(session, key)
    try:
        with runtime().read() as session:
            seen = library_edits.look_ahead(session, key, typed.changes(), typed.version)
        with runtime().write() as session:
            context = library.context(runtime())
            library_edits.edit_group(session, context, key, typed.changes(), typed.version, seen=seen)
            record(session, "tag_group.edit", f"tag_group:{key}")
    except StaleEdit as error:
        with runtime().read() as session:
            found = library_edits.find_group(session, key)
            known = {one.key: one.name for one in dimensions.list_dimensions(session)}
        return _group_form(found, *tag_forms.outdated_group(found, typed, known)), error.http_status
    except (InvalidInput, Conflict) as error:
        return _group_form(found, typed, tag_forms.problems(error)), error.http_status
    return notices.back_to("admin.tags_group", "tags.saved", key=key)


@signed_in(Role.ADMIN)
def add_tags(key: str) -> Answer:
    """Make tags in a group, one a line."""
    try:
        names = tag_forms.lines(request.form, "names")
        if not names:
            raise InvalidInput("请填写标签名称，一行一个", details={"names": "请填写标签名称，一行一个"})
        with runtime().write() as session:
            found = library_edits.find_group(session, key)
            made = taxonomy.add_tags(session, library.context(runtime()), found, [TagDraft(name) for name in names])
            for one in made:
                record(session, "tag.create", f"tag:{one.key}")
    except (InvalidInput, Conflict) as error:
        with runtime().read() as session:
            found = library_edits.find_group(session, key)
        problems = {"names": error.message}
        return _group_form(found, GroupForm.of(found), problems, names=request.form.get("names", "")), error.http_status
    return notices.back_to("admin.tags_group", "tags.created", key=key)


@signed_in(Role.ADMIN)
def move_group(key: str) -> Response:
    """Put a group one place up or down in its dimension; the first and the last stay."""
    with runtime().read() as session:
        dimension = library_edits.find_group(session, key).dimension
        keys = [one.key for one in taxonomy.groups_of(session, dimension)]
    with runtime().write() as session:
        library_orders.order_groups(session, runtime().queue, dimension, _moved(keys, key))
        record(session, "tag_group.move", f"tag_group:{key}")
    return notices.back_to("admin.tags", "tags.moved", dimension=dimension, page=keys.index(key) // PAGE or None)


@signed_in(Role.ADMIN)
def move_tag(key: str) -> Response:
    """Put a tag one place up or down in its group; the first and the last stay."""
    with runtime().read() as session:
        _, found = library_edits.find_tag(session, key)
        keys = [one.key for one in taxonomy.tags_of(session, [found.id]).get(found.id, [])]
    with runtime().write() as session:
        library_orders.order_tags(session, runtime().queue, found.key, _moved(keys, key))
        record(session, "tag.move", f"tag:{key}")
    page = keys.index(key) // TAGS_PAGE or None
    return notices.back_to("admin.tags_group", "tags.moved", key=found.key, page=page)


@signed_in(Role.ADMIN)
def archive_group(key: str) -> Answer:
    """Take a group out of use; where something uses it, say so and ask."""
    cascade = "cascade" in request.form
    with runtime().read() as session:
        found = library_edits.find_group(session, key)
        tags = taxonomy.tags_of(session, [found.id]).get(found.id, [])
        if not cascade and (uses := tag_users.uses_of(session, tags)):
            customers = tag_users.customers_with(session, [one.id for one in tags])
            return _uses(found, uses, customers, url_for("admin.tags_group_archive", key=key)), 409
    with runtime().write() as session:
        context = library.context(runtime())
        library_edits.archive_group(session, context, key, cascade=cascade, actor=actor())
        record(session, "tag_group.archive", f"tag_group:{key}")
    return notices.back_to("admin.tags", "tags.group_archived", key)


@signed_in(Role.ADMIN)
def restore_group(key: str) -> Response:
    """Bring a group back."""
    with runtime().write() as session:
        library_restoring.restore_group(session, library.context(runtime()), key)
        record(session, "tag_group.restore", f"tag_group:{key}")
    return notices.back_to("admin.tags", "tags.restored")


@signed_in(*READ)
def tag(key: str) -> str:
    """The form of a tag, with who uses it."""
    with runtime().read() as session:
        found, its_group = library_edits.find_tag(session, key)
    return _tag_form(found, its_group, TagForm.of(found), {})


@signed_in(Role.ADMIN)
def save_tag(key: str) -> Answer:
    """Change a tag by the form."""
    typed = tag_forms.read_tag(request.form)
    with runtime().read() as session:
        found, its_group = library_edits.find_tag(session, key)
    try:
        with runtime().write() as session:
            library_edits.edit_tag(session, library.context(runtime()), key, typed.changes(), typed.version)
            record(session, "tag.edit", f"tag:{key}")
    except StaleEdit as error:
        with runtime().read() as session:
            found, its_group = library_edits.find_tag(session, key)
            mates = {one.key: one.name for one in taxonomy.tags_of(session, [its_group.id])[its_group.id]}
        return _tag_form(found, its_group, *tag_forms.outdated_tag(found, typed, mates)), error.http_status
    except (InvalidInput, Conflict) as error:
        return _tag_form(found, its_group, typed, tag_forms.problems(error)), error.http_status
    return notices.back_to("admin.tags_group", "tags.saved", key=its_group.key)


@signed_in(Role.ADMIN)
def archive_tag(key: str) -> Answer:
    """Take a tag out of use; where something uses it, say so and ask."""
    cascade = "cascade" in request.form
    with runtime().read() as session:
        found, its_group = library_edits.find_tag(session, key)
        if not cascade and (uses := tag_users.uses_of(session, [found])):
            customers = tag_users.customers_with(session, [found.id])
            return _uses(found, uses, customers, url_for("admin.tags_archive", key=key)), 409
    with runtime().write() as session:
        library_edits.archive_tag(session, library.context(runtime()), key, cascade=cascade, actor=actor())
        record(session, "tag.archive", f"tag:{key}")
    return notices.back_to("admin.tags_group", "tags.archived", key, key=its_group.key)


@signed_in(Role.ADMIN)
def restore_tag(key: str) -> Response:
    """Bring a tag back."""
    with runtime().write() as session:
        library_restoring.restore_tag(session, library.context(runtime()), key)
        record(session, "tag.restore", f"tag:{key}")
    return notices.back_to("admin.tags", "tags.restored")


def _moved(keys: list[str], key: str) -> list[str]:
    if key not in keys:
        raise NotFound("它已归档或删除，请刷新")
    to, place = request.form.get("to", ""), keys.index(key)
    target = 0 if to == "top" else min(max(place + STEPS.get(to, 0), 0), len(keys) - 1)
    keys.insert(target, keys.pop(place))
    return keys


def _page() -> int:
    """Return the page that is asked for, from 0."""
    text = request.args.get("page", "")[:6]
    return int(text) if text.isascii() and text.isdigit() else 0


def _group_form(found: TagGroup | None, typed: GroupForm, problems: dict[str, str], names: str = "") -> str:
    with runtime().read() as session:
        shown = tag_tree.one_group(session, session.get_one(TagGroup, found.id)) if found else None
        known = dimensions.list_dimensions(session)
    tags = shown.tags if shown else ()
    page = min(_page(), max(len(tags) - 1, 0) // TAGS_PAGE)
    begin, end = page * TAGS_PAGE, (page + 1) * TAGS_PAGE
    return render_template(
        "admin/tags/group.html",
        group=found,
        shown=shown,
        tags=list(enumerate(tags))[begin:end],
        before=url_for("admin.tags_group", key=found.key, page=page - 1) if found and page else None,
        after=url_for("admin.tags_group", key=found.key, page=page + 1) if found and end < len(tags) else None,
        sync=tag_tree.sync_words(found, found) if found else None,
        typed=typed,
        names=names,
        problems=problems,
        dimensions=[(one.key, one.name) for one in known],
        words=tag_forms,
        may_edit=current_viewer().may(Role.ADMIN),
        source_group=SOURCE_GROUP_NAME,
    )


def _tag_form(found: Tag, its_group: TagGroup, typed: TagForm, problems: dict[str, str]) -> str:
    with runtime().read() as session:
        uses = tag_users.uses_of(session, [found])
        customers = tag_users.customers_with(session, [found.id])
        mates = taxonomy.tags_of(session, [its_group.id]).get(its_group.id, [])
        merged = tag_merges.merges_into(session, found)
    return render_template(
        "admin/tags/tag.html",
        tag=found,
        group=its_group,
        typed=typed,
        problems=problems,
        uses=uses,
        merged=merged,
        customers=customers,
        sync=tag_tree.sync_words(found, its_group),
        mates=[("", "没有"), *((one.key, one.name) for one in mates if one.id != found.id)],
        words=tag_forms,
        may_edit=current_viewer().may(Role.ADMIN),
    )


def _uses(found: Tag | TagGroup, uses: Any, customers: int, url: str) -> str:
    return render_template(
        "admin/tags/uses.html", found=found, uses=uses, customers=customers, url=url, kinds=tag_forms.USE_WORDS
    )


def actor() -> str:
    """Return who acts, as the history names him."""
    viewer = current_viewer()
    return viewer.userid or viewer.name


def record(session: Session, action: str, subject: str) -> None:
    """Write an act of the viewer into the audit trail."""
    audit.record(session, current_viewer(), action, subject, now=runtime().clock.now())
