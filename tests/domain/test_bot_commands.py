"""What members say is understood however their keyboards write it; nothing makes the parser fail."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from wecom_app.domain.bot_commands import WORDS, Command, Kind, TagEdit, fold, parse, write_edit


def edit(customer: str, add: str = "", remove: str = "") -> TagEdit:
    return TagEdit(customer, tuple(add.split()), tuple(remove.split()))


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        ("帮助", Kind.HELP),
        ("?", Kind.HELP),
        ("？", Kind.HELP),
        (" HELP ", Kind.HELP),
        ("更多", Kind.MORE),
        ("更多。", Kind.MORE),
        ("撤销！", Kind.UNDO),
        ("今日未打标", Kind.UNTAGGED),
        ("待办", Kind.TODO),
        ("上班", Kind.ON_DUTY),
        ("下班", Kind.OFF_DUTY),
        ("", Kind.UNKNOWN),
        ("   \n", Kind.UNKNOWN),
        ("长" * 65, Kind.UNKNOWN),
        ("标签", Kind.CUSTOMER),
        ("标签女王", Kind.CUSTOMER),
    ],
)
def test_words_have_their_meaning(said: str, kind: Kind) -> None:
    assert parse(said).kind is kind


@pytest.mark.parametrize("said", ["2", "２", "2.", "2、", "第2个", "第 2 位", "2号"])
def test_a_number_is_a_choice(said: str) -> None:
    assert (parse(said).kind, parse(said).number) == (Kind.CHOICE, 2)


@pytest.mark.parametrize("said", ["2月", "100021", "2 3", "二"])
def test_what_only_begins_like_a_number_is_a_name(said: str) -> None:
    assert parse(said) == Command(Kind.CUSTOMER, name=said)


def test_a_customer_may_be_called_like_a_command() -> None:
    assert parse("客户 待办") == Command(Kind.CUSTOMER, name="待办", explicit=True)
    assert parse("客户：林 晓芸").name == "林 晓芸"


@pytest.mark.parametrize(
    ("said", "reading"),
    [
        ("标签 林晓芸", edit("林晓芸")),
        ("标签 林晓芸 +高意向 -观望", edit("林晓芸", "高意向", "观望")),
        ("标签 林晓芸 ＋高意向 －观望", edit("林晓芸", "高意向", "观望")),
        ("标签　林晓芸　+ 高意向　−　观望", edit("林晓芸", "高意向", "观望")),
        ("标签:林晓芸 +高意向，+护肤", edit("林晓芸", "高意向 护肤")),
        ("标签 林晓芸 +意向/高意向", edit("林晓芸", "意向/高意向")),
        ("标签 Mary Anne 🌻 +高意向", edit("Mary Anne 🌻", "高意向")),
        ("标签 A-Lin +A-B", edit("A-Lin", "A-B")),
        ("标签 林晓芸 +高意向 +高意向", edit("林晓芸", "高意向")),
        ("标签 林晓芸 + -", edit("林晓芸")),
    ],
)
def test_tags_are_read(said: str, reading: TagEdit) -> None:
    assert parse(said).edits[0] == reading


def test_signs_without_spaces_are_a_second_reading() -> None:
    assert parse("标签 林晓芸+高意向-观望").edits == (edit("林晓芸+高意向-观望"), edit("林晓芸", "高意向", "观望"))


def test_signs_without_a_name_name_nobody() -> None:
    assert parse("标签 +高意向").edits == ()


def test_every_command_of_the_help_is_understood() -> None:
    assert {parse(word.example).kind for word in WORDS} == {word.kind for word in WORDS}
    assert all(parse(word.example).kind is word.kind for word in WORDS)


@given(st.text(max_size=300))
@example("标签 +")
@example("标签 \x00 +\ud800")
@example("第")
def test_the_parser_never_fails(said: str) -> None:
    found = parse(said)
    assert len(found.name) <= 200
    for reading in found.edits:
        assert reading.customer.strip()


NAME = st.text(
    st.characters(exclude_categories=["Cs", "Cc", "Zs", "Zl", "Zp"], exclude_characters=",，、;；"),
    min_size=1,
    max_size=12,
).filter(lambda text: text[0] not in "+＋﹢-－−﹣:：" and not text.isspace())
SPACED = st.lists(NAME, min_size=1, max_size=3).map(" ".join).filter(lambda text: " ".join(text.split()) == text)


@given(SPACED, st.lists(SPACED, max_size=3, unique=True), st.lists(SPACED, max_size=3, unique=True))
@example("Mary Anne 🌻", ["高意向"], ["观望 者"])
def test_names_with_spaces_and_emoji_come_back_as_they_were(customer: str, add: list[str], remove: list[str]) -> None:
    wanted = TagEdit(customer, tuple(add), tuple(remove))
    assert parse(write_edit(wanted)).edits[0] == wanted


@given(st.text(max_size=40))
def test_folding_twice_changes_nothing_more(text: str) -> None:
    assert fold(fold(text)) == fold(text)
