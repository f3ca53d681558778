"""Which source each part of a page came from: what is sent instead of a part Telegram refuses."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from itertools import pairwise
from typing import Final

from telegram_bot.rendering.page import Anchor, Page

# How far ahead a word of the page is looked for in the source: past a link's address or a formula.
_AHEAD_MAX: Final = 2000


class SourceMap:
    """Cuts a page's source where the page is cut."""

    def __init__(self, page: Page) -> None:
        self._page = page
        self._offsets = [0]
        for line in page.source.split("\n"):
            self._offsets.append(self._offsets[-1] + len(line) + 1)

    def parts(self, starts: Sequence[int]) -> list[str]:
        """The source of each part, given where the parts start; together they are the whole source."""
        cuts = [0]
        previous = (0, 0)
        for start in starts[1:]:
            cuts.append(max(cuts[-1], self._offset(start, previous)))
            previous = (start, cuts[-1])
        return [
            self._page.source[start:end].strip("\n")
            for start, end in pairwise([*cuts, len(self._page.source)])
        ]

    def _offset(self, position: int, previous: tuple[int, int]) -> int:
        anchors = self._page.anchors
        index = bisect_right(anchors, position, key=_position) - 1
        if index < 0:
            return 0
        anchor = anchors[index]
        if anchor.verbatim:
            lines = self._page.text.count("\n", anchor.position, position)
            return self._offsets[anchor.line + lines]
        known = max((anchor.position, self._offsets[anchor.line]), previous)
        return self._follow(*known, position)

    def _follow(self, known: int, offset: int, position: int) -> int:
        """Go along the page word by word from a known place, finding each in the source."""
        source = self._page.source
        for word in self._page.text[known:position].split():
            found = source.find(word, offset, offset + len(word) + _AHEAD_MAX)
            if found >= 0:
                offset = found + len(word)
        while offset < len(source) and source[offset] in " \n":
            offset += 1
        return offset


def _position(anchor: Anchor) -> int:
    return anchor.position
