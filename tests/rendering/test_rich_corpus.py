"""Every hard document, whole and growing, as rich messages: what the strict stand-in takes, and nothing lost."""

from __future__ import annotations

import json
from typing import Any

import pytest
from aiogram.types import InputRichMessage

from telegram_bot.playground.files import FileStore
from telegram_bot.playground.rich import rich_message
from telegram_bot.rendering import is_rich, render
from telegram_bot.rendering.composing import Part, Rich, compose, enrich, rich_preview
from tests.rendering.corpus import documents, prefixes
from tests.rendering.losses_rich import check_every_word_is_read
from tests.rendering.telegram_rules import check

DOCUMENTS = documents()
PREVIEW = 2000
STYLES = {"bold", "italic", "strikethrough", "spoiler", "code", "url"}
CUT = {"table-of-520-rows"}  # a table that is cut has its header in each part

pytestmark = pytest.mark.parametrize("source", DOCUMENTS.values(), ids=DOCUMENTS.keys())


def take(rich: Rich, *, is_draft: bool = False) -> dict[str, Any]:
    """Hand it over the wire to the stand-in; fail unless it is taken and read as it was meant."""
    given = InputRichMessage.model_validate_json(rich.message.model_dump_json(exclude_none=True))
    assert given == rich.message
    return rich_message(given, FileStore(), {}, is_draft=is_draft)


def check_part(part: Part) -> None:
    """Fail unless Telegram takes it."""
    if isinstance(part, Rich):
        take(part)
    else:
        check(part)


def test_every_part_is_taken_and_every_word_is_read(source: str) -> None:
    parts = enrich(source)
    for part in parts:
        check_part(part)
    check_every_word_is_read(source, parts)
    assert bool(parts) == bool(render(source).text.strip())


def test_no_text_has_more_than_two_styles_at_once(source: str) -> None:
    """aiogram tries its 26 kinds of rich text at every level: deeper ones would take it seconds to read back."""
    for part in enrich(source):
        if isinstance(part, Rich):
            assert _levels(json.loads(part.message.model_dump_json(exclude_none=True))["blocks"]) <= 2


def test_the_sources_of_the_parts_are_the_source(source: str, request: pytest.FixtureRequest) -> None:
    parts = enrich(source)
    if all(isinstance(part, Rich) for part in parts) and not any(name in request.node.name for name in CUT):
        assert _dense("".join(part.source for part in parts)) == _dense(
            render(source).source if parts else ""
        )


def test_every_prefix_is_taken_and_every_word_of_it_is_read(source: str) -> None:
    for prefix in prefixes(source):
        rich, auto = compose(prefix, "rich"), compose(prefix, "auto")
        for part in rich:
            check_part(part)
        check_every_word_is_read(prefix, rich)
        if is_rich(prefix, "auto"):
            assert auto == rich
        else:
            assert auto == compose(prefix, "classic")
            for part in auto:
                check_part(part)


def test_every_growing_draft_is_taken(source: str) -> None:
    for prefix in prefixes(source):
        shown = rich_preview(prefix, PREVIEW)
        if shown is not None:
            take(shown, is_draft=True)


def _levels(node: Any) -> int:
    """How many styles lie over each other at most."""
    if isinstance(node, list):
        return max(map(_levels, node), default=0)
    if not isinstance(node, dict):
        return 0
    inside = max(map(_levels, node.values()), default=0)
    return inside + (node.get("type") in STYLES)


def _dense(text: str) -> str:
    return "".join(text.split())
