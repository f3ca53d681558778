"""Text as it leaves Telegram: parsed, checked and measured in UTF-16 code units."""

from __future__ import annotations

from typing import Final

from aiogram.types import MessageEntity

from telegram_bot.playground import utf16
from telegram_bot.playground.arguments import as_json
from telegram_bot.playground.errors import bad_request
from telegram_bot.playground.shapes import FormattedText

CAPTION_MAX: Final = 1024  # sendPhoto: "0-1024 characters after entities parsing"


def message_text(text: str | None, parse_mode: object, entities: list[MessageEntity] | None) -> FormattedText:
    """The text of a message that stays: 1-4096 units after parsing."""
    content = formatted(text or "", parse_mode, entities)
    if not content.text:
        raise bad_request("message text is empty")
    if utf16.length(content.text) > utf16.MESSAGE_MAX:
        raise bad_request("message is too long")
    return content


def formatted(text: str, parse_mode: object, entities: list[MessageEntity] | None) -> FormattedText:
    """Text and its entities, whichever way they were given."""
    return FormattedText(text, [as_json(entity) for entity in entities or []])
