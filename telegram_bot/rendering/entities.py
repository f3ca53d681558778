"""What a rendered message is: text and the entities over it, counted as Telegram counts."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from typing import Final, Literal

# sendMessage: "1-4096 characters after entities parsing", in UTF-16 code units.
MESSAGE_UNITS_MAX: Final = 4096
# messages.sendMessage keeps the first 100 entities of a message and ignores the rest.
ENTITIES_MAX: Final = 100

EntityType = Literal[
    "bold",
    "italic",
    "strikethrough",
    "spoiler",
    "code",
    "pre",
    "blockquote",
    "expandable_blockquote",
    "text_link",
]


@dataclass(frozen=True, slots=True)
class Entity:
    """One Bot API MessageEntity, its fields named alike; offset and length are UTF-16 code units."""

    type: EntityType
    offset: int
    length: int
    url: str | None = None
    language: str | None = None

    @property
    def end(self) -> int:
        """The first code unit after the entity."""
        return self.offset + self.length

    def as_dict(self) -> dict[str, str | int]:
        """The fields that are set, as keyword arguments of a MessageEntity."""
        fields: dict[str, str | int] = {"type": self.type, "offset": self.offset, "length": self.length}
        if self.url is not None:
            fields["url"] = self.url
        if self.language is not None:
            fields["language"] = self.language
        return fields


@dataclass(frozen=True, slots=True)
class Rendered:
    """A text ready to be sent, and the Markdown it came from (what the plain fallback shows)."""

    text: str
    entities: tuple[Entity, ...]
    source: str

    @property
    def units(self) -> int:
        """UTF-16 code units of the text."""
        return utf16_length(self.text)


def utf16_length(text: str) -> int:
    """UTF-16 code units of a text without lone surrogates."""
    if text.isascii():
        return len(text)
    return len(text.encode("utf-16-le")) // 2


class Units:
    """The UTF-16 offset of every position of one text, and back."""

    __slots__ = ("_doubled", "_length")

    def __init__(self, text: str) -> None:
        self._length = len(text)
        doubled = not text.isascii() and max(text) > "\uffff"
        self._doubled = [at for at, character in enumerate(text) if character > "\uffff"] if doubled else []

    def at(self, position: int) -> int:
        """UTF-16 code units before the position."""
        return position + bisect_left(self._doubled, position)

    def between(self, start: int, end: int) -> int:
        """UTF-16 code units from start to end."""
        return self.at(end) - self.at(start)

    def reach(self, start: int, units: int) -> int:
        """The farthest position at most `units` code units after start."""
        farthest = min(self._length, start + units)
        if not self._doubled:
            return farthest
        target = self.at(start) + units
        # Every doubled character brings the end at least one position nearer: a handful of rounds.
        while (excess := self.at(farthest) - target) > 0:
            farthest -= (excess + 1) // 2
        return farthest

    def reach_back(self, end: int, units: int) -> int:
        """The nearest position to the beginning from which `end` is at most `units` code units away."""
        nearest = max(0, end - units)
        target = self.at(end) - units
        while (shortage := target - self.at(nearest)) > 0:
            nearest += (shortage + 1) // 2
        return nearest
