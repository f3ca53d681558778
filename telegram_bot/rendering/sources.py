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
        """The source of each part, given where the parts start.

        Together they are the whole source; a fence that is cut is closed in one part and opened again in the next.
        """
        cuts = [0]
        fences = [""]
        for previous, start in pairwise(starts):
            anchor = self._anchor(start)
            offset = self._offset(anchor, start, previous, cuts[-1]) if anchor else 0
            cuts.append(max(cuts[-1], offset))
            fences.append(anchor.fence or "" if anchor else "")
        return [
            _fenced(self._page.source[start:end].strip("\n"), opened, closed)
            for (start, end), opened, closed in zip(
                pairwise([*cuts, len(self._page.source)]), fences, [*fences[1:], ""], strict=True
            )
        ]

    def _anchor(self, position: int) -> Anchor | None:
        index = bisect_right(self._page.anchors, position, key=_position) - 1
        return self._page.anchors[index] if index >= 0 else None

    def _offset(self, anchor: Anchor, position: int, cut: int, cut_offset: int) -> int:
        """The offset of a position, from its anchor or from the cut before it, whichever is nearer."""
        if anchor.fence is not None:
            return self._in_code(anchor, position)
        known = max((anchor.position, self._offsets[anchor.line]), (cut, cut_offset))
        return self._follow(*known, position)

    def _in_code(self, anchor: Anchor, position: int) -> int:
        """Lines of code correspond one to one; within a line what stands before the position is looked for."""
        text, source = self._page.text, self._page.source
        line = anchor.line + text.count("\n", anchor.position, position)
        before = text[max(text.rfind("\n", 0, position) + 1, anchor.position) : position]
        found = source.find(before, self._offsets[line], self._offsets[line + 1])
        return self._offsets[line] if found < 0 or not before else found + len(before)

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


def _fenced(source: str, opened: str, closed: str) -> str:
    """The source with the fence it starts in opened and the fence it ends in closed."""
    marks = closed[: len(closed) - len(closed.lstrip(closed[:1]))]
    return "\n".join(part for part in (opened, source, marks) if part)


def _position(anchor: Anchor) -> int:
    return anchor.position
