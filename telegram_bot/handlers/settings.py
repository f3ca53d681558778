"""What a person decides for themselves: the model, their instructions, the settings."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from aiogram import Bot, F, Router
from aiogram.enums import ChatType
from aiogram.filters import Command
from aiogram.types import CallbackQuery, InlineKeyboardMarkup, Message, TelegramObject

from accounts.models import User
from accounts.preferences import PREFERENCES, Preference, preference
from accounts.services import (
    INSTRUCTIONS_MAX,
    ask_for_instructions,
    language_of,
    set_preference,
    stop_asking,
)
from config.aio import in_db
from conversations.model_choice import Offer, choose_model, offers
from telegram_bot import people
from telegram_bot.handlers import reply
from telegram_bot.intake import profile_of
from telegram_bot.keyboards import (
    InstructionsPress,
    ModelPress,
    Option,
    Seal,
    SettingPress,
    choose,
    digest,
)
from telegram_bot.outgoing import Destination, Unreachable
from telegram_bot.presses import Pressed, answer, put, seal_for
from telegram_bot.services import Desk
from telegram_bot.texts import label, say

# /model ------------------------------------------------------------------------------------------


async def on_model(message: Message, desk: Desk) -> None:
    """Every model that can be asked now, with its price; the ticked one answers."""
    assert message.from_user is not None
    user = await in_db(people.person)(profile_of(message.from_user))
    found = await in_db(offers)(user, desk.models)
    seal = seal_for(message.from_user.id)
    await reply(message, "model", keyboard=_model_buttons(found, seal), **_models(found))


async def on_model_press(query: CallbackQuery, press: ModelPress, desk: Desk) -> None:
    """The tick moves, and the next question goes to that model."""
    user = await in_db(people.person)(profile_of(query.from_user))
    found = await in_db(offers)(user, desk.models)
    wanted = next((offer.id for offer in found if digest(offer.id) == press.digest), None)
    if wanted is None:
        await answer(query, say("model_not_offered", language_of(user)))
    else:
        user = await in_db(choose_model)(user.pk, wanted)
        found = await in_db(offers)(user, desk.models)
    words = say("model", language_of(user), **_models(found))
    await put(query, words, _model_buttons(found, seal_for(query.from_user.id)))


def _models(found: Sequence[Offer]) -> dict[str, object]:
    return {"models": found, "chosen": next((offer for offer in found if offer.is_chosen), None)}


def _model_buttons(found: Sequence[Offer], seal: Seal) -> InlineKeyboardMarkup:
    options = [Option(offer.name, ModelPress(digest=digest(offer.id)), offer.is_chosen) for offer in found]
    return choose(options, seal)


# /instructions -----------------------------------------------------------------------------------


async def on_instructions(message: Message) -> None:
    """What the person asks of every answer, and what can be done about it."""
    assert message.from_user is not None
    user = await in_db(people.person)(profile_of(message.from_user))
    keyboard = _instructions_buttons(user, seal_for(message.from_user.id))
    await reply(message, "instructions", keyboard=keyboard, **_instructions(user))


async def on_instructions_press(query: CallbackQuery, press: InstructionsPress, bot: Bot) -> None:
    """Edit: the next text is taken. Keep: it is not. Clear: there are none any more."""
    user = await in_db(people.person)(profile_of(query.from_user))
    seal, language = seal_for(query.from_user.id), language_of(user)
    if press.act == "edit":
        keep = Option(say("instructions_keep", language), InstructionsPress(act="keep"))
        await answer(query)
        try:
            await Destination(bot, query.from_user.id).say(
                say("instructions_ask", language, longest=INSTRUCTIONS_MAX), keyboard=choose([keep], seal)
            )
        except Unreachable:
            return
        await in_db(ask_for_instructions)(user.pk)  # last: nobody is asked by a message that never came
        return
    await in_db(stop_asking)(query.from_user.id)
    if press.act == "clear":
        user = await in_db(set_preference)(user.pk, instructions="")
    words = say("instructions", language, **_instructions(user))
    await put(query, words, _instructions_buttons(user, seal))


async def forget_question(
    handler: Callable[[TelegramObject, dict[str, Any]], Awaitable[Any]],
    event: TelegramObject,
    data: dict[str, Any],
) -> Any:
    """Any command in private means that the person will not write what they were asked for."""
    if (
        isinstance(event, Message)
        and event.chat.type == ChatType.PRIVATE
        and (event.text or "").startswith("/")
    ):
        await in_db(stop_asking)(event.chat.id)
    return await handler(event, data)


async def on_cancel(message: Message) -> None:
    """Whatever was asked is forgotten already, as by any command; this one only says so."""
    await reply(message, "cancelled")


def _instructions(user: User) -> dict[str, object]:
    return {"instructions": user.instructions, "longest": INSTRUCTIONS_MAX}


def _instructions_buttons(user: User, seal: Seal) -> InlineKeyboardMarkup:
    acts = ("edit", "clear") if user.instructions else ("edit",)
    language = language_of(user)
    options = [Option(say(f"instructions_{act}", language), InstructionsPress(act=act)) for act in acts]
    return choose(options, seal)


# /settings ---------------------------------------------------------------------------------------


async def on_settings(message: Message) -> None:
    """Every preference with what is chosen, and a button for each."""
    assert message.from_user is not None
    user = await in_db(people.person)(profile_of(message.from_user))
    keyboard = _setting_buttons(user, seal_for(message.from_user.id))
    await reply(message, "settings", keyboard=keyboard, rows=_settings(user))


async def on_setting_press(query: CallbackQuery, press: SettingPress) -> None:
    """Look at one preference, change it, or go back to all; all in the same message."""
    user = await in_db(people.person)(profile_of(query.from_user))
    seal, entry = seal_for(query.from_user.id), preference(press.name)
    if entry is None:
        await put(
            query, say("settings", language_of(user), rows=_settings(user)), _setting_buttons(user, seal)
        )
        return
    if choice := entry.choice(press.choice):
        user = await in_db(set_preference)(user.pk, **{entry.name: choice.value})
    words = say("setting", language_of(user), entry=entry, chosen=entry.chosen(user))
    await put(query, words, _choice_buttons(entry, user, seal))


def _settings(user: User) -> list[dict[str, object]]:
    return [{"title": entry.title, "chosen": entry.chosen(user).words} for entry in PREFERENCES]


def _setting_buttons(user: User, seal: Seal) -> InlineKeyboardMarkup:
    language = language_of(user)
    options = [Option(label(entry.title, language), SettingPress(name=entry.name)) for entry in PREFERENCES]
    return choose(options, seal)


def _choice_buttons(entry: Preference, user: User, seal: Seal) -> InlineKeyboardMarkup:
    language, chosen = language_of(user), entry.chosen(user)
    options = [
        Option(
            label(choice.words, language),
            SettingPress(name=entry.name, choice=choice.key),
            choice.key == chosen.key,
        )
        for choice in entry.offered
    ]
    back = Option(say("settings_back", language), SettingPress())
    return choose([*options, back], seal, columns=1)


def router() -> Router:
    """What leads here."""
    router = Router(name="settings")
    router.message.filter(F.chat.type == ChatType.PRIVATE)
    router.message.register(on_model, Command("model"))
    router.message.register(on_instructions, Command("instructions"))
    router.message.register(on_settings, Command("settings"))
    router.message.register(on_cancel, Command("cancel"))
    router.callback_query.register(on_model_press, Pressed(ModelPress))
    router.callback_query.register(on_instructions_press, Pressed(InstructionsPress))
    router.callback_query.register(on_setting_press, Pressed(SettingPress))
    return router
