"""Files in welcome messages: taken in, sent, kept alive for as long as their channel lives; and the default welcome."""

import io
from typing import Any
from urllib.parse import quote

import pytest
from sqlalchemy import func, select
from werkzeug.datastructures import FileStorage
from werkzeug.test import encode_multipart

from tests.flows.company import Company
from wecom_app.models import MediaPiece, Welcome
from wecom_app.services import media

pytestmark = pytest.mark.both

PNG = b"\x89PNG\r\n\x1a\n" + b"picture" * 10
JPEG = b"\xff\xd8\xff\xe0" + b"photo" * 10
MP4 = b"\x00\x00\x00\x18ftypisom" + b"film" * 10
PDF = b"%PDF-1.7 " + b"prices" * 10
UPLOAD = "media/upload"
SEND = "externalcontact/send_welcome_msg"
DAY = 86_400.0


def upload(company: Company, content: bytes, name: str = "海报.png", expect: int = 201, **form: str) -> Any:
    boundary, body = encode_multipart({"file": FileStorage(io.BytesIO(content), name), **form})
    kind = f"multipart/form-data; boundary={boundary}"
    answer = company.client.post("/api/v1/media", data=body, content_type=kind, headers=company.headers)
    assert answer.status_code == expect, answer.get_data(as_text=True)
    return answer.get_json()


def file(kind: str, media_id: int) -> Any:
    return {"msgtype": kind, kind: {"media": media_id}}


def picture_channel(company: Company, **more: Any) -> Any:
    picture = file("image", upload(company, PNG)["id"])
    return company.make_channel(welcome={"text": "您好", "attachments": [picture], **more})


def put_default(company: Company, body: Any, expect: int = 200) -> Any:
    answer = company.client.put("/api/v1/welcome/default", json=body, headers=company.headers)
    assert answer.status_code == expect, answer.get_data(as_text=True)
    return answer.get_json()


def received(company: Company) -> list[tuple[str, list[bytes]]]:
    """Return text and files of the welcomes that reached customers, as their phones would load them."""
    world = company.simulator.world
    return [
        (
            item["text"],
            [world.media.get(media_id, world.now()).content for media_id in wecom_ids(item["attachments"])],
        )
        for item in company.wecom_state()["welcomes"]
        if item["sent_at"]
    ]


def wecom_ids(attachments: list[Any]) -> list[str]:
    parts = [item[item["msgtype"]] for item in attachments]
    return [part.get("media_id") or part.get("pic_media_id") for part in parts]


def scan(company: Company, channel: Any) -> None:
    company.simulator.scan(channel["config_id"])
    company.settle()


def last_welcome(company: Company) -> Any:
    with company.runtime.read() as session:
        return session.execute(select(Welcome).order_by(Welcome.id.desc()).limit(1)).scalar_one()


def test_the_same_file_under_one_name_is_kept_once(company: Company) -> None:
    first, again = upload(company, PNG), upload(company, PNG)
    other_name = upload(company, PNG, "另一张.png")

    assert first["id"] == again["id"] != other_name["id"]
    assert (first["kind"], first["filename"], first["size"]) == ("image", "海报.png", len(PNG))
    with company.runtime.read() as session:
        assert session.execute(select(func.count()).select_from(MediaPiece)).scalar_one() == 1


def content(company: Company, media_id: int, **headers: str) -> Any:
    return company.client.get(f"/api/v1/media/{media_id}/content", headers={**company.headers, **headers})


@pytest.mark.parametrize(
    ("sent", "filename", "mimetype"),
    [(PNG, "海报.png", "image/png"), (MP4, "开箱.mp4", "video/mp4"), (PDF, "价目表.pdf", "application/octet-stream")],
)
def test_a_file_is_given_back_as_it_came(company: Company, sent: bytes, filename: str, mimetype: str) -> None:
    body = sent + b"x" * (2 * media.MEGABYTE - len(sent))
    kept = upload(company, body, filename)

    answer = content(company, kept["id"])

    assert (answer.status_code, answer.data, answer.mimetype) == (200, body, mimetype)
    disposition = answer.headers["Content-Disposition"]
    assert disposition.startswith("attachment; ")
    assert disposition.endswith(f"filename*=UTF-8''{quote(filename)}")
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    again = content(company, kept["id"], **{"If-None-Match": answer.headers["ETag"]})
    assert (again.status_code, again.data) == (304, b"")
    assert content(company, 999).status_code == 404
    assert company.client.get(f"/api/v1/media/{kept['id']}/content").status_code == 401


def test_what_wecom_would_refuse_is_refused_with_what_to_do(company: Company) -> None:
    refused = [
        (b"", {}, "重新选择"),
        (b"GIF89a" + b"x" * 20, {"kind": "image"}, "JPG 或 PNG"),
        (b"\x00\x00\x00\x14ftypqt  " + b"x" * 20, {"kind": "video"}, "MP4"),
        (PNG + b"x" * 2 * media.MEGABYTE, {}, "2 MB"),
        (MP4 + b"x" * 10 * media.MEGABYTE, {}, "10 MB"),
        (PDF + b"x" * 20 * media.MEGABYTE, {}, "20 MB"),
        (PDF, {"kind": "voice"}, "kind"),
    ]
    for content, form, words in refused:
        assert words in upload(company, content, expect=422, **form)["message"]


def test_only_the_upload_takes_large_bodies(company: Company) -> None:
    assert upload(company, MP4 + b"x" * 3 * media.MEGABYTE, "开箱.mp4")["kind"] == "video"
    channel = {"name": "x" * 2 * media.MEGABYTE}
    assert company.post("/channels", channel, expect=413)["error"] == "too_large"


def test_nine_attachments_of_all_kinds_arrive(company: Company) -> None:
    picture, photo = upload(company, PNG)["id"], upload(company, JPEG, "photo.jpg")["id"]
    film, prices = upload(company, MP4, "开箱.mp4")["id"], upload(company, PDF, "报价单.pdf")["id"]
    program = {"title": "商城", "appid": "wx1", "page": "pages/index", "pic_media": picture}
    attachments = [
        {"msgtype": "miniprogram", "miniprogram": program},
        *(file("image", picture), file("image", photo), file("video", film), file("file", prices)),
        *(file("image", photo), file("image", picture), file("file", prices), file("video", film)),
    ]
    channel = company.make_channel(welcome={"text": "您好", "attachments": attachments})

    scan(company, channel)

    contents = [PNG, PNG, JPEG, MP4, PDF, JPEG, PNG, PDF, MP4]
    assert received(company) == [("您好", contents)]


def test_customers_see_a_file_under_its_own_name(company: Company) -> None:
    prices = upload(company, PDF, "报价单 2026.pdf")
    channel = company.make_channel(welcome={"attachments": [file("file", prices["id"])]})

    scan(company, channel)

    (welcome,) = [item for item in company.wecom_state()["welcomes"] if item["sent_at"]]
    (wecom_id,) = wecom_ids(welcome["attachments"])
    assert company.simulator.world.media.get(wecom_id, company.clock.now()).filename == "报价单 2026.pdf"


def test_attachments_that_cannot_be_sent_are_refused_when_saved(company: Company) -> None:
    picture = upload(company, PNG)["id"]
    body = {"name": "海报", "source": "门店", "staff": ["zhang"]}
    for attachments in ([file("image", 999)], [file("video", picture)], [file("image", picture)] * 10):
        welcome = {"text": "您好", "attachments": attachments}
        assert "welcome" in company.post("/channels", {**body, "welcome": welcome}, expect=422)["details"]


def test_a_file_uploaded_while_wecom_is_down_reaches_it_later(company: Company) -> None:
    company.simulator.faults.add(UPLOAD, "down", for_s=60)
    picture = upload(company, PNG)
    company.make_channel(welcome={"text": "您好", "attachments": [file("image", picture["id"])]})
    assert company.get(f"/media/{picture['id']}")["sync"]["state"] == "pending"

    company.settle_later(150, step=30)

    assert company.get(f"/media/{picture['id']}")["sync"]["state"] == "synced"


def test_a_file_that_wecom_refuses_says_so(company: Company) -> None:
    company.simulator.faults.add(UPLOAD, "errcode", errcode=40009)
    picture = upload(company, PNG)

    company.make_channel(welcome={"text": "您好", "attachments": [file("image", picture["id"])]})

    sync = company.get(f"/media/{picture['id']}")["sync"]
    assert (sync["state"], "40009" in sync["reason"]) == ("failed", True)


def test_after_thirty_days_at_a_standstill_a_scan_still_gets_its_picture(company: Company) -> None:
    channel = picture_channel(company)
    company.clock.advance(30 * DAY)

    scan(company, channel)

    assert received(company) == [("您好", [PNG])]
    record = last_welcome(company)
    assert record.finished_at < record.deadline_at


def test_through_thirty_days_the_picture_is_alive_without_anybody_scanning(company: Company) -> None:
    channel = picture_channel(company)
    for _ in range(30):
        company.clock.advance(DAY)
        company.settle()
    company.simulator.calls.clear()

    scan(company, channel)

    assert received(company) == [("您好", [PNG])]
    assert not company.simulator.calls.of(UPLOAD)


def test_the_picture_of_an_archived_channel_is_kept_alive(company: Company) -> None:
    channel = picture_channel(company)
    company.post(f"/channels/{channel['id']}/archive", {}, expect=200)
    company.clock.advance(2.5 * DAY)
    company.simulator.calls.clear()

    company.settle()

    assert len(company.simulator.calls.of(UPLOAD)) == 1


def test_a_picture_that_no_channel_uses_is_let_go(company: Company) -> None:
    channel = picture_channel(company)
    answer = company.client.patch(
        f"/api/v1/channels/{channel['id']}", json={"welcome": {"text": "您好"}}, headers=company.headers
    )
    assert answer.status_code == 200
    company.simulator.calls.clear()

    company.settle_later(30 * DAY, step=10 * DAY)

    assert not company.simulator.calls.of(UPLOAD)


def test_use_renews_a_picture_with_less_than_a_day_left(company: Company) -> None:
    channel = picture_channel(company)
    with company.runtime.write() as session:
        (sweep,) = [
            job for job in company.runtime.queue.list_jobs(session, state="waiting").items if job.kind == "media.renew"
        ]
        assert company.runtime.queue.cancel(session, sweep.id)
    company.clock.advance(2.5 * DAY)
    company.simulator.calls.clear()

    scan(company, channel)

    calls = [call.api for call in company.simulator.calls if call.api in (UPLOAD, SEND)]
    assert calls == [SEND, UPLOAD]


def test_a_media_id_that_wecom_has_lost_is_replaced_in_time(company: Company) -> None:
    channel = picture_channel(company)
    company.simulator.world.media._files.clear()

    scan(company, channel)

    assert received(company) == [("您好", [PNG])]


def test_with_a_media_id_refused_for_good_the_text_goes_alone_and_says_so(company: Company) -> None:
    link = {"msgtype": "link", "link": {"title": "手册", "url": "https://example.com"}}
    picture = file("image", upload(company, PNG)["id"])
    channel = company.make_channel(welcome={"text": "您好", "attachments": [picture, link]})
    company.simulator.faults.add(SEND, "errcode", errcode=40007, times=2)

    scan(company, channel)

    (welcome,) = [item for item in company.wecom_state()["welcomes"] if item["sent_at"]]
    assert (welcome["text"], welcome["attachments"]) == ("您好", [link])
    assert last_welcome(company).status == "sent"
    assert "海报.png" in last_welcome(company).reason


def test_when_the_upload_hangs_the_text_is_still_in_time(company: Company) -> None:
    channel = picture_channel(company)
    company.clock.advance(30 * DAY)
    company.simulator.faults.add(UPLOAD, "timeout")

    scan(company, channel)

    assert received(company) == [("您好", [])]
    assert "海报.png" in last_welcome(company).reason


def test_an_upload_that_fails_once_is_tried_again_before_the_welcome_goes(company: Company) -> None:
    channel = picture_channel(company)
    company.clock.advance(30 * DAY)
    company.simulator.faults.add(UPLOAD, "errcode", errcode=-1, times=1)

    company.simulator.scan(channel["config_id"])
    company.settle_later(5, step=1)

    assert received(company) == [("您好", [PNG])]


def test_a_welcome_of_nothing_but_a_lost_picture_is_recorded_as_failed(company: Company) -> None:
    channel = company.make_channel(welcome={"attachments": [file("image", upload(company, PNG)["id"])]})
    company.clock.advance(30 * DAY)
    company.simulator.faults.add(UPLOAD, "errcode", errcode=40009)

    scan(company, channel)

    assert last_welcome(company).status == "failed"
    assert not company.simulator.calls.of(SEND)


def test_the_default_welcome_speaks_where_a_channel_has_none(company: Company) -> None:
    picture = file("image", upload(company, PNG)["id"])
    saved = put_default(company, {"text": "欢迎来到{channel_name}", "attachments": [picture]})
    silent = company.make_channel(welcome={}, name="门店海报")

    scan(company, silent)

    assert received(company) == [("欢迎来到门店海报", [PNG])]
    assert company.get("/welcome/default") == saved


def test_the_default_welcome_speaks_to_contacts_from_outside_channels(company: Company) -> None:
    put_default(company, {"text": "{customer_name}您好"})

    company.simulator.act("zhang", "add", add_way=3, name="名片客户")
    company.settle()

    assert received(company) == [("名片客户您好", [])]


def test_a_channels_own_welcome_goes_before_the_default(company: Company) -> None:
    put_default(company, {"text": "默认"})

    scan(company, company.make_channel())

    assert received(company) == [("您好", [])]


def test_a_default_welcome_that_cannot_be_sent_is_refused(company: Company) -> None:
    put_default(company, {"text": "您好"})

    put_default(company, {"text": "{nickname}您好"}, expect=422)

    assert company.get("/welcome/default")["text"] == "您好"
