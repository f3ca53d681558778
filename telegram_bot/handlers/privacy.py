"""A person and what is kept of them: to see it, to take it along, to have it erased."""

import asyncio
import time

from aiogram import F, Router
from aiogram.enums import ChatType
from aiogram.filters import Command
from aiogram.types import CallbackQuery, Message

from accounts.preferences import preference
from accounts.services import language_by_telegram, language_of
from config.aio import in_db
from conversations.erasing import StillAnswering
from telegram_bot import people
from telegram_bot.answering import Answers
from telegram_bot.exports import request_export
from telegram_bot.handlers import reply
from telegram_bot.intake import profile_of
from telegram_bot.keeping import erase_person
from telegram_bot.keyboards import ErasePress, Option, choose
from telegram_bot.presses import Pressed, answer, put, seal_for
from telegram_bot.services import KEPT_FOR, Desk
from telegram_bot.tasks import gather_soon
from telegram_bot.texts import say
from tools.sandbox import sandbox

STOPPING_SECONDS = 8.0  # for an answer under way to be stopped, kept and charged
TRY_EVERY_SECONDS = 0.2
# As the makers of models call themselves; the demo makes its answers here.
VENDORS = {"anthropic": "Anthropic", "google": "Google", "openai": "OpenAI"}


async def on_privacy(message: Message, desk: Desk) -> None:
    """What is kept, for how long, and who sees it."""
    assert message.from_user is not None
    user = await in_db(people.person)(profile_of(message.from_user))
    retention = preference("retention")
    assert retention is not None
    vendors = sorted({VENDORS[model.vendor] for model in desk.models.values() if model.vendor in VENDORS})
    kept = retention.chosen(user)
    place = sandbox()
    runs_python = place.company if place else ""
    names = ", ".join(vendors)
    await reply(
        message, "privacy", vendors=names, runs_python=runs_python, kept=kept, inbox_days=KEPT_FOR.days
    )


async def on_export(message: Message) -> None:
    """Promise everything of theirs; a worker gathers it, and it comes by itself."""
    assert message.from_user is not None
    user = await in_db(people.person)(profile_of(message.from_user))
    export_id = await in_db(request_export)(user.pk, language_of(user))
    await reply(message, "export_promised" if export_id is not None else "export_under_way")
    if export_id is not None:
        await in_db(gather_soon)(export_id)


async def on_delete(message: Message) -> None:
    """Say exactly what goes and what stays, and ask."""
    assert message.from_user is not None
    user = await in_db(people.person)(profile_of(message.from_user))
    language, seal = language_of(user), seal_for(message.from_user.id)
    options = [Option(say(f"erase_{word}", language), ErasePress(answer=word)) for word in ("yes", "no")]
    await reply(message, "erase_ask", keyboard=choose(options, seal, columns=1), balance=user.balance)


async def on_erase_press(query: CallbackQuery, press: ErasePress, answers: Answers) -> None:
    """Erase, once nothing of theirs is being answered any more; or keep everything."""
    person = query.from_user
    language = await in_db(language_by_telegram)(person.id, person.language_code or "")
    if press.answer != "yes":
        await put(query, say("erase_kept", language))
    elif await _erase(person.id, answers):
        await put(query, say("erased", language))
    else:
        await answer(query, say("erase_later", language))


async def _erase(telegram_id: int, answers: Answers) -> bool:
    """False when an answer could not be stopped in time: another process may be at it."""
    give_up_at = time.monotonic() + STOPPING_SECONDS
    while time.monotonic() < give_up_at:
        await answers.stop_person(telegram_id)
        try:
            await in_db(erase_person)(telegram_id)
        except StillAnswering:
            await asyncio.sleep(TRY_EVERY_SECONDS)
        else:
            return True
    return False


def router() -> Router:
    """What leads here."""
    router = Router(name="privacy")
    router.message.filter(F.chat.type == ChatType.PRIVATE)
    router.message.register(on_privacy, Command("privacy"))
    router.message.register(on_export, Command("export"))
    router.message.register(on_delete, Command("delete"))
    router.callback_query.register(on_erase_press, Pressed(ErasePress))
    return router
