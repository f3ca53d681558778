"""parse_mode=MarkdownV2, after tdlib: https://core.telegram.org/bots/api#markdownv2-style"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from telegram_bot.playground import utf16
from telegram_bot.playground.errors import Refused, bad_request
from telegram_bot.playground.shapes import FormattedText, Json

RESERVED: Final = frozenset("_*[]()~`>#+-=|{}.!")
# Longest first: "__" is tried before "_".
MARKS: Final = {
    "```": "pre",
    "__": "underline",
    "||": "spoiler",
    "![": "custom_emoji",
    "_": "italic",
    "*": "bold",
    "~": "strikethrough",
    "`": "code",
    "[": "text_link",
}
ENDS: Final = {"text_link": "]", "custom_emoji": "]"} | {
    kind: mark for mark, kind in MARKS.items() if kind not in ("text_link", "custom_emoji")
}
# What tdlib calls the kinds in its complaints.
TITLES: Final = {
    "pre": "Pre",
    "code": "Code",
    "bold": "Bold",
    "italic": "Italic",
    "underline": "Underline",
    "strikethrough": "Strikethrough",
    "spoiler": "Spoiler",
    "text_link": "TextUrl",
    "custom_emoji": "CustomEmoji",
}
LANGUAGE: Final = re.compile(r"([^\s`]+)(?=\s)")
LINE_BREAK: Final = re.compile(r"\r\n|\n\r|\n|\r")
EMOJI_LINK: Final = "tg://emoji?id="


@dataclass(slots=True)
class Open:
    """An entity that waits for its end."""

    kind: str
    offset: int  # UTF-16
    begin: int  # in characters of the text read so far
    at: int  # bytes, for the error
    language: str = ""


class _Reader:
    """One pass over the source."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.position = 0
        self.text: list[str] = []
        self.units = 0
        self.nesting: list[Open] = []
        self.entities: list[Json] = []
        self.quote: int | None = None  # UTF-16 offset of the block quotation that is open

    def read(self) -> FormattedText:
        while self.position < len(self.source):
            self._step()
        if self.nesting:
            last = self.nesting[-1]
            raise _cannot(f"Can't find end of {TITLES[last.kind]} entity at byte offset {last.at}")
        self._end_quote()
        return FormattedText("".join(self.text), self.entities)

    def _step(self) -> None:
        source, position = self.source, self.position
        character = source[position]
        escaped = source[position + 1 : position + 2]
        kind = self.nesting[-1].kind if self.nesting else None
        if character == "\\" and escaped and "\0" < escaped <= "~":
            self._put(escaped, 2)
        elif kind is not None and source.startswith(ENDS[kind], position) and not self._is_longer(kind):
            self._end(self.nesting.pop())
        elif kind in ("code", "pre") or character not in RESERVED | {"\n"}:
            self._put(character, 1)
        elif character == "\n":
            self._line_break()
        elif character == ">" and (position == 0 or source[position - 1] == "\n"):
            self.quote = self.units if self.quote is None else self.quote
            self.position += 1
        else:
            self._begin(character)

    def _is_longer(self, kind: str) -> bool:
        """`__` inside an italic begins an underline; it is not an italic's end."""
        return kind == "italic" and self.source.startswith("__", self.position)

    def _put(self, character: str, taken: int) -> None:
        self.text.append(character)
        self.units += utf16.length(character)
        self.position += taken

    def _line_break(self) -> None:
        if self.quote is not None and self.source[self.position + 1 : self.position + 2] != ">":
            if self.nesting:
                last = self.nesting[-1]
                raise _cannot(f"Can't find end of {TITLES[last.kind]} entity at byte offset {last.at}")
            self._end_quote()
        self._put("\n", 1)

    def _end_quote(self) -> None:
        if self.quote is None:
            return
        expandable = self.text[-1:] == ["\0"]  # never written by anybody: the mark `||` at the very end
        if expandable:
            self.text.pop()
            self.units -= 1
        if self.units > self.quote:
            kind = "expandable_blockquote" if expandable else "blockquote"
            self.entities.append({"type": kind, "offset": self.quote, "length": self.units - self.quote})
        self.quote = None

    def _begin(self, character: str) -> None:
        at = len(self.source[: self.position].encode())
        mark = next((mark for mark in MARKS if self.source.startswith(mark, self.position)), None)
        if mark is None:
            raise _cannot(f"Character '{character}' is reserved and must be escaped with the preceding '\\'")
        if mark == "||" and self.quote is not None and self._ends_quote():
            self.position += 2
            self.text.append("\0")
            self.units += 1
            return
        self.position += len(mark)
        opened = Open(MARKS[mark], self.units, len(self.text), at)
        if mark == "```":
            language = LANGUAGE.match(self.source, self.position)
            if language is not None:
                opened.language = language.group(1)
                self.position = language.end()
            line_break = LINE_BREAK.match(self.source, self.position)
            self.position = line_break.end() if line_break is not None else self.position
        self.nesting.append(opened)

    def _ends_quote(self) -> bool:
        return self.source[self.position + 2 : self.position + 3] in ("", "\n")

    def _end(self, opened: Open) -> None:
        self.position += len(ENDS[opened.kind])
        entity: Json | None = {"type": opened.kind}
        if opened.language:
            entity = {"type": "pre", "language": opened.language}
        elif opened.kind == "text_link":
            url = (
                self._target()
                if self.source.startswith("(", self.position)
                else "".join(self.text[opened.begin :])
            )
            entity = {"type": "text_link", "url": url} if "." in url or ":" in url else None
        elif opened.kind == "custom_emoji":
            url = self._target() if self.source.startswith("(", self.position) else ""
            if not url.startswith(EMOJI_LINK):
                raise _cannot("Custom emoji entity must contain a tg://emoji URL")
            entity = {"type": "custom_emoji", "custom_emoji_id": url.removeprefix(EMOJI_LINK)}
        if entity is not None and self.units > opened.offset:
            self.entities.append(entity | {"offset": opened.offset, "length": self.units - opened.offset})

    def _target(self) -> str:
        """The address in round brackets after a link's text."""
        at = len(self.source[: self.position + 1].encode())
        match = re.compile(r"\(((?:\\[\x01-\x7e]|[^)])*)\)").match(self.source, self.position)
        if match is None:
            raise _cannot(f"Can't find end of a URL at byte offset {at}")
        self.position = match.end()
        return re.sub(r"\\([\x01-\x7e])", r"\1", match.group(1))


def parse_markdown(source: str) -> FormattedText:
    """Plain text and entities, or Telegram's complaint with the byte offset of what it could not read."""
    return _Reader(source).read()


def _cannot(words: str) -> Refused:
    return bad_request(f"can't parse entities: {words}")
