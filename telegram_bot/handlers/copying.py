"""The button below a rich message that gives its text back plain: some clients cannot copy a rich one."""

from aiogram import Router
from aiogram.types import CallbackQuery, InaccessibleMessage

from config.aio import in_db
from conversations.loop import replay
from conversations.threads import rows_of_turn
from telegram_bot import people
from telegram_bot.intake import profile_of, topic_of
from telegram_bot.keyboards import CopyPress
from telegram_bot.outgoing import Destination, Unreachable
from telegram_bot.rendering import plain
from telegram_bot.rendering.composing import enrich
from telegram_bot.texts import say
from telegram_bot.units import said_in


async def on_copy(query: CallbackQuery, callback_data: CopyPress) -> None:
    """Send the source of the message the button is below, as plain text. It is the asker's alone."""
    user_id, language = await in_db(people.known)(profile_of(query.from_user))
    source = await in_db(_source)(callback_data, user_id)
    if source is None or query.message is None or query.bot is None:
        await query.answer(say("copy_gone", language), show_alert=True)
        return
    await query.answer()
    topic = None if isinstance(query.message, InaccessibleMessage) else topic_of(query.message)
    to = Destination(query.bot, query.message.chat.id, topic)
    try:
        for part in plain(source):
            await to.text(part)
    except Unreachable:
        return


def _source(press: CopyPress, user_id: int) -> str | None:
    """The Markdown of one rich message, made again from the rows as it was made for sending; None: not theirs."""
    rows = rows_of_turn(press.turn, user_id=user_id)
    said = said_in(replay(rows)) if rows is not None else []
    if press.said not in range(len(said)):
        return None
    parts = enrich(said[press.said].source)
    return parts[press.part].source if press.part in range(len(parts)) else None


def router() -> Router:
    """What leads here."""
    router = Router(name="copying")
    router.callback_query.register(on_copy, CopyPress.filter())
    return router
