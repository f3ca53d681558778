"""Small shapes the whole stand-in shares."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, TypeAlias

# Messages, updates and users are kept as they go over the wire: what is stored is what is sent.
Json: TypeAlias = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Upload:
    """A file that came as a part of a multipart body."""

    name: str
    content_type: str
    body: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Lifetimes:
    """How many seconds things last; a test that waits for an end makes them short."""

    # https://core.telegram.org/bots/api#getting-updates: "will not be kept longer than 24 hours".
    update: float = 86_400.0
    # telegram-bot-api Client.cpp: callback and pre-checkout queries leave the queue after 150 s.
    query: float = 150.0
    # sendMessageDraft: "a temporary 30-second preview".
    draft: float = 30.0


Uploads: TypeAlias = dict[str, Upload]


@dataclass(frozen=True, slots=True)
class FormattedText:
    """Text with its entities; offsets and lengths are in UTF-16 code units."""

    text: str
    entities: list[Json] = field(default_factory=list)
