"""parse_mode=HTML: https://core.telegram.org/bots/api#html-style"""

from __future__ import annotations

import html
import re
from dataclasses import dataclass
from typing import Final

from telegram_bot.playground import utf16
from telegram_bot.playground.errors import Refused, bad_request
from telegram_bot.playground.shapes import FormattedText, Json

STYLES: Final = {
    "b": "bold",
    "strong": "bold",
    "i": "italic",
    "em": "italic",
    "u": "underline",
    "ins": "underline",
    "s": "strikethrough",
    "strike": "strikethrough",
    "del": "strikethrough",
    "tg-spoiler": "spoiler",
    "code": "code",
    "pre": "pre",
    "blockquote": "blockquote",
}
NAMES: Final = STYLES.keys() | {"a", "span", "tg-emoji", "tg-time"}
# tdlib decodes these four and numeric references only; `&nbsp;` stays as it is written.
REFERENCE: Final = re.compile(r"&(?:lt|gt|amp|quot|#\d+|#x[0-9a-fA-F]+);?")
PIECE: Final = re.compile(r"<|" + REFERENCE.pattern)
TAG_NAME: Final = re.compile(r"[a-zA-Z0-9-]*")
ATTRIBUTE: Final = re.compile(r"""\s+([\w-]+)(?:\s*=\s*(?:"([^"]*)"|'([^']*)'|([\w.-]+)))?""")
LINKS: Final = ("http://", "https://", "tg://", "mailto:", "tel:", "ton://")


@dataclass(frozen=True, slots=True)
class Open:
    """A start tag that waits for its end."""

    name: str
    attributes: dict[str, str]
    offset: int  # UTF-16
    at: int  # bytes, for the error


def parse_html(source: str) -> FormattedText:
    """Plain text and entities, or Telegram's complaint with the byte offset of what it could not read."""
    text = ""
    entities: list[Json] = []
    nesting: list[Open] = []
    position = 0
    while (piece := PIECE.search(source, position)) is not None:
        text += source[position : piece.start()]
        position = piece.start()
        if piece.group() != "<":
            text += html.unescape(piece.group())
            position = piece.end()
        elif source.startswith("</", position):
            position = _close(source, position, text, nesting, entities)
        else:
            tag, position = _start(source, position, utf16.length(text))
            nesting.append(tag)
    text += source[position:]
    if nesting:
        raise _cannot(f'Can\'t find end tag corresponding to start tag "{nesting[-1].name}"')
    return FormattedText(text, entities)


def _start(source: str, position: int, offset: int) -> tuple[Open, int]:
    at = len(source[:position].encode())
    name_match = TAG_NAME.match(source, position + 1)
    name = name_match.group().lower() if name_match else ""
    if name not in NAMES:
        raise _cannot(f'Unsupported start tag "{name}" at byte offset {at}')
    position += 1 + len(name)
    attributes: dict[str, str] = {}
    while (match := ATTRIBUTE.match(source, position)) is not None:
        key, *values = match.groups()
        attributes[key.lower()] = html.unescape(next((value for value in values if value is not None), ""))
        position = match.end()
    rest = re.compile(r"\s*>").match(source, position)
    if rest is None:
        raise _cannot(f"Unclosed start tag at byte offset {at}")
    if name == "span" and attributes.get("class") != "tg-spoiler":
        raise _cannot(f'Tag "span" must have class "tg-spoiler" at byte offset {at}')
    return Open(name, attributes, offset, at), rest.end()


def _close(source: str, position: int, text: str, nesting: list[Open], entities: list[Json]) -> int:
    at = len(source[:position].encode())
    end = source.find(">", position)
    if end < 0:
        raise _cannot(f"Unclosed end tag at byte offset {at}")
    if not nesting:
        raise _cannot(f"Unexpected end tag at byte offset {at}")
    tag = nesting.pop()
    name = source[position + 2 : end].strip().lower()
    if name and name != tag.name:
        raise _cannot(f'Unmatched end tag at byte offset {at}, expected "</{tag.name}>", found "</{name}>"')
    length = utf16.length(text) - tag.offset
    entity = _entity(tag, text, nesting, entities, length)
    if entity is not None and length:
        entities.append(entity | {"offset": tag.offset, "length": length})
    return end + 1


def _entity(tag: Open, text: str, nesting: list[Open], entities: list[Json], length: int) -> Json | None:
    if tag.name == "a":
        inner = text.encode("utf-16-le")[2 * tag.offset :].decode("utf-16-le")
        url = tag.attributes.get("href") or inner
        return _link(url)
    if tag.name == "tg-emoji":
        return {"type": "custom_emoji", "custom_emoji_id": tag.attributes.get("emoji-id", "")}
    if tag.name == "tg-time":
        return {"type": "date_time", "unix_time": int(tag.attributes.get("unix", "0") or 0)}
    if tag.name == "span":
        return {"type": "spoiler"}
    if tag.name == "blockquote" and "expandable" in tag.attributes:
        return {"type": "expandable_blockquote"}
    if tag.name == "code" and nesting and nesting[-1].name == "pre" and nesting[-1].offset == tag.offset:
        return {"type": "code", "language": tag.attributes.get("class", "").removeprefix("language-")}
    if (
        tag.name == "pre"
        and entities
        and entities[-1] | {"language": ""}
        == {
            "type": "code",
            "language": "",
            "offset": tag.offset,
            "length": length,
        }
    ):
        language = entities.pop().get("language")
        return {"type": "pre"} | ({"language": language} if language else {})
    return {"type": STYLES[tag.name]}


def _link(url: str) -> Json | None:
    if url.startswith("tg://user?id=") and url.removeprefix("tg://user?id=").isdecimal():
        user_id = int(url.removeprefix("tg://user?id="))
        return {"type": "text_mention", "user": {"id": user_id, "is_bot": False, "first_name": str(user_id)}}
    return {"type": "text_link", "url": url} if url.startswith(LINKS) or "." in url else None


def _cannot(words: str) -> Refused:
    return bad_request(f"can't parse entities: {words}")
