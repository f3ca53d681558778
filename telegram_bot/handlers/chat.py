"""What people write."""

from aiogram import F, Router
from aiogram.enums import ChatType
from aiogram.types import ChatMemberUpdated, Message, MessageGenerationStopped

from accounts.services import set_unreachable_by_telegram
from config.aio import in_db
from telegram_bot.answering import Answers
from telegram_bot.bursts import Bursts
from telegram_bot.handlers import reply
from telegram_bot.inbox import LATER
from telegram_bot.intake import TEXT_MAX, to_inbound

# Kinds of a person's message that are not read yet. Notices about the chat are no messages of anybody.
KINDS_LATER = frozenset(
    {
        "photo", "document", "voice", "audio", "video", "video_note", "sticker", "animation", "contact", "location",
        "venue", "poll", "dice", "story", "paid_media", "game", "checklist", "rich_message", "unknown",
    }
)  # fmt: skip


async def on_message(message: Message, bursts: Bursts, update_id: int) -> object:
    """A text: into its burst, which becomes a turn."""
    inbound = to_inbound(message)
    if inbound is None:
        return None
    if len(message.text or "") > TEXT_MAX:
        await reply(message, "too_long")
        return None
    bursts.add(inbound, update_id)
    return LATER


async def on_other_kind(message: Message) -> None:
    """Pictures, voice and the rest come with a later issue; until then one polite sentence."""
    if message.from_user is not None:
        await reply(message, "not_yet")


async def on_stop_button(stopped: MessageGenerationStopped, answers: Answers) -> None:
    """Telegram's own Stop button under a draft."""
    await answers.stop(stopped.chat.id, stopped.message_thread_id)


async def on_membership(change: ChatMemberUpdated) -> None:
    """A person blocked the bot, or let it in again (writing to it does the rest)."""
    if change.new_chat_member.status == "kicked":
        await in_db(set_unreachable_by_telegram)(change.from_user.id)


def router() -> Router:
    """What leads here."""
    router = Router(name="chat")
    private = F.chat.type == ChatType.PRIVATE
    router.message.register(on_message, private, F.text)
    router.message.register(on_other_kind, private, F.content_type.in_(KINDS_LATER))
    router.stopped_message_generation.register(on_stop_button)
    router.my_chat_member.register(on_membership, private)
    return router
