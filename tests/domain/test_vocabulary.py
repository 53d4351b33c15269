"""The closed word lists: the order of sources, who counts as a person, and how a contact came in words."""

import pytest

from wecom_app.domain.vocabulary import ADD_WAY_WORDS, RANK, SourceKind, is_person, public_source, source_name


def test_the_order_of_sources_is_the_published_one() -> None:
    ordered = sorted(RANK, key=lambda kind: (-RANK[kind], kind.value))
    assert [kind.value for kind in ordered] == [
        "manual",
        "wecom",
        "campaign",
        "channel",
        "rule",
        "api",
        "import",
        "wecom_link",
    ]


def test_only_people_share_the_highest_rank() -> None:
    assert {kind.value for kind in SourceKind if is_person(kind)} == {"manual", "wecom"}


def test_a_tag_found_at_the_first_link_is_shown_as_from_wecom() -> None:
    assert public_source("wecom_link") == "wecom"


@pytest.mark.parametrize("kind", [kind.value for kind in SourceKind if kind is not SourceKind.WECOM_LINK])
def test_every_other_source_is_shown_under_its_own_name(kind: str) -> None:
    assert public_source(kind) == kind


def test_an_unknown_source_is_refused() -> None:
    with pytest.raises(ValueError, match="not a valid SourceKind"):
        is_person("horoscope")


@pytest.mark.parametrize(("add_way", "words"), [(1, "扫描二维码"), (3, "名片分享"), (4, "群聊"), (202, "管理员分配")])
def test_a_way_of_adding_has_its_words(add_way: int, words: str) -> None:
    assert source_name(add_way) == words


@pytest.mark.parametrize("add_way", [None, 0, -1, 999])
def test_an_unknown_way_of_adding_is_not_recognised(add_way: int | None) -> None:
    assert source_name(add_way) == "来源未识别"


def test_every_way_of_adding_can_be_the_name_of_a_tag() -> None:
    assert all(0 < len(words) <= 30 for words in ADD_WAY_WORDS.values())
