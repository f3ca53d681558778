"""Text as it leaves Telegram: parsed, checked and measured in UTF-16 code units."""

from __future__ import annotations

from typing import Final

from aiogram.types import MessageEntity

from telegram_bot.playground import utf16
from telegram_bot.playground.arguments import as_json
from telegram_bot.playground.entities import fixed, with_found
from telegram_bot.playground.errors import bad_request
from telegram_bot.playground.parse_html import parse_html
from telegram_bot.playground.parse_markdown import parse_markdown
from telegram_bot.playground.shapes import FormattedText

CAPTION_MAX: Final = 1024  # sendPhoto: "0-1024 characters after entities parsing"
SOURCE_MAX_BYTES: Final = 1 << 15  # telegram-bot-api Client.cpp, before any parsing
NONE: Final = frozenset({"", "none"})


def message_text(text: str | None, parse_mode: object, entities: list[MessageEntity] | None) -> FormattedText:
    """The text of a message that stays: 1-4096 units after parsing."""
    if not text:
        raise bad_request("message text is empty")
    content = formatted(text, parse_mode, entities)
    if not content.text:
        raise bad_request("text must be non-empty")
    if utf16.length(content.text) > utf16.MESSAGE_MAX:
        raise bad_request("message is too long")
    return with_found(content)


def caption_text(text: str | None, parse_mode: object, entities: list[MessageEntity] | None) -> FormattedText:
    """A caption: 0-1024 units after parsing."""
    content = formatted(text or "", parse_mode, entities)
    if utf16.length(content.text) > CAPTION_MAX:
        raise bad_request("message caption is too long")
    return with_found(content)


def formatted(text: str, parse_mode: object, entities: list[MessageEntity] | None) -> FormattedText:
    """Text and its entities; a parse mode, when there is one, wins over entities."""
    if len(text.encode(errors="replace")) > SOURCE_MAX_BYTES:
        raise bad_request("text is too long")
    mode = parse_mode.lower() if isinstance(parse_mode, str) else ""
    if not text or mode in NONE:
        return fixed(text, [as_json(entity) for entity in entities or []])
    if mode == "html":
        content = parse_html(text)
    elif mode == "markdownv2":
        content = parse_markdown(text)
    else:
        # Legacy "Markdown" included: Telegram keeps it for old bots only.
        raise bad_request("unsupported parse_mode")
    return fixed(content.text, content.entities)
