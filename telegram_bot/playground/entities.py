"""Entities as Telegram's servers keep them: cleaned, checked, trimmed and, where nothing stands, found.

The rules follow tdlib's fix_formatted_text (td/telegram/MessageEntity.cpp).
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator
from typing import Final

from telegram_bot.playground import utf16
from telegram_bot.playground.errors import bad_request
from telegram_bot.playground.shapes import FormattedText, Json

ENTITIES_MAX: Final = (
    100  # https://core.telegram.org/bots/api#messageentity: the rest is dropped without a word
)
SPACED: Final = re.compile(r"[\x00-\x09\x0b\x0c\x0e-\x1f]")
REMOVED: Final = re.compile("[\r\u2028-\u202e\u0333\u033f\u030a]")
ASTRAL: Final = re.compile("[\U00010000-\U0010ffff]")
TRIMMED: Final = " \n"

SPLITTABLE: Final = frozenset({"bold", "italic", "underline", "strikethrough", "spoiler"})
QUOTES: Final = frozenset({"blockquote", "expandable_blockquote"})
MONOSPACE: Final = frozenset({"code", "pre"})
OTHERS: Final = frozenset({"text_link", "text_mention", "custom_emoji", "date_time"})
# A bot may name these, but Telegram finds them by itself and does not listen.
FOUND_ONLY: Final = frozenset(
    {"mention", "hashtag", "cashtag", "bot_command", "url", "email", "phone_number", "bank_card_number"}
)
KNOWN: Final = SPLITTABLE | QUOTES | MONOSPACE | OTHERS | FOUND_ONLY

# Kind, a character that has to be there, and where it is.
FINDERS: Final = (
    ("url", "://", re.compile(r"\bhttps?://[^\s<>\"'`]*[^\s<>\"'`.,;:!?)\]}»…]", re.IGNORECASE)),
    ("email", "@", re.compile(r"\b[\w.+-]+@[\w-]+(?:\.[\w-]+)*\.[a-zA-Z]{2,}\b")),
    ("bot_command", "/", re.compile(r"(?<![\w/.:<>])/[a-zA-Z][a-zA-Z0-9_]{0,63}(?:@\w{3,32})?(?![\w/])")),
    ("mention", "@", re.compile(r"(?<![\w@/.])@[a-zA-Z][a-zA-Z0-9_]{3,31}\b")),
    ("hashtag", "#", re.compile(r"(?<![\w&#/])#(?=\w*[^\W\d_])\w{1,255}")),
)


def fixed(text: str, entities: list[Json]) -> FormattedText:
    """The text Telegram would keep, and its entities, or its refusal of a range that is not in the text."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise bad_request("strings must be encoded in UTF-8") from error
    entities = [entity for entity in entities if _is_wanted(entity)]
    _check_ranges(text, entities)
    text, entities = _cleaned(text, entities)
    entities = _without_blank(text, entities)
    text, entities = _trimmed(text, entities)
    return FormattedText(text, _untangled(entities)[:ENTITIES_MAX])


def with_found(content: FormattedText) -> FormattedText:
    """The same text with links, commands, names and tags marked wherever nothing else stands."""
    taken = [entity for entity in content.entities if entity["type"] not in SPLITTABLE | QUOTES]
    found: list[Json] = []
    for kind, sign, pattern in FINDERS:
        if sign not in content.text:
            continue
        for match in pattern.finditer(content.text):
            offset = utf16.length(content.text[: match.start()])
            entity: Json = {"type": kind, "offset": offset, "length": utf16.length(match.group())}
            if not any(_overlap(entity, other) for other in [*taken, *found]):
                found.append(entity)
    return (
        FormattedText(content.text, _sorted([*content.entities, *found])[:ENTITIES_MAX]) if found else content
    )


def _is_wanted(entity: Json) -> bool:
    if entity["type"] not in KNOWN:
        raise bad_request("can't parse MessageEntity: Unsupported type specified")
    if entity["type"] == "text_link" and not entity.get("url"):
        raise bad_request("can't parse MessageEntity: Can't find field \"url\"")
    return entity["type"] not in FOUND_ONLY and entity["length"] != 0


def _check_ranges(text: str, entities: list[Json]) -> None:
    size = utf16.length(text)
    middles = {match.start() + order + 1 for order, match in enumerate(ASTRAL.finditer(text))}
    for entity in entities:
        start, end = entity["offset"], entity["offset"] + entity["length"]
        entity_at = f"entity beginning at UTF-16 offset {start}"
        if start < 0:
            raise bad_request(f"receive an entity with incorrect offset {start}")
        if end < start:
            raise bad_request(f"receive an entity with incorrect length {entity['length']}")
        if start >= size:
            raise bad_request(f"entity begins after the end of the text at UTF-16 offset {start}")
        if end > size:
            raise bad_request(f"{entity_at} ends after the end of the text at UTF-16 offset {end}")
        if start in middles:
            raise bad_request(f"entity begins in a middle of a UTF-16 symbol at UTF-16 offset {start}")
        if end in middles:
            raise bad_request(f"{entity_at} ends in a middle of a UTF-16 symbol at UTF-16 offset {end}")


def _cleaned(text: str, entities: list[Json]) -> tuple[str, list[Json]]:
    """Control characters become spaces; carriage returns and marks that break layouts go."""
    text = SPACED.sub(" ", text)
    removed = [utf16.length(text[: match.start()]) for match in REMOVED.finditer(text)]
    if not removed:
        return text, entities

    def moved(entity: Json) -> Json:
        start, end = entity["offset"], entity["offset"] + entity["length"]
        new_start = start - bisect_left(removed, start)
        return entity | {"offset": new_start, "length": end - bisect_left(removed, end) - new_start}

    return REMOVED.sub("", text), [moved(entity) for entity in entities]


def _without_blank(text: str, entities: list[Json]) -> list[Json]:
    """Entities begin at their first visible character; those without any go."""
    units = text.encode("utf-16-le")
    blank = {mark.encode("utf-16-le") for mark in TRIMMED}
    kept = []
    for entity in entities:
        start, end = entity["offset"], entity["offset"] + entity["length"]
        while start < end and units[2 * start : 2 * start + 2] in blank:
            start += 1
        if start < end:
            kept.append(entity | {"offset": start, "length": end - start})
    return _sorted(kept)


def _trimmed(text: str, entities: list[Json]) -> tuple[str, list[Json]]:
    text = text.rstrip(TRIMMED)
    leading = len(text) - len(text.lstrip(TRIMMED))
    size = utf16.length(text)
    clipped = [entity | {"length": min(entity["length"], size - entity["offset"])} for entity in entities]
    return text[leading:], [entity | {"offset": entity["offset"] - leading} for entity in clipped]


def _untangled(entities: list[Json]) -> list[Json]:
    """No two whole entities overlap, and nothing is styled inside monospace."""
    whole: list[Json] = []
    for entity in entities:
        rivals = [other for other in whole if (other["type"] in QUOTES) == (entity["type"] in QUOTES)]
        if entity["type"] not in SPLITTABLE and not any(_overlap(entity, other) for other in rivals):
            whole.append(entity)
    mono = [entity for entity in whole if entity["type"] in MONOSPACE]
    styles = [part for entity in entities if entity["type"] in SPLITTABLE for part in _outside(entity, mono)]
    return _sorted([*whole, *styles])


def _outside(entity: Json, holes: list[Json]) -> Iterator[Json]:
    start, end = entity["offset"], entity["offset"] + entity["length"]
    for hole in holes:
        if _overlap(entity, hole):
            if start < hole["offset"]:
                yield entity | {"offset": start, "length": hole["offset"] - start}
            start = max(start, hole["offset"] + hole["length"])
    if start < end:
        yield entity | {"offset": start, "length": end - start}


def _overlap(one: Json, other: Json) -> bool:
    return bool(
        one["offset"] < other["offset"] + other["length"] and other["offset"] < one["offset"] + one["length"]
    )


def _sorted(entities: list[Json]) -> list[Json]:
    return sorted(entities, key=lambda entity: (entity["offset"], -entity["length"]))
