"""Where an answer is cut: at block borders if it can be, inside a word if it must be."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from typing import Final

from telegram_bot.rendering.characters import BLANK, cluster_start, is_visible
from telegram_bot.rendering.entities import ENTITIES_MAX, Rendered
from telegram_bot.rendering.page import Page, Span
from telegram_bot.rendering.sources import SourceMap

# Below this a part could not hold one emoji of several joined ones.
LIMIT_MIN: Final = 64
DEPTHS: Final = 3
# Tried in this order once no border of a block or an item will do; each ends where the next part may start.
SEAMS: Final = (
    re.compile(r"\n[ ]*\n(?![ ])"),
    re.compile(r"\n(?![ ])"),
    re.compile(r"\n"),
    re.compile(r"""[.!?…;]["'»”’)\]]*[ ]|[。！？；]["'»”’」』）]*"""),
    re.compile(r"[ ]"),
)
# Without its address a link says less than its text, and code in running letters cannot be read.
_NEVER_DROPPED: Final = frozenset({"pre", "text_link"})
_SEEN: Final = re.compile(r"[^ \n]")


def cut(page: Page, limit: int) -> tuple[Rendered, ...]:
    """The page as parts of at most `limit` code units; between two parts nothing but blanks is left out."""
    if limit < LIMIT_MIN:
        raise ValueError(f"a part of {limit} code units holds nothing worth sending")
    stretches = list(_Cutter(page, limit).stretches())
    if not stretches:
        return ()
    sources = SourceMap(page).parts([start for start, _ in stretches])
    parts = (
        page.part(start, end, spans, source)
        for (start, end), spans, source in zip(stretches, _spans(page, stretches), sources, strict=True)
    )
    return tuple(part for part in parts if is_visible(part.text))


class _Cutter:
    def __init__(self, page: Page, limit: int) -> None:
        self._page = page
        self._limit = limit
        self._end = len(page.text.rstrip(BLANK))
        self._borders = [
            [position for position, depth in page.borders if depth <= deepest] for deepest in range(DEPTHS)
        ]
        self._starts = [span.start for span in page.spans]
        self._kept = [span.start for span in page.spans if span.type in _NEVER_DROPPED]

    def stretches(self) -> Iterator[tuple[int, int]]:
        """Start and end of every part."""
        start = self._page.seen_from(0)
        while start < self._end:
            end = self._page.units.reach(start, self._limit)
            end = min(self._enough_entities(start, end), self._end)
            if end < self._end:
                end = self._before_heading(start, self._best(start, end))
            yield start, end
            start = self._page.seen_from(end)

    def _enough_entities(self, start: int, end: int) -> int:
        """An earlier end if Telegram would drop a link or a block of code, or looks and the part is half full."""
        # One less than Telegram takes: a link or code may go on from the part before.
        end = min(end, _nth_after(self._kept, start, ENTITIES_MAX - 1, end))
        earlier = min(end, _nth_after(self._starts, start, ENTITIES_MAX, end))
        return earlier if self._full_enough(start, earlier) else end

    def _full_enough(self, start: int, end: int) -> bool:
        return self._page.units.between(start, end) >= self._limit // 2

    def _best(self, start: int, end: int) -> int:
        for borders in self._borders:
            index = bisect_right(borders, end) - 1
            if index >= 0 and borders[index] > start:
                following = borders[index + 1] if index + 1 < len(borders) else self._end
                if self._good(start, borders[index], following):
                    return borders[index]
        text = self._page.text
        for seam in SEAMS:
            position = _last(seam, text, start, end)
            if position is not None and position > start:
                # Looked for no further than a part reaches: whether it comes later does not matter.
                found = seam.search(text, position, min(self._end, position + self._limit + 1))
                following = found.end() if found else min(self._end, position + self._limit + 1)
                if self._good(start, position, following):
                    return position
        return cluster_start(text, end, start)

    def _before_heading(self, start: int, position: int) -> int:
        """The place before the headings a part would end with, unless it has nothing but them."""
        kept = self._page.kept
        earlier = position
        while earlier in kept:
            earlier = kept[earlier]
        return earlier if earlier > start else position

    def _good(self, start: int, position: int, following: int) -> bool:
        """A cut that leaves the part at least half full, or lets what follows stay in one piece."""
        return (
            self._full_enough(start, position) or self._page.units.between(position, following) <= self._limit
        )


def _nth_after(positions: Sequence[int], start: int, count: int, end: int) -> int:
    """The position that `count` others lie before from `start` on; `end` if there is none."""
    index = bisect_left(positions, start) + count
    return positions[index] if index < len(positions) else end


def _last(seam: re.Pattern[str], text: str, start: int, end: int) -> int | None:
    """Where the last seam up to `end` ends; of its blanks, which are left out anyway, some may lie beyond."""
    seen = _SEEN.search(text, start, end)
    if seen is None:
        return None
    position = None
    for match in seam.finditer(text, seen.start(), min(len(text), end + 1)):
        stop = min(match.end(), end) if match[0][-1] in BLANK else match.end()
        if stop > end:
            break
        position = stop
    return position


def _spans(page: Page, stretches: Sequence[tuple[int, int]]) -> Iterator[list[Span]]:
    """The spans of each stretch, those that began in an earlier one included."""
    carried: list[Span] = []
    index = 0
    for _, end in stretches:
        inside = carried
        while index < len(page.spans) and page.spans[index].start < end:
            inside.append(page.spans[index])
            index += 1
        yield inside
        carried = [span for span in inside if span.end > end]
