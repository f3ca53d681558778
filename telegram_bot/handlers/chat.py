"""What people write."""

from aiogram import F, Router
from aiogram.enums import ChatType
from aiogram.filters import Command, CommandObject
from aiogram.types import ChatMemberUpdated, Message, MessageGenerationStopped

from accounts.services import set_unreachable_by_telegram
from config.aio import in_db
from telegram_bot.answering import Answers
from telegram_bot.bursts import Bursts
from telegram_bot.files import Porter
from telegram_bot.handlers import reply
from telegram_bot.inbox import LATER
from telegram_bot.intake import TEXT_MAX, to_inbound
from telegram_bot.kinds import KINDS


async def on_message(message: Message, bursts: Bursts, update_id: int) -> object:
    """What a person sent: into its burst, which becomes a turn. A kind that is not read gets a sentence."""
    inbound = to_inbound(message)
    if inbound is None:
        kind = KINDS.get(message.content_type)
        if message.from_user is not None and kind is not None and kind.read is None:
            await reply(message, "not_yet")
        return None  # a notice about the chat, or words of nothing but blanks
    if len(message.text or "") > TEXT_MAX:
        await reply(message, "too_long")
        return None
    bursts.add(inbound, update_id)
    return LATER


async def on_ask(message: Message, command: CommandObject, bursts: Bursts, update_id: int) -> object:
    """/ask and a question, as people know it from groups; here the question alone would do."""
    if not command.args:
        await reply(message, "ask_how")
        return None
    return await on_message(_without_command(message, command.args), bursts, update_id)


async def on_ask_edit(
    message: Message, command: CommandObject, porter: Porter, answers: Answers, update_id: int
) -> object:
    """The question behind /ask, changed."""
    return await on_edit(_without_command(message, command.args or ""), porter, answers, update_id)


def _without_command(message: Message, words: str) -> Message:
    return message.model_copy(update={"text": words, "entities": None})


async def on_edit(message: Message, porter: Porter, answers: Answers, update_id: int) -> object:
    """Words or a file changed after they were sent; what is no question is not looked at again."""
    inbound = to_inbound(message)
    if inbound is None or inbound.edited_at is None or message.location is not None:
        return None  # a live location moves once a minute
    brought = await porter.bring(inbound)
    if brought.parts:
        await answers.receive_edit(brought, update_id)
    return None


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
    router.message.register(on_message, private)
    router.edited_message.register(on_ask_edit, private, Command("ask"))
    router.edited_message.register(on_edit, private)
    router.stopped_message_generation.register(on_stop_button)
    router.my_chat_member.register(on_membership, private)
    return router
