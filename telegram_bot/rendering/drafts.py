"""The reply while it is written: always a valid message, the newest part of it when it is too long for one."""

from __future__ import annotations

import re
from bisect import bisect_left
from typing import Final

from telegram_bot.rendering.blocks import lay_out
from telegram_bot.rendering.characters import BLANK, clean, cluster_end, is_visible
from telegram_bot.rendering.cutting import LIMIT_MIN, SEAMS
from telegram_bot.rendering.entities import MESSAGE_UNITS_MAX, Rendered
from telegram_bot.rendering.page import Page
from telegram_bot.rendering.unfinished import finish, open_fence

_CUT_OFF: Final = "…\n"
# Of a long draft only this many limits of source are read: Markdown rarely renders to a sixth of itself.
_RECENT_LIMITS: Final = 6
_PARAGRAPH: Final = re.compile(r"\n\n(?=\S)")


def preview(source: str, limit: int = MESSAGE_UNITS_MAX) -> Rendered | None:
    """The unfinished answer as one message of at most `limit` code units; None while there is nothing to see."""
    if limit < LIMIT_MIN:
        raise ValueError(f"a draft of {limit} code units shows nothing")
    source = clean(source)
    recent = _recent(source, limit * _RECENT_LIMITS)
    page = lay_out(finish(recent))
    end = len(page.text.rstrip(BLANK))
    start = 0
    if len(recent) < len(source) or page.units.at(end) > limit:
        start = _tail(page, end, limit - len(_CUT_OFF))
    prefix = _CUT_OFF if start or len(recent) < len(source) else ""
    rendered = page.part(start, end, page.spans, source, prefix)
    return rendered if is_visible(rendered.text[len(prefix) :]) else None


def _recent(source: str, length: int) -> str:
    """The end of a long source, from the beginning of a paragraph or a line; inside code, its fence is opened again."""
    if len(source) <= length:
        return source
    earliest = len(source) - length
    paragraph = _PARAGRAPH.search(source, earliest, earliest + length // 2)
    start = paragraph.end() if paragraph else source.find("\n", earliest) + 1 or earliest
    fence = open_fence(source[:start])
    return source[start:] if fence is None else f"{fence.strip()}\n{source[start:]}"


def _tail(page: Page, end: int, limit: int) -> int:
    """Where the longest end of the page that fits begins: at a block if half a message is left, else further inside."""
    earliest = page.units.reach_back(end, limit)
    enough = page.units.reach_back(end, limit // 2)
    for deepest in range(3):
        borders = [position for position, depth in page.borders if depth <= deepest]
        index = bisect_left(borders, earliest)
        if index < len(borders) and borders[index] <= enough:
            return borders[index]
    for seam in SEAMS:
        match = seam.search(page.text, earliest, enough)
        if match is not None:
            return match.end()
    return cluster_end(page.text, earliest)
