"""Exports on their way to their people: what a worker has gathered, the bot delivers."""

from aiogram import Bot

from config.aio import in_db
from config.patience import patiently
from conversations.parts import Delivery, File
from telegram_bot import exports
from telegram_bot.exports import Piece
from telegram_bot.outgoing import Destination, Unreachable
from telegram_bot.texts import say

DELIVER_SECONDS = 1.0  # between two looks, each one row of a partial index


async def deliver_exports(bot: Bot) -> None:
    """Deliver everything that is ready, one piece after the other.

    A piece is marked as delivered behind Telegram's answer: killed in between, it comes twice rather than never.
    """
    while delivery := await in_db(exports.next_delivery)():
        try:
            await _deliver(bot, delivery)
        except Unreachable:
            await patiently(exports.give_up)(delivery)
        except FileNotFoundError:  # erased meanwhile, or it came just before a crash
            await patiently(exports.delivered)(delivery)
        else:
            await patiently(exports.delivered)(delivery)


async def _deliver(bot: Bot, delivery: Piece) -> None:
    to = Destination(bot, delivery.chat_id)
    if not delivery.name:
        await to.say(say("export_failed", delivery.language))
        return
    content = await in_db(exports.read_piece)(delivery)
    part = f"-{delivery.number}" if delivery.of > 1 else ""
    file = File("", f"starling-export{part}.zip", "application/zip", len(content))
    await to.file(Delivery(file, mode="document"), content)
    if delivery.number == delivery.of:
        await to.say(say("export_done", delivery.language, pieces=delivery.of))
