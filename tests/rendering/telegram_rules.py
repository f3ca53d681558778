"""Telegram's own rules for a text with entities, as fix_formatted_text() and its kin in TDLib apply them.

Written from td/telegram/MessageEntity.cpp and misc.cpp and not from our renderer, so that they can disagree.
"""

from __future__ import annotations

import re
from itertools import pairwise
from urllib.parse import urlsplit

from telegram_bot.rendering import Entity, Rendered

UNITS_MAX = 4096
ENTITIES_MAX = 100
SPLITTABLE = {"bold", "italic", "underline", "strikethrough", "spoiler"}
PRE = {"pre", "code"}
QUOTES = {"blockquote", "expandable_blockquote"}
CONTINUOUS = {"text_link"}
# By clean_input_string() controls become blanks or vanish, and these are deleted.
CHANGED = re.compile("[\x00-\x09\x0b-\x1f\ud800-\udfff\u2028-\u202e\u0333\u033f\u030a]")
# Taken for nothing by strip_empty_characters() and is_empty_string().
EMPTY = re.compile(
    "[ \n\u00a0\u1680\u180e\u2000-\u200f\u202e\u202f\u205f\u2800\u3000\ufeff\ufffc\U000e0000-\U000e007f]*"
)


def check(rendered: Rendered, limit: int = UNITS_MAX) -> None:
    """Fail unless Telegram would take the message as it is and change nothing of it."""
    assert not CHANGED.search(rendered.text), f"Telegram changes {CHANGED.findall(rendered.text)!r}"
    units = rendered.text.encode("utf-16-le")
    assert rendered.units == len(units) // 2
    assert 1 <= rendered.units <= limit
    assert not EMPTY.fullmatch(rendered.text), "Message must be non-empty"
    check_entities(rendered, units)
    assert len(rendered.entities) <= ENTITIES_MAX
    assert rendered.text.rstrip(" \n") == rendered.text, "Telegram trims the end"
    assert rendered.text[0] not in " \n", "Telegram trims the beginning"


def check_entities(rendered: Rendered, units: bytes | None = None) -> None:
    """Fail unless every entity stays where it is and what it is."""
    units = units if units is not None else rendered.text.encode("utf-16-le")
    entities = rendered.entities
    assert list(entities) == sorted(entities, key=lambda entity: (entity.offset, -entity.length))
    for entity in entities:
        _check_range(entity, units)
        _check_fields(entity)
    _check_nesting(entities)


def _check_range(entity: Entity, units: bytes) -> None:
    assert entity.offset >= 0
    assert entity.length > 0
    assert 2 * entity.end <= len(units)
    text = units[2 * entity.offset : 2 * entity.end].decode("utf-16-le")  # raises where a pair is cut in two
    assert text[0] not in " \n", f"Telegram moves the start of {entity}"
    assert text[-1] not in " \n", f"{entity} ends in blanks"


def _check_fields(entity: Entity) -> None:
    assert entity.type in SPLITTABLE | PRE | QUOTES | CONTINUOUS
    assert (entity.url is not None) == (entity.type == "text_link")
    assert entity.language is None or (entity.type == "pre" and entity.language)
    if entity.url is not None:
        parts = urlsplit(entity.url)
        assert parts.scheme in {"http", "https", "tg"}
        assert parts.hostname
        assert parts.scheme == "tg" or "." in parts.hostname or ":" in parts.hostname, "Wrong HTTP URL"


def _check_nesting(entities: tuple[Entity, ...]) -> None:
    """are_entities_valid(), without its clause on what could be merged."""
    around: list[Entity] = []
    for entity in entities:
        while around and entity.offset >= around[-1].end:
            around.pop()
        types = {outer.type for outer in around}
        if around:
            assert entity.end <= around[-1].end, f"{entity} crosses {around[-1]}"
            assert entity.type not in types, f"{entity} in one of its kind"
            assert not types & PRE, f"{entity} in code"
        if entity.type in PRE:
            assert not types - QUOTES, f"{entity} in {types}"
        if entity.type in QUOTES:
            assert not types, f"{entity} in {types}"
        if entity.type in CONTINUOUS:
            assert not types & CONTINUOUS
        around.append(entity)
    for kind in SPLITTABLE | QUOTES:
        same = [entity for entity in entities if entity.type == kind]
        for one, other in pairwise(same):
            assert one.end <= other.offset


def styles(rendered: Rendered) -> list[tuple[str, frozenset[tuple[str, str | None, str | None]]]]:
    """Every character that is not blank, with what is over it."""
    marks: list[set[tuple[str, str | None, str | None]]] = [set() for _ in range(rendered.units)]
    for entity in rendered.entities:
        for at in range(entity.offset, entity.end):
            marks[at].add((entity.type, entity.url, entity.language))
    styled = []
    at = 0
    for character in rendered.text:
        if not character.isspace():
            styled.append((character, frozenset(marks[at])))
        at += 2 if character > "\uffff" else 1
    return styled
