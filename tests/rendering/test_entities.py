"""Entities as the caller takes them."""

from __future__ import annotations

from aiogram.types import MessageEntity

from telegram_bot.rendering import render


def test_an_entity_is_the_bot_apis_own() -> None:
    for entity in render("**a** [b](https://example.com) `c`\n\n```py\nd\n```\n\n> e").entities:
        telegram = MessageEntity(**entity.as_dict())
        assert (telegram.type, telegram.offset, telegram.length) == (
            entity.type,
            entity.offset,
            entity.length,
        )
        assert (telegram.url, telegram.language) == (entity.url, entity.language)


def test_the_units_of_a_message_are_those_telegram_counts() -> None:
    assert render("a😀漢").units == 4
