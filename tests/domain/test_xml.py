"""The XML reader takes WeCom's messages and refuses whatever could do harm."""

import contextlib
import sys
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wecom_app.domain import xml

BOMB = (
    '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">'
    '<!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;">]><xml><A>&c;</A></xml>'
)
HARMFUL = {
    "entity bomb": BOMB,
    "external entity": '<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]><xml><A>&a;</A></xml>',
    "parameter entity": '<!DOCTYPE x [<!ENTITY % a SYSTEM "http://127.0.0.1:9/x"> %a;]><xml/>',
    "external document type": '<!DOCTYPE x SYSTEM "http://127.0.0.1:9/x.dtd"><xml/>',
    "public document type": '<!DOCTYPE x PUBLIC "a" "http://127.0.0.1:9/x.dtd"><xml/>',
    "bare document type": "<!DOCTYPE x><xml/>",
    "processing instruction": "<?xml-stylesheet href='http://127.0.0.1:9/x'?><xml/>",
    "instruction inside": "<xml><?php echo 1 ?></xml>",
    "undefined entity": "<xml><A>&nbsp;</A></xml>",
}


def test_a_message_becomes_a_dict_of_texts() -> None:
    text = "<xml><Event><![CDATA[change_external_tag]]></Event><CreateTime>1</CreateTime><Id/></xml>"
    assert xml.parse(text) == {"Event": "change_external_tag", "CreateTime": "1", "Id": ""}


def test_repeated_elements_become_a_list_and_nested_ones_dicts() -> None:
    text = (
        "<xml><SelectedItems><SelectedItem><QuestionKey>q1</QuestionKey><OptionIds><OptionId>a</OptionId>"
        "<OptionId>b</OptionId></OptionIds></SelectedItem><SelectedItem><QuestionKey>q2</QuestionKey>"
        "</SelectedItem></SelectedItems></xml>"
    )
    first = {"QuestionKey": "q1", "OptionIds": {"OptionId": ["a", "b"]}}
    assert xml.parse(text) == {"SelectedItems": {"SelectedItem": [first, {"QuestionKey": "q2"}]}}


def test_three_repeated_elements_keep_their_order() -> None:
    assert xml.parse("<xml><A>1</A><A>2</A><B>x</B><A>3</A></xml>") == {"A": ["1", "2", "3"], "B": "x"}


def test_text_is_kept_as_it_stands() -> None:
    text = "<xml>\n <A> x &lt;b&gt; &#20013; <!-- left out -->😀<![CDATA[<&]]> </A>\n</xml>"
    assert xml.parse(text) == {"A": " x <b> 中 😀<& "}


def test_bytes_and_a_utf8_declaration_are_taken() -> None:
    assert xml.parse('<?xml version="1.0" encoding="utf-8"?><xml><A>中</A></xml>'.encode()) == {"A": "中"}


@pytest.mark.parametrize("empty", ["<xml/>", "<xml></xml>", "<xml> \n </xml>"])
def test_an_empty_root_is_an_empty_dict(empty: str) -> None:
    assert xml.parse(empty) == {}


def test_depth_eight_is_taken_and_nine_refused() -> None:
    def nested(depth: int) -> str:
        return "<a>" * depth + "</a>" * depth

    assert xml.parse(nested(8), max_depth=8)
    with pytest.raises(ValueError, match="too deep"):
        xml.parse(nested(9), max_depth=8)


def test_more_elements_than_allowed_are_refused() -> None:
    assert len(xml.parse("<xml>" + "<a/>" * 9 + "</xml>", max_elements=10)["a"]) == 9
    with pytest.raises(ValueError, match="too many"):
        xml.parse("<xml>" + "<a/>" * 10 + "</xml>", max_elements=10)


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "x",
        "<xml>",
        "<xml></lmx>",
        "<a/><b/>",
        "<xml>text</xml>",
        "<xml>text<A/></xml>",
        "<xml>\0</xml>",
    ],
)
def test_what_is_not_a_plain_document_is_refused(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  the texts differ, the type is the contract
        xml.parse(text)


@pytest.mark.parametrize(
    "data",
    [
        '<?xml version="1.0" encoding="UTF-16"?><xml/>'.encode("utf-16"),
        "<xml><A>1</A></xml>".encode("utf-16-le"),
        b'<?xml version="1.0" encoding="UTF-7"?><xml>+ADw-</xml>',
        b'<?xml version="1.0" encoding="GBK"?><xml><A>plain</A></xml>',
        b'<?xml version="1.0" encoding="ISO-8859-1"?><xml><A>\xe9</A></xml>',
        "<xml><A>中</A></xml>".encode("gbk"),
        b"<xml>\xed\xa0\x80</xml>",
        "<xml>\ud800</xml>",
        None,
        7,
    ],
)
def test_other_encodings_and_types_are_refused(data: object) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  the texts differ, the type is the contract
        xml.parse(data)


WATCHED = ("open", "socket.connect", "socket.getaddrinfo", "urllib.Request", "os.open")
seen_by_hook: list[str] = []
hook_state = {"on": False, "installed": False}


def _hook(event: str, _arguments: object) -> None:
    if hook_state["on"] and event in WATCHED:
        seen_by_hook.append(event)


@pytest.fixture
def opened_things() -> Iterator[list[str]]:
    """What the interpreter opens or connects to meanwhile; audit hooks cannot be taken away again."""
    if not hook_state["installed"]:
        sys.addaudithook(_hook)
        hook_state["installed"] = True
    seen_by_hook.clear()
    hook_state["on"] = True
    yield seen_by_hook
    hook_state["on"] = False


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-7"])
@pytest.mark.parametrize("text", HARMFUL.values(), ids=HARMFUL)
def test_harmful_documents_are_refused_and_open_nothing(
    text: str, encoding: str, request: pytest.FixtureRequest
) -> None:
    data = text.encode(encoding)  # before watching: Python opens files to find a codec
    opened: list[str] = request.getfixturevalue("opened_things")
    with pytest.raises(ValueError):  # noqa: PT011  the texts differ, the type is the contract
        xml.parse(data)
    assert opened == []


@given(st.one_of(st.text(max_size=300), st.binary(max_size=300)))
@settings(max_examples=500, deadline=None)
def test_any_input_gives_a_dict_or_a_value_error(data: str | bytes) -> None:
    with contextlib.suppress(ValueError):
        assert isinstance(xml.parse(data), dict)
