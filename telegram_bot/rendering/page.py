"""A page: the text of one answer as it is laid out, with its styling and the places where it may be cut."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from telegram_bot.rendering.characters import BLANK, NO_BREAK_SPACE
from telegram_bot.rendering.entities import ENTITIES_MAX, Entity, EntityType, Rendered, Units

# What is let go first when a part has more than Telegram's hundred entities: looks before meaning.
_WORTH: Final[dict[EntityType, int]] = {
    "pre": 0,
    "text_link": 1,
    "blockquote": 2,
    "expandable_blockquote": 2,
    "spoiler": 2,
    "code": 3,
    "bold": 4,
    "strikethrough": 5,
    "italic": 6,
}
BETWEEN_BLOCKS: Final = "\n\n"
_LINE_ENDS_MAX: Final = len(BETWEEN_BLOCKS)
_BLANKS: Final = re.compile(r"[ \n]*")
_BLANK_LINES: Final = re.compile(r"(?:[ ]*\n)*")


class Span(NamedTuple):
    """A styled stretch of the page, in positions of its text."""

    start: int
    end: int
    type: EntityType
    url: str | None = None
    language: str | None = None


class Anchor(NamedTuple):
    """A position of the page and the source line it was made from.

    In code, where lines correspond one to one from here on, `fence` is the line that opens it, or empty if it is
    only indented; elsewhere it is None.
    """

    position: int
    line: int
    fence: str | None


@dataclass(frozen=True, slots=True)
class Page:
    """A laid out answer; spans, borders and anchors are in the order of the text."""

    source: str
    text: str
    units: Units
    spans: tuple[Span, ...]
    code: tuple[tuple[int, int], ...]  # the stretches of the spans where indentation counts
    borders: tuple[tuple[int, int], ...]  # (position, depth): 0 between blocks, 1 between items, 2 deeper
    anchors: tuple[Anchor, ...]
    kept: dict[int, int]  # a border behind a heading: the place before the heading, where to cut instead

    def whole(self) -> Rendered:
        """The page as it is, with every entity it has."""
        return self._rendered(0, len(self.text), self.spans, self.source, None)

    def part(self, start: int, end: int, spans: Iterable[Span], source: str, prefix: str = "") -> Rendered:
        """The stretch as a message of its own, with no more entities than Telegram takes."""
        return self._rendered(start, end, spans, source, ENTITIES_MAX, prefix)

    def _rendered(
        self, start: int, end: int, spans: Iterable[Span], source: str, most: int | None, prefix: str = ""
    ) -> Rendered:
        start = self.seen_from(start)
        text = self.text[start:end].rstrip(BLANK)
        end = start + len(text)
        inside = [clipped for span in spans if (clipped := _clip(self.text, span, start, end)) is not None]
        if most is not None and len(inside) > most:
            inside = sorted(inside, key=_worth)[:most]
        inside.sort(key=_place)
        indented = [span.start for span in inside if span.type == "pre" and self.text[span.start] == " "]
        if indented:
            # Telegram trims the indentation a block begins with, unless its first blank does not break.
            letters = list(text)
            for position in indented:
                letters[position - start] = NO_BREAK_SPACE
            text = "".join(letters)
        base = self.units.at(start) - len(prefix)
        entities = tuple(_entity(span, self.units, base) for span in inside)
        return Rendered(prefix + text, entities, source)

    def seen_from(self, position: int) -> int:
        """The next position with something to see; the indentation of code belongs to it."""
        position = _after(_BLANK_LINES, self.text, position)
        return position if self._in_code(position) else _after(_BLANKS, self.text, position)

    def _in_code(self, position: int) -> bool:
        index = bisect_right(self.code, (position, len(self.text) + 1)) - 1
        return index >= 0 and position < self.code[index][1]


def joined(pages: Sequence[Page]) -> Page:
    """Pages of successive blocks as one; for showing only, it knows no sources."""
    spans: list[Span] = []
    borders: list[tuple[int, int]] = []
    kept: dict[int, int] = {}
    base = 0
    for page in pages:
        if base:
            borders.append((base, 0))
        spans += [span._replace(start=span.start + base, end=span.end + base) for span in page.spans]
        borders += [(position + base, depth) for position, depth in page.borders]
        kept |= {position + base: start + base for position, start in page.kept.items()}
        base += len(page.text) + len(BETWEEN_BLOCKS)
    return _page("", BETWEEN_BLOCKS.join(page.text for page in pages), spans, borders, (), kept)


def _page(
    source: str,
    text: str,
    spans: Sequence[Span],
    borders: Sequence[tuple[int, int]],
    anchors: Sequence[Anchor],
    kept: dict[int, int],
) -> Page:
    code = tuple((span.start, span.end) for span in spans if span.type == "pre")
    return Page(source, text, Units(text), tuple(spans), code, tuple(borders), tuple(anchors), kept)


def verbatim(text: str) -> Page:
    """A text without any styling as a page of its own source."""
    return _page(text, text, (), (), (), {})


def _after(pattern: re.Pattern[str], text: str, position: int) -> int:
    match = pattern.match(text, position)
    return match.end() if match else position


def _place(span: Span) -> tuple[int, int, bool, str]:
    """Outer spans before inner ones; of those over the same text, a quote is the outermost."""
    return span.start, -span.end, span.type != "blockquote", span.type


def _worth(span: Span) -> int:
    return _WORTH[span.type]


def _clip(text: str, span: Span, start: int, end: int) -> Span | None:
    """The part of a span inside the stretch, without blanks at its ends; None if nothing is left."""
    first, last = max(span.start, start), min(span.end, end)
    while first < last and text[last - 1] in BLANK:
        last -= 1
    first = _after(_BLANK_LINES if span.type == "pre" else _BLANKS, text, first)
    return span._replace(start=first, end=last) if first < last else None


def _entity(span: Span, units: Units, base: int) -> Entity:
    offset = units.at(span.start)
    return Entity(span.type, offset - base, units.at(span.end) - offset, span.url, span.language)


class PageBuilder:
    """Writes a page from its beginning to its end."""

    def __init__(self, source: str) -> None:
        self._source = source
        self._written: list[str] = []
        self._spans: list[Span] = []
        self._borders: list[tuple[int, int]] = []
        self._anchors: list[Anchor] = []
        self._kept: dict[int, int] = {}
        self._open: dict[EntityType, tuple[int, int]] = {}  # type: (start, how many times it was opened)
        self._link: tuple[int, str] | None = None
        self._line_ends = 0  # at the end of what is written
        self.length = 0

    def write(self, text: str) -> None:
        """Text in the styles that are open; more than one empty line in a row is one."""
        if text.startswith("\n"):
            line_ends = len(text) - len(text.lstrip("\n"))
            text = text[max(0, line_ends + self._line_ends - _LINE_ENDS_MAX) :]
        if text:
            self._append(text)

    def _append(self, text: str) -> None:
        self._written.append(text)
        self.length += len(text)
        ends = len(text) - len(text.rstrip("\n"))
        self._line_ends = ends if ends < len(text) else self._line_ends + ends

    def open(self, style: EntityType) -> None:
        """Begin a style; one that is open already stays as it is."""
        start, times = self._open.get(style, (self.length, 0))
        self._open[style] = (start, times + 1)

    def close(self, style: EntityType) -> None:
        """End a style as often as it was opened."""
        start, times = self._open.pop(style)
        if times > 1:
            self._open[style] = (start, times - 1)
        else:
            self._add(Span(start, self.length, style))

    def open_link(self, url: str) -> bool:
        """Begin a link; false inside another one: it is the outer one that counts."""
        if self._link is not None:
            return False
        self._link = (self.length, url)
        return True

    def close_link(self) -> None:
        """End the link that was begun."""
        assert self._link is not None
        start, url = self._link
        self._add(Span(start, self.length, "text_link", url=url))
        self._link = None

    def code(self, text: str, style: EntityType = "code", language: str | None = None) -> None:
        """Monospaced text: Telegram lets no style but a quote surround it, so the others pause here."""
        if self._link is not None:
            self.write(text)
            return
        paused = [name for name in self._open if name != "blockquote"]
        for name in paused:
            self._add(Span(self._open[name][0], self.length, name))
        start = self.length
        self._append(text)
        self._add(Span(start, self.length, style, language=language))
        for name in paused:
            self._open[name] = (self.length, self._open[name][1])

    def border(self, depth: int) -> None:
        """A place to cut, before what is written next."""
        self._borders.append((self.length, depth))

    def keep_with_next(self, start: int) -> None:
        """What was written from `start` on, if anything, belongs to what is written next."""
        if start < self.length:
            self._kept[self.length] = start

    def anchor(self, line: int, fence: str | None = None) -> None:
        """What is written next comes from this source line; code says what opens it."""
        self._anchors.append(Anchor(self.length, line, fence))

    def finish(self) -> Page:
        """The page as it stands."""
        text = "".join(self._written)
        spans = sorted(self._spans, key=_place)
        return _page(self._source, text, spans, self._borders, self._anchors, self._kept)

    def _add(self, span: Span) -> None:
        if span.start < span.end:
            self._spans.append(span)
