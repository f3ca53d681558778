"""What a model said, and whether it is a title."""

import pytest

from conversations.titles import EXAMPLES, title_in


@pytest.mark.parametrize(
    ("said", "title"),
    [
        ("Why the sky is blue", "Why the sky is blue"),
        ("  «Почему небо голубое».\n", "Почему небо голубое"),
        ('"Rent contract, translated"', "Rent contract, translated"),
        ("**Title: Boiling an egg**", "Boiling an egg"),
        ("Название — Поход в горы", "Поход в горы"),
        ("天空为什么是蓝色的", "天空为什么是蓝色的"),
    ],
)
def test_a_title_is_kept_bare(said: str, title: str) -> None:
    assert title_in(said) == title


@pytest.mark.parametrize(
    "said",
    [
        "",
        "   \n ",
        "…",
        "LABEL",
        "Title",
        "Untitled.",
        "Новая беседа",
        "[title here]",
        "<title>",
        "Here is a title:\nThe sky",
        "This is a conversation in which a person asks why the sky is blue",
        "x" * 129,
        "line\x00feed",
        *EXAMPLES,
    ],
)
def test_what_is_no_title_is_none(said: str) -> None:
    assert title_in(said) == ""
