"""The API's shapes about channels, their welcomes and the files these carry; additive changes only."""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from wecom_app.web.api.schemas import Given, Key, Moment, Name, PageQuery, Patch, Sync, Userid

MediaNumber = Annotated[int, Field(ge=1, lt=2**63)]
Address = Annotated[str, Field(min_length=1, max_length=2048, pattern=r"^https?://")]


def _at_most(size: int) -> AfterValidator:
    """WeCom counts bytes of UTF-8, of which a Chinese character has three."""

    def check(value: str) -> str:
        if len(value.encode()) > size:
            raise ValueError(f"不能超过 {size} 字节（约 {size // 3} 个汉字）")
        return value

    return AfterValidator(check)


class Link(Given):
    """A link under the welcome text (send_welcome_msg: title ≤ 128 bytes, desc ≤ 512 bytes)."""

    title: Annotated[str, Field(min_length=1), _at_most(128)]
    url: Address
    picurl: Address | None = None
    desc: Annotated[str, _at_most(512)] | None = None


class FileReference(Given):
    """A file uploaded by `POST /media`."""

    media: MediaNumber


class MiniProgram(Given):
    """A card that opens a mini-program bound to the corp; `pic_media` is an uploaded picture, best 520 × 416."""

    title: Annotated[str, Field(min_length=1), _at_most(64)]
    appid: Annotated[str, Field(min_length=1, max_length=64)]
    page: Annotated[str, Field(min_length=1, max_length=1024)]
    pic_media: MediaNumber


class LinkAttachment(Given):
    msgtype: Literal["link"]
    link: Link


class ImageAttachment(Given):
    msgtype: Literal["image"]
    image: FileReference


class VideoAttachment(Given):
    msgtype: Literal["video"]
    video: FileReference


class FileAttachment(Given):
    msgtype: Literal["file"]
    file: FileReference


class MiniProgramAttachment(Given):
    msgtype: Literal["miniprogram"]
    miniprogram: MiniProgram


Attachment = Annotated[
    ImageAttachment | VideoAttachment | FileAttachment | LinkAttachment | MiniProgramAttachment,
    Field(discriminator="msgtype"),
]


class WelcomeIn(Given):
    """A welcome; `fallback_text` is the wording for when the customer's name is not known in time."""

    text: Annotated[str, Field(max_length=4000)] | None = None
    fallback_text: Annotated[str, Field(max_length=4000)] | None = None
    attachments: list[Attachment] = Field(default_factory=list)


ChannelTitle = Annotated[str, Field(min_length=1, max_length=64)]
Staff = Annotated[list[Userid], Field(min_length=1, max_length=100)]
Tags = Annotated[list[Key], Field(max_length=100)]
RemarkRule = Annotated[str, Field(max_length=100)]
State = Annotated[str, Field(min_length=1, max_length=30)]


class ChannelIn(Given):
    name: ChannelTitle
    source: Name
    staff: Staff
    tags: Tags = Field(default_factory=list)
    welcome: WelcomeIn = WelcomeIn()
    remark_rule: RemarkRule | None = None
    skip_verify: bool = True
    exclusive: bool = False
    state: State | None = None


class ChannelPatch(Patch):
    """Only the fields given change; `state` is printed on the code and can only be repeated as it is."""

    name: ChannelTitle = ""
    source: Name = ""
    staff: Staff = Field(default_factory=list)
    tags: Tags = Field(default_factory=list)
    welcome: WelcomeIn = WelcomeIn()
    remark_rule: RemarkRule | None = None
    skip_verify: bool = True
    exclusive: bool = False
    state: str | None = None


class ArchiveIn(Given):
    """`delete_code`: also delete the live code at WeCom; printed codes then lead nowhere."""

    delete_code: bool = False


class RestoreIn(Given):
    """`new_code`: make another live code in place of one that was deleted."""

    new_code: bool = False


class ChannelsQuery(PageQuery):
    """`q` is a part of the name."""

    archived: bool = False
    q: Annotated[str, Field(max_length=64, pattern=r"^[^\x00]*$")] | None = None


class WelcomeOut(BaseModel):
    text: str | None
    fallback_text: str | None
    attachments: list[dict[str, Any]]


class ChannelOut(BaseModel):
    id: int
    name: str
    source: str
    staff: list[str]
    tags: list[str]
    welcome: WelcomeOut
    remark_rule: str | None
    skip_verify: bool
    exclusive: bool
    state: str
    config_id: str | None
    qr_code: str | None
    sync: Sync
    created_at: Moment
    archived_at: Moment | None


class RemarkOut(BaseModel):
    """What became of one customer's remark; `kept` means that a person's own stands."""

    id: int
    external_userid: str
    userid: str
    status: Literal["waiting", "set", "kept", "failed", "void"]
    remark: str | None
    reason: str | None
    created_at: Moment
    finished_at: Moment | None


class UnknownStatesQuery(BaseModel):
    """Paging by state: `cursor` is what the last page's `next_cursor` said."""

    model_config = ConfigDict(extra="forbid")

    cursor: Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[^\x00]*$")] | None = None
    limit: Annotated[int, Field(ge=1, le=200)] = 50


class UnknownStateOut(BaseModel):
    """A state that no channel carries; `count` is of customers."""

    state: str
    count: int
    staff: list[str]
    first_at: Moment
    last_at: Moment


class AdoptPreviewIn(Given):
    state: State
    source: Name
    tags: Tags = Field(default_factory=list)


class AdoptIn(Given):
    """A channel for a code of another tool; without `staff` those count who have met its customers."""

    state: State
    name: ChannelTitle
    source: Name
    staff: Annotated[list[Userid], Field(max_length=100)] = Field(default_factory=list)
    tags: Tags = Field(default_factory=list)
    welcome: WelcomeIn = WelcomeIn()
    remark_rule: RemarkRule | None = None
    back_tag: bool = False


class TagForecastOut(BaseModel):
    """How many customers would get the tag; `key` is null for a source tag that is yet to be made."""

    key: str | None
    name: str
    customers: int


class SampleOut(BaseModel):
    external_userid: str
    name: str
    userids: list[str]


class AdoptPreviewOut(BaseModel):
    """`customers` came by the state; the samples are those who came last."""

    customers: int
    tags: list[TagForecastOut]
    samples: list[SampleOut]


class AdoptOut(ChannelOut):
    """`change_set_id` is the parent of all change sets of the back-tagging."""

    change_set_id: int | None


class MediaOut(BaseModel):
    """A file; `sync` says whether WeCom has it at the moment."""

    id: int
    kind: Literal["image", "video", "file"]
    filename: str
    size: int
    sha256: str
    sync: Sync
