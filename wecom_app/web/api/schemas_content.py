"""The API's shapes about content items; additive changes only."""

from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, BaseModel, Field

from wecom_app.web.api.schemas import Given, Moment, PageQuery, Patch

Title = Annotated[str, Field(min_length=1, max_length=64)]
Text = Annotated[str, Field(max_length=2000)]
Address = Annotated[str, Field(min_length=1, max_length=1024)]
RowId = Annotated[int, Field(ge=1, lt=2**63)]
Priority = Annotated[int, Field(ge=0, le=100)]
RestDays = Annotated[int, Field(ge=0, le=365)]
Departments = Annotated[list[RowId], Field(max_length=200)]
Kind = Literal["script", "article", "product", "coupon", "material"]
Status = Literal["draft", "active"]
State = Literal["draft", "active", "planned", "over", "archived"]
ConditionJson = dict[str, Any]
"""A condition over tags (`cond` in rule.schema.json)."""


class ContentMiniProgram(Given):
    appid: Annotated[str, Field(min_length=1, max_length=64)]
    page: Address


class ContentIn(Given):
    """An item; without a condition it is for all customers, without departments for all members."""

    kind: Kind
    title: Title
    text: Text = ""
    link: Address | None = None
    media: RowId | None = None
    mini_program: ContentMiniProgram | None = None
    condition: ConditionJson | None = None
    priority: Priority = 50
    valid_from: AwareDatetime | None = None
    valid_until: AwareDatetime | None = None
    status: Status = "draft"
    departments: Departments = Field(default_factory=list)
    rest_days: RestDays = 30


class ContentPatch(Patch):
    """Only the fields given change; `version` is the one that the change was made on."""

    version: Annotated[int, Field(ge=1, lt=2**31)]
    kind: Kind = "script"
    title: Title = ""
    text: Text = ""
    link: Address | None = None
    media: RowId | None = None
    mini_program: ContentMiniProgram | None = None
    condition: ConditionJson | None = None
    priority: Priority = 50
    valid_from: AwareDatetime | None = None
    valid_until: AwareDatetime | None = None
    status: Status = "draft"
    departments: Departments = Field(default_factory=list)
    rest_days: RestDays = 30


class ContentQuery(PageQuery):
    """`q` is part of the title or text, or the title's pinyin or its initials; archived items only by their state."""

    q: Annotated[str, Field(max_length=64, pattern=r"^[^\x00]*$")] = ""
    kind: Kind | None = None
    state: State | None = None


class UseOut(BaseModel):
    """In the last 30 days; what was shown counts once a day for each customer and member."""

    shown: int
    sent: int
    dismissed: int


class ContentOut(BaseModel):
    """`state` says what `status` and the dates amount to now."""

    id: int
    kind: Kind
    title: str
    text: str
    link: str | None
    media: int | None
    mini_program: ContentMiniProgram | None
    condition: ConditionJson | None
    priority: int
    valid_from: Moment | None
    valid_until: Moment | None
    status: Status
    state: State
    departments: list[int]
    rest_days: int
    version: int
    created_by: str
    updated_by: str
    created_at: Moment
    updated_at: Moment
    archived_at: Moment | None
    use: UseOut


class StaffUseOut(UseOut):
    userid: str
    name: str


class ContentUseOut(UseOut):
    as_of: Moment
    staff: list[StaffUseOut]


class ContentPreviewIn(Given):
    """A condition to try on all present customers, and on one of them if he is named."""

    condition: ConditionJson | None = None
    external_userid: Annotated[str, Field(min_length=1, max_length=64)] | None = None


class TagNameOut(BaseModel):
    key: str
    name: str


class FitOut(BaseModel):
    """Whether one customer fits; `tags` are those that make him fit."""

    external_userid: str
    name: str
    fits: bool
    reason: str
    tags: list[TagNameOut]


class ContentPreviewOut(BaseModel):
    """`fitting` of `customers` who are somebody's friend at present, each counted once."""

    words: str
    fitting: int
    customers: int
    as_of: Moment
    customer: FitOut | None
