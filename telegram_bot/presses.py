"""Pressed buttons: sealed for a person, and opened only for that person."""

import hmac
from functools import partial
from typing import Any

from aiogram.exceptions import TelegramBadRequest
from aiogram.filters import Filter
from aiogram.filters.callback_data import CallbackData
from aiogram.methods import EditMessageText
from aiogram.types import CallbackQuery, InlineKeyboardMarkup, Message
from django.conf import settings

from telegram_bot.intake import topic_of
from telegram_bot.keyboards import Forged, NotYours, Seal, opened, sealed
from telegram_bot.outgoing import NO_PREVIEW, Destination, Unreachable, entities_of
from telegram_bot.rendering import render


def _key() -> bytes:
    """The key of the seals: our secret, used for nothing else in this form."""
    return hmac.digest(settings.SECRET_KEY.encode(), b"buttons", "sha256")


def seal_for(person: int) -> Seal:
    """The seal for buttons that only the person with this Telegram id may press."""
    return partial(sealed, person=person, key=_key())


class Pressed(Filter):
    """Lets a press of this kind through, as `press`, when we made the button for the one who pressed it."""

    def __init__(self, kind: type[CallbackData]) -> None:
        self._kind = kind

    async def __call__(self, query: CallbackQuery) -> bool | dict[str, Any]:
        try:
            packed = opened(query.data or "", presser=query.from_user.id, key=_key())
            return {"press": self._kind.unpack(packed)}
        except (Forged, NotYours, TypeError, ValueError):  # the last two: another kind of press
            return False


def is_somebody_elses(query: CallbackQuery) -> bool:
    try:
        opened(query.data or "", presser=query.from_user.id, key=_key())
    except Forged:
        return False
    except NotYours:
        return True
    return False


async def answer(query: CallbackQuery, words: str = "") -> None:
    """Stop the button's spinning; words are shown as an alert, which screen readers read, unlike a toast."""
    try:
        await query.answer(words or None, show_alert=bool(words))
    except TelegramBadRequest:  # pressed so long ago that Telegram has stopped waiting
        return


async def put(query: CallbackQuery, words: str, keyboard: InlineKeyboardMarkup | None = None) -> None:
    """Put other words in the place of the message whose button was pressed, and answer the press."""
    await answer(query)
    message, bot = query.message, query.bot
    if message is None or bot is None:
        return
    rendered = render(words)
    edit = EditMessageText(
        chat_id=message.chat.id,
        message_id=message.message_id,
        text=rendered.text,
        entities=entities_of(rendered) or None,
        parse_mode=None,
        link_preview_options=NO_PREVIEW,
        reply_markup=keyboard,
    )
    try:
        await bot(edit)
    except TelegramBadRequest as error:
        if "not modified" in error.message:  # the choice that stood already
            return
        await _say_anew(query, words, keyboard)


async def _say_anew(query: CallbackQuery, words: str, keyboard: InlineKeyboardMarkup | None) -> None:
    """A message that is gone, too old or too short for the words cannot be edited: a new one says them."""
    message = query.message
    assert message is not None
    assert query.bot is not None
    topic = topic_of(message) if isinstance(message, Message) else None
    try:
        await Destination(query.bot, message.chat.id, topic).say(words, keyboard=keyboard)
    except Unreachable:
        return
