"""Every hard document, whole and growing, against Telegram's rules."""

from __future__ import annotations

import pytest

from telegram_bot.rendering import plain, preview, render, split
from tests.rendering.corpus import documents, prefixes
from tests.rendering.losses import check_nothing_lost
from tests.rendering.telegram_rules import ENTITIES_MAX, check, check_entities, styles

DOCUMENTS = documents()
LIMITS = (4096, 1000, 128)

pytestmark = pytest.mark.parametrize("source", DOCUMENTS.values(), ids=DOCUMENTS.keys())


def test_a_document_rendered_whole_has_legal_entities(source: str) -> None:
    check_entities(render(source))


@pytest.mark.parametrize("limit", LIMITS)
def test_every_part_is_legal_and_fits(source: str, limit: int) -> None:
    for part in split(source, limit):
        check(part, limit)


@pytest.mark.parametrize("limit", LIMITS)
def test_the_parts_put_together_are_the_document(source: str, limit: int) -> None:
    check_nothing_lost(render(source), split(source, limit))


@pytest.mark.parametrize("limit", LIMITS)
def test_a_cut_leaves_every_character_its_styles(source: str, limit: int) -> None:
    parts = split(source, limit)
    if all(len(part.entities) < ENTITIES_MAX for part in parts):
        assert [mark for part in parts for mark in styles(part)] == styles(render(source))


def test_every_growing_draft_is_legal_and_fits(source: str) -> None:
    for prefix in prefixes(source):
        for limit in (LIMITS[0], LIMITS[-1]):
            shown = preview(prefix, limit)
            if shown is not None:
                check(shown, limit)


def test_every_prefix_is_rendered_and_cut_legally(source: str) -> None:
    for prefix in prefixes(source):
        whole = render(prefix)
        check_entities(whole)
        parts = split(prefix)
        for part in parts:
            check(part)
        check_nothing_lost(whole, parts)


def test_the_plain_fallback_is_legal_and_has_every_character_of_the_source(source: str) -> None:
    parts = plain(source)
    for part in parts:
        check(part)
        assert not part.entities
    check_nothing_lost(plain(source, 10**9)[0], parts)
