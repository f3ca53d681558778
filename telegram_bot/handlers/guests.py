"""Guest mode: asked in a chat the bot is not in, it answers there with one message. Who asks pays."""

import re

import structlog
from aiogram import Bot, F, Router
from aiogram.exceptions import TelegramAPIError
from aiogram.filters import CommandObject, CommandStart
from aiogram.methods import AnswerGuestQuery
from aiogram.types import InlineQueryResultArticle, InputTextMessageContent, Message

from config.aio import in_db
from conversations import shelf
from conversations.contracts import TextDelta
from conversations.errors import NoThread
from conversations.files import ThreadFiles
from conversations.guests import whole_answer
from conversations.loop import FileReady, replay
from conversations.parts import Text
from telegram_bot import people
from telegram_bot.addressing import is_a_person, quoted, said
from telegram_bot.answering import Answers
from telegram_bot.guests import REST
from telegram_bot.handlers import commands, reply
from telegram_bot.intake import TEXT_MAX, profile_of
from telegram_bot.outgoing import NO_PREVIEW, Destination, Unreachable
from telegram_bot.services import Desk, take_in_guest
from telegram_bot.texts import say
from telegram_bot.wording import clean

log = structlog.get_logger(__name__)


async def on_guest_message(message: Message, bot: Bot, answers: Answers, desk: Desk, update_id: int) -> None:
    """A stub at once, since the window closes soon; the answer is written into it."""
    if message.guest_query_id is None or message.from_user is None or not is_a_person(message):
        return
    sender = profile_of(message.from_user)
    language = await in_db(people.guest_language)(sender)
    if language is None:
        return
    me = await bot.me()
    words, quote = clean(said(message, me)), clean(quoted(message, me))
    asks = bool((words or quote).strip()) and len(words) <= TEXT_MAX
    stub = say("guest_thinking", language) if asks else say("group_hint", language, username=me.username)
    try:
        placed = await bot(AnswerGuestQuery(guest_query_id=message.guest_query_id, result=_article(stub)))
    except TelegramAPIError as error:  # too late, or answered before a crash: there is no other way in
        log.warning("guest.not_answered", update=update_id, reason=error.message)
        return
    if not asks:
        return
    claim = await in_db(take_in_guest)(
        sender,
        (Text(quote + words),),
        guest_message=placed.inline_message_id,
        update_id=update_id,
        desk=desk,
    )
    if claim is not None:
        answers.begin(claim)


def _article(words: str) -> InlineQueryResultArticle:
    content = InputTextMessageContent(message_text=words, parse_mode=None, link_preview_options=NO_PREVIEW)
    return InlineQueryResultArticle(id="answer", title=words[:64], input_message_content=content)


async def on_rest(message: Message, command: CommandObject, bot: Bot) -> None:
    """The link below a guest's answer: all of it, and from here on the conversation goes on in private."""
    assert message.from_user is not None
    found = await in_db(whole_answer)(int((command.args or "").removeprefix(REST)), message.from_user.id)
    if found is None:
        await commands.on_start(message)
        return
    thread, rows = found
    to = Destination(bot, message.chat.id)
    try:
        words = ""
        for event in replay(rows):
            if isinstance(event, TextDelta):
                words += event.text
            elif isinstance(event, FileReady):
                if words.strip():
                    await to.say(words)
                words = ""
                _, content = await ThreadFiles(thread).read(event.delivery.file.id)
                await to.file(event.delivery, content)
        if words.strip():
            await to.say(words)
    except Unreachable:
        return
    try:
        await in_db(shelf.switch_to)(message.from_user.id, thread)
    except NoThread:
        return
    await reply(message, "guest_goes_on")


def router() -> Router:
    """What leads here."""
    router = Router(name="guests")
    router.guest_message.register(on_guest_message)
    wanted = CommandStart(deep_link=True, magic=F.args.regexp(re.compile(rf"^{REST}\d{{1,18}}$")))
    router.message.register(on_rest, F.chat.type == "private", wanted)
    return router
