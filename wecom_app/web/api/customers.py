"""`/api/v1/customers`: profiles, history, and editing tags."""

from pydantic import BaseModel
from sqlalchemy.orm import Session

from wecom_app.domain.tagging import Source as TagSource
from wecom_app.domain.vocabulary import SourceKind
from wecom_app.errors import InvalidInput
from wecom_app.models.tagging import CUSTOMER_LEVEL
from wecom_app.services import customers, profiles, staff, tagging, taxonomy
from wecom_app.services.accounts import KeyScope
from wecom_app.services.history import Act
from wecom_app.services.profiles import HistoryView, ProfileView, RelationView, TagView
from wecom_app.services.tagging import TagChange
from wecom_app.web.api.endpoint import Call, Endpoint
from wecom_app.web.api.paging import page_of
from wecom_app.web.api.schemas import (
    ChannelName,
    CustomerOut,
    CustomerTagOut,
    HistoryOut,
    Page,
    PageQuery,
    RelationOut,
    Removing,
    SkippedTag,
    Source,
    Sync,
    TagEdit,
    TagEditOut,
)


def list_customers(call: Call) -> BaseModel:
    with call.runtime.read() as session:
        found = profiles.list_profiles(
            session, call.runtime.clock.now(), before_id=call.query.cursor, limit=call.query.limit + 1
        )
    return Page[CustomerOut](**page_of(found, call.query.limit, lambda view: view.id, customer_out))


def get_customer(call: Call) -> BaseModel:
    with call.runtime.read() as session:
        return customer_out(profiles.get(session, call.path["external_userid"], call.runtime.clock.now()))


def list_history(call: Call) -> BaseModel:
    with call.runtime.read() as session:
        found = profiles.history(
            session, call.path["external_userid"], before_id=call.query.cursor, limit=call.query.limit + 1
        )
    return Page[HistoryOut](**page_of(found, call.query.limit, lambda view: view.id, history_out))


def edit_tags(call: Call) -> BaseModel:
    """Add and remove tags as an API client: what a person, a campaign, a channel or a rule set stays."""
    edit: TagEdit = call.body
    both = sorted(set(edit.add) & set(edit.remove))
    if both:
        raise InvalidInput(f"同一个标签不能既添加又移除：{'、'.join(both)}", details={"tags": both})
    now = call.runtime.clock.now()
    with call.runtime.write() as session:
        customer = customers.find(session, call.path["external_userid"])
        tags = taxonomy.find_tags(session, [*edit.add, *edit.remove])
        relation_id = _relation_id(session, customer.id, edit.userid)
        source = TagSource(SourceKind.API, str(call.caller.id), edit.userid)
        changes = [
            TagChange(
                customer.id,
                tags[key].id,
                add,
                source,
                {"api_key": call.caller.name, "reason": edit.reason},
                relation_id,
            )
            for keys, add in ((edit.remove, False), (edit.add, True))
            for key in dict.fromkeys(keys)
        ]
        act = Act("api", actor_ref=call.caller.name, reason=edit.reason)
        applied = tagging.apply(session, changes, act, queue=call.runtime.queue, now=now)
        profile = profiles.get(session, customer.external_userid, now)
    key_of = {tag.id: key for key, tag in tags.items()}
    return TagEditOut(
        change_set_id=applied.change_set_id,
        tags=[tag_out(view) for view in profile.tags],
        skipped=[SkippedTag(key=key_of[skip.tag_id], reason=skip.reason) for skip in applied.skipped],
    )


def _relation_id(session: Session, customer_id: int, userid: str | None) -> int:
    """Return the live relation with the member named; 0 where none is named."""
    if userid is None:
        return CUSTOMER_LEVEL
    staff_ids = staff.find_ids(session, [userid])
    for relation in customers.live_relations(session, customer_id):
        if relation.staff_id == staff_ids.get(userid.lower()):
            return relation.id
    raise InvalidInput("这位成员不是该客户的好友", details={"userid": userid})


def customer_out(view: ProfileView) -> CustomerOut:
    """Return a customer as the API shows him."""
    return CustomerOut.model_validate(
        {
            "external_userid": view.external_userid,
            "name": view.name,
            "type": view.type,
            "state": "active" if view.is_active else "lost",
            "version": view.version,
            "relations": [relation_out(relation) for relation in view.relations],
            "tags": [tag_out(tag) for tag in view.tags],
            "removing": [Removing(key=key, reason=reason) for key, reason in view.removing],
        }
    )


def relation_out(view: RelationView) -> RelationOut:
    known = view.channel_id is not None
    return RelationOut.model_validate(
        {
            "userid": view.userid,
            "add_way": view.add_way,
            "state": view.state,
            "channel": ChannelName(id=view.channel_id or 0, name=view.channel_name or "") if known else None,
            "created_at": view.created_at,
            "lost_at": view.lost_at,
            "lost_by": view.lost_by,
        }
    )


def tag_out(view: TagView) -> CustomerTagOut:
    return CustomerTagOut.model_validate(
        {
            "key": view.key,
            "name": view.name,
            "group": view.group,
            "dimension": view.dimension,
            "scope": view.scope,
            "relations": list(view.userids),
            "source": Source(kind=view.source_kind, ref=view.source_ref, actor=view.actor),
            "set_at": view.set_at,
            "expires_at": view.expires_at,
            "evidence": dict(view.evidence),
            "sync": Sync.model_validate({"state": view.sync[0], "reason": view.sync[1]}),
        }
    )


def history_out(view: HistoryView) -> HistoryOut:
    return HistoryOut.model_validate(
        {
            "id": view.id,
            "at": view.at,
            "op": view.op,
            "key": view.key,
            "userid": view.userid,
            "source": Source(kind=view.source_kind, ref=view.source_ref, actor=view.actor),
            "evidence": dict(view.evidence),
            "change_set_id": view.change_set_id,
        }
    )


ENDPOINTS = (
    Endpoint("GET", "/customers", KeyScope.READ, "客户列表，新的在前", list_customers, Page[CustomerOut], PageQuery),
    Endpoint(
        "GET",
        "/customers/<external_userid>",
        KeyScope.READ,
        "一个客户：好友关系、标签及其来源与同步状态",
        get_customer,
        CustomerOut,
    ),
    Endpoint(
        "GET",
        "/customers/<external_userid>/history",
        KeyScope.READ,
        "标签变更记录，新的在前",
        list_history,
        Page[HistoryOut],
        PageQuery,
    ),
    Endpoint(
        "POST",
        "/customers/<external_userid>/tags",
        KeyScope.WRITE,
        "添加和移除标签",
        edit_tags,
        TagEditOut,
        body=TagEdit,
    ),
)
