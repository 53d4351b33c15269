"""File names reach WeCom in a form that it takes."""

import pytest

from tests.adapters.wecom.far_side import FarSide, ok
from wecom_app.adapters.wecom.gateway import Gateway
from wecom_app.adapters.wecom.uploads import upload_name


@pytest.mark.parametrize(
    ("kind", "filename", "sent"),
    [
        ("image", "cover.png", "cover.png"),
        ("image", "封面.png", "image.png"),
        ("video", "介绍", "video"),
        ("image", "图.图片", "image"),
        ("file", "报价单.pdf", "报价单.pdf"),
        ("file", 'a"b\r\nc/../d\0.txt', "a_b__c_.._d_.txt"),
        ("file", "", "file"),
        ("image", "...", "image"),
        ("file", "\ud800.txt", "?.txt"),
        ("file", "长" * 200 + ".pdf", "长" * 96 + ".pdf"),
    ],
)
def test_names_are_made_safe(kind: str, filename: str, sent: str) -> None:
    assert upload_name(kind, filename) == sent


def test_the_file_goes_into_the_part_named_media(scripted: Gateway, far_side: FarSide) -> None:
    far_side.answer("media/upload", ok(media_id="m1", created_at="1"))
    assert scripted.upload_media("file", "报价单.pdf", b"%PDF-1.7 content") == "m1"
    call = far_side.last("media/upload")
    assert call.query["type"] == "file"
    assert call.content_type.startswith("multipart/form-data; boundary=")
    assert 'name="media"; filename="报价单.pdf"'.encode() in call.body
    assert b"%PDF-1.7 content" in call.body
