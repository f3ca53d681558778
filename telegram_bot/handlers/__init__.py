"""One router per file; what they share is how a command answers."""

from typing import Any

from aiogram.types import InlineKeyboardMarkup, Message

from accounts.services import language_by_telegram
from config.aio import in_db
from telegram_bot.intake import topic_of
from telegram_bot.outgoing import Destination, Unreachable
from telegram_bot.texts import say


async def reply(
    message: Message, sentence: str, *, keyboard: InlineKeyboardMarkup | None = None, **context: Any
) -> None:
    """Answer with one of the bot's own sentences, in the person's language."""
    assert message.from_user is not None, "handlers that reply have a person to reply to"
    assert message.bot is not None
    language = await in_db(language_by_telegram)(message.from_user.id, message.from_user.language_code or "")
    to = Destination(message.bot, message.chat.id, topic_of(message))
    try:
        await to.say(say(sentence, language, **context), keyboard=keyboard)
    except Unreachable:
        return
