"""Commands, in one registry that makes the menu and /help."""

from dataclasses import dataclass
from typing import Any

from aiogram import F, Router
from aiogram.enums import ChatType
from aiogram.filters import Command
from aiogram.types import CallbackQuery, Message
from django.utils.translation import gettext_lazy as _

from config.aio import in_db
from conversations.errors import NotARetry
from telegram_bot import people
from telegram_bot.answering import Answers
from telegram_bot.endings import itemised
from telegram_bot.handlers import reply
from telegram_bot.handlers.chat import on_ask
from telegram_bot.intake import profile_of, topic_of
from telegram_bot.keyboards import ReceiptPress, RetryPress
from telegram_bot.presses import Pressed, answer, is_somebody_elses, put
from telegram_bot.services import Desk
from telegram_bot.texts import say


@dataclass(frozen=True, slots=True)
class MenuEntry:
    """One command as a person reads it; an ephemeral one is seen by nobody but who sends it and the bot."""

    command: str
    description: Any  # lazy words
    is_ephemeral: bool = False


MENU = [
    MenuEntry("start", _("what I can do")),
    MenuEntry("new", _("start a fresh conversation")),
    MenuEntry("threads", _("your conversations")),
    MenuEntry("stop", _("stop the answer")),
    MenuEntry("retry", _("ask your last question again")),
    MenuEntry("model", _("choose the model that answers")),
    MenuEntry("instructions", _("what I keep to in every answer")),
    MenuEntry("settings", _("language, receipts, limits and more")),
    MenuEntry("balance", _("see your balance")),
    MenuEntry("pay", _("top up with Stars")),
    MenuEntry("redeem", _("redeem a code")),
    MenuEntry("gift", _("give somebody dollars")),
    MenuEntry("refund", _("get Stars back")),
    MenuEntry("paysupport", _("help with a payment")),
    MenuEntry("terms", _("terms of payment")),
    MenuEntry("export", _("get everything of yours as a file")),
    MenuEntry("delete", _("erase what you wrote and what I know of you")),
    MenuEntry("privacy", _("what is kept, for how long, who sees it")),
    MenuEntry("help", _("all commands")),
]


async def on_start(message: Message) -> None:
    """Who I am, what you have, one thing to try."""
    assert message.from_user is not None
    balance = await in_db(people.welcome)(profile_of(message.from_user))
    await reply(message, "start", name=message.from_user.first_name, balance=balance)


async def on_help(message: Message) -> None:
    await reply(message, "help", menu=MENU)


async def on_new(message: Message, desk: Desk, answers: Answers) -> None:
    """A fresh thread; what is being answered in the old one is stopped and kept."""
    assert message.from_user is not None
    await answers.stop(message.chat.id, topic_of(message))
    await in_db(people.start_over)(
        profile_of(message.from_user),
        chat_telegram_id=message.chat.id,
        chat_title=message.chat.full_name,
        topic=topic_of(message),
        tools=list(desk.tools.values()),
    )
    await reply(message, "new")


async def on_stop(message: Message, answers: Answers) -> None:
    """Stop the answer under way; it says itself that it was stopped."""
    if not await answers.stop(message.chat.id, topic_of(message)):
        await reply(message, "nothing_to_stop")


async def on_retry(message: Message, answers: Answers) -> None:
    """The last question of this lane, asked again: one that was answered is answered anew."""
    assert message.from_user is not None
    user_id = (await in_db(people.person)(profile_of(message.from_user))).pk
    try:
        await answers.retry_lane(message.chat.id, topic_of(message), user_id)
    except NotARetry:
        await reply(message, "nothing_to_retry")


async def on_unknown_command(message: Message) -> None:
    await reply(message, "unknown_command")


async def on_retry_press(query: CallbackQuery, press: RetryPress, answers: Answers) -> None:
    """Ask a broken-off turn again."""
    user_id, language = await in_db(people.known)(profile_of(query.from_user))
    try:
        await answers.retry(press.turn, user_id)
    except NotARetry:
        await answer(query, say("retry_gone", language))
        return
    await answer(query)


async def on_receipt_press(query: CallbackQuery, press: ReceiptPress) -> None:
    """What made up the cost, in the receipt's own place."""
    user_id, language = await in_db(people.known)(profile_of(query.from_user))
    words = await in_db(itemised)(press.turn, user_id)
    if words is None:
        await put(query, say("receipt_gone", language))
    else:
        await put(query, words.text, words.keyboard)


async def on_unknown_button(query: CallbackQuery) -> None:
    """Somebody else's button, one of an older version, or none of ours."""
    _, language = await in_db(people.known)(profile_of(query.from_user))
    await answer(query, say("not_yours" if is_somebody_elses(query) else "old_button", language))


def router() -> Router:
    """What leads here."""
    router = Router(name="commands")
    router.message.filter(F.chat.type == ChatType.PRIVATE)
    router.message.register(on_start, Command("start"))
    router.message.register(on_help, Command("help"))
    router.message.register(on_new, Command("new"))
    router.message.register(on_stop, Command("stop"))
    router.message.register(on_retry, Command("retry"))
    router.message.register(on_ask, Command("ask"))
    router.message.register(on_unknown_command, F.text.startswith("/"))
    router.callback_query.register(on_retry_press, Pressed(RetryPress))
    router.callback_query.register(on_receipt_press, Pressed(ReceiptPress))
    router.callback_query.register(on_unknown_button)
    return router
