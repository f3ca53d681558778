"""/threads: the conversations of a private chat, to go on with, to rename, to take off the list."""

import re

from aiogram import Bot, F, Router
from aiogram.enums import ChatType
from aiogram.exceptions import TelegramBadRequest
from aiogram.filters import Command
from aiogram.methods import EditMessageText
from aiogram.types import CallbackQuery, InlineKeyboardMarkup, Message

from config.aio import in_db
from conversations import shelf
from conversations.errors import NoThread
from conversations.shelf import Listed
from telegram_bot import people
from telegram_bot.answering import Answers
from telegram_bot.handlers import reply
from telegram_bot.intake import profile_of, topic_of
from telegram_bot.keyboards import ThreadPress, rows
from telegram_bot.outgoing import NO_PREVIEW, Destination, Unreachable, entities_of
from telegram_bot.rendering import render
from telegram_bot.texts import say
from telegram_bot.wording import clean

PAGE = 6  # conversations on one page of the list
# The link in our own question says which conversation gets the name that is replied.
RENAMING = re.compile(r"^https://t\.me/\w+\?start=rename_(\d+)$")


async def on_threads(message: Message) -> None:
    """The list, newest first; in a topic there is nothing to list: it is a conversation itself."""
    assert message.from_user is not None
    if topic_of(message) is not None:
        await reply(message, "threads_in_topics")
        return
    _, language = await in_db(people.known)(profile_of(message.from_user))
    words, keyboard = await _list(message.from_user.id, 0, language)
    try:
        await Destination(_bot_of(message), message.chat.id).say(words, keyboard=keyboard)
    except Unreachable:
        return


async def on_press(query: CallbackQuery, callback_data: ThreadPress, bot: Bot, answers: Answers) -> None:
    """Everything a button of the list does; each edits the list's own message."""
    press, person = callback_data, query.from_user.id
    _, language = await in_db(people.known)(profile_of(query.from_user))
    if press.person != person:
        await query.answer(say("old_button", language), show_alert=True)
        return
    try:
        match press.act:
            case "open":
                shown = await _one(await in_db(shelf.look_at)(person, press.thread), press, language)
            case "switch":
                await answers.stop(person)
                await in_db(shelf.switch_to)(person, press.thread)
                shown = await _list(person, press.page, language)
            case "delete":
                shown = await _sure(await in_db(shelf.look_at)(person, press.thread), press, language)
            case "gone":
                if await in_db(shelf.hide_thread)(person, press.thread):
                    await answers.stop(person)
                shown = await _list(person, press.page, language)
            case "rename":
                await _ask_for_name(bot, await in_db(shelf.look_at)(person, press.thread), person, language)
                await query.answer()
                return
            case _:
                shown = await _list(person, press.page, language)
    except NoThread:
        await query.answer(say("thread_gone", language), show_alert=True)
        return
    await query.answer()
    await _put(query, bot, *shown)


async def on_name(message: Message) -> None:
    """A reply to our question for a name: the name. Any other reply is a message like all."""
    assert message.from_user is not None
    assert message.reply_to_message is not None
    links = (entity.url for entity in message.reply_to_message.entities or [] if entity.url)
    found = next((match for link in links if (match := RENAMING.match(link))), None)
    assert found is not None, "the filter has found it"
    try:
        title = await in_db(shelf.rename_thread)(
            message.from_user.id, int(found[1]), clean(message.text or "")
        )
    except NoThread:
        await reply(message, "thread_gone")
        return
    await reply(message, "thread_renamed", title=title)


def is_a_name(message: Message) -> bool:
    """Is this the reply to our question for a name?"""
    asked = message.reply_to_message
    if asked is None or asked.from_user is None or not asked.from_user.is_bot:
        return False
    return any(RENAMING.match(entity.url or "") for entity in asked.entities or [])


async def _list(person: int, page: int, language: str) -> tuple[str, InlineKeyboardMarkup]:
    found, pages = await in_db(shelf.list_threads)(person, page=page, size=PAGE)
    page = min(max(page, 0), pages - 1)
    lines = [
        [(_titled(one), ThreadPress(act="open", person=person, thread=one.id, page=page))] for one in found
    ]
    turning = []
    if page > 0:
        turning.append(("‹", ThreadPress(act="list", person=person, page=page - 1)))
    if page < pages - 1:
        turning.append(("›", ThreadPress(act="list", person=person, page=page + 1)))
    return say("threads", language, any=bool(found), page=page + 1, pages=pages), rows(*lines, turning)


async def _one(one: Listed, press: ThreadPress, language: str) -> tuple[str, InlineKeyboardMarkup]:
    def to(act: str) -> ThreadPress:
        return press.model_copy(update={"act": act})

    go_on = [] if one.is_current else [(say("thread_switch", language), to("switch"))]
    change = [(say("thread_rename", language), to("rename")), (say("thread_delete", language), to("delete"))]
    back = [(say("threads_back", language), to("list"))]
    return say("thread", language, thread=one), rows(go_on, change, back)


async def _sure(one: Listed, press: ThreadPress, language: str) -> tuple[str, InlineKeyboardMarkup]:
    yes = (say("thread_delete", language), press.model_copy(update={"act": "gone"}))
    no = (say("threads_back", language), press.model_copy(update={"act": "open"}))
    return say("thread_sure", language, thread=one), rows([yes, no])


async def _ask_for_name(bot: Bot, one: Listed, person: int, language: str) -> None:
    me = await bot.me()
    link = f"https://t.me/{me.username}?start=rename_{one.id}"
    try:
        words = say("thread_name", language, thread=one, link=link)
        await Destination(bot, person).ask(words, say("thread_name_here", language))
    except Unreachable:
        return


async def _put(query: CallbackQuery, bot: Bot, words: str, keyboard: InlineKeyboardMarkup) -> None:
    """Show this in the place of the message whose button was pressed."""
    if query.message is None:
        return
    rendered = render(words)
    edit = EditMessageText(
        chat_id=query.message.chat.id,
        message_id=query.message.message_id,
        text=rendered.text,
        entities=entities_of(rendered) or None,
        parse_mode=None,
        link_preview_options=NO_PREVIEW,
        reply_markup=keyboard,
    )
    try:
        await bot(edit)
    except TelegramBadRequest as error:
        if "message is not modified" not in error.message:
            await Destination(bot, query.message.chat.id).say(words, keyboard=keyboard)


def _titled(one: Listed) -> str:
    return f"✓ {one.title}" if one.is_current else one.title


def _bot_of(message: Message) -> Bot:
    assert message.bot is not None
    return message.bot


def router() -> Router:
    """What leads here."""
    router = Router(name="threads")
    private = F.chat.type == ChatType.PRIVATE
    router.message.register(on_threads, private, Command("threads"))
    router.message.register(on_name, private, F.text, ~F.text.startswith("/"), is_a_name)
    router.callback_query.register(on_press, ThreadPress.filter())
    return router
