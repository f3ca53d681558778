"""The composition root: the bot, its handlers and what they are handed."""

import asyncio
from dataclasses import dataclass

import structlog
from aiogram import Bot, Dispatcher
from aiogram.client.telegram import TelegramAPIServer
from aiogram.types import (
    BotCommand,
    BotCommandScopeAllGroupChats,
    BotCommandScopeAllPrivateChats,
)
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from config.patience import patiently
from conversations.providers import available, transcriber
from conversations.titles import Named
from telegram_bot import services
from telegram_bot.announcer import Announcer
from telegram_bot.answering import Answers, new_owner
from telegram_bot.bursts import Burst, Bursts
from telegram_bot.cashier import Cashier
from telegram_bot.files import Porter
from telegram_bot.filters import look_in_the_loop
from telegram_bot.gate import Gate
from telegram_bot.handlers import (
    account,
    chat,
    commands,
    copying,
    groups,
    guests,
    payments,
    privacy,
    staff,
    threads,
    topics,
)
from telegram_bot.handlers import settings as preferences
from telegram_bot.inbox import TRIES_MAX, TRY_PAUSES, Inbox
from telegram_bot.intake import Inbound
from telegram_bot.naming import Names
from telegram_bot.outgoing import Destination, Unreachable
from telegram_bot.services import Desk
from telegram_bot.session import Session
from telegram_bot.texts import label, say
from telegram_bot.topics import name_topic
from tools.catalog import offered
from tools.long_runs import in_worker

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Roles:
    """The parts of a running bot that live as long as its process."""

    bot: Bot
    gate: Gate
    desk: Desk
    answers: Answers
    names: Names
    bursts: Bursts
    inbox: Inbox
    cashier: Cashier
    announcer: Announcer


def build() -> Roles:
    """Put the bot together from the settings. Raises ImproperlyConfigured, in words."""
    gate = Gate()
    session = Session(api=TelegramAPIServer.from_base(settings.TELEGRAM_API_URL))
    session.middleware(gate)
    bot = Bot(settings.TELEGRAM_BOT_TOKEN, session=session)
    desk = Desk(new_owner(), available(), in_worker(offered()))
    if settings.DEFAULT_MODEL not in desk.models:
        known = ", ".join(sorted(desk.models))
        raise ImproperlyConfigured(
            f"DEFAULT_MODEL is {settings.DEFAULT_MODEL!r}; it must be one of: {known}."
        )

    async def told(named: Named) -> None:
        await name_topic(bot, named.thread_id, named.title)

    names = Names(told=told)
    answers = Answers(bot, gate, desk, names)

    porter = Porter(bot, transcriber())

    async def hand_over(burst: Burst) -> None:
        await receive(roles, burst)

    def has_all(chat_id: int, until: float) -> bool:
        return inbox.has_all(chat_id, until)

    bursts = Bursts(porter.bring, hand_over, has_all)
    cashier = Cashier(bot)
    dispatcher = Dispatcher(answers=answers, bursts=bursts, desk=desk, porter=porter, cashier=cashier)
    dispatcher.message.outer_middleware(preferences.forget_question)
    dispatcher.include_routers(
        payments.router(),
        topics.router(),
        copying.router(),
        groups.router(),
        guests.router(),
        threads.router(),
        account.router(),
        preferences.router(),
        privacy.router(),
        staff.router(),
        commands.router(),
        chat.router(),
    )
    look_in_the_loop(dispatcher)
    inbox = Inbox(bot, dispatcher, bursts)
    roles = Roles(bot, gate, desk, answers, names, bursts, inbox, cashier, Announcer(bot, gate))
    return roles


async def receive(roles: Roles, burst: Burst) -> None:
    """Bring a burst into its conversation: three tries, then its updates are dead and the person is told."""
    update_ids = burst.update_ids
    for tries in range(1, TRIES_MAX + 1):
        try:
            inbounds = [inbound for inbound in await burst.brought() if inbound.parts]
            if inbounds:
                await roles.answers.receive(inbounds, update_ids)
            else:  # an album that was not for us, or files that could not be read: the person was told
                await patiently(services.mark_handled)(update_ids)
        except Exception as error:
            log.exception("burst.failed", updates=len(update_ids), tries=tries)
            if tries == TRIES_MAX:
                await patiently(services.mark_dead)(
                    update_ids, attempts=tries, error=f"{type(error).__name__}: {error}"
                )
                await _apologise(roles.bot, burst.last)
            else:
                await asyncio.sleep(TRY_PAUSES[tries - 1])
        else:
            break
    roles.inbox.burst_handled(update_ids)


async def _apologise(bot: Bot, inbound: Inbound) -> None:
    to = Destination(bot, inbound.chat_id, inbound.topic)
    try:
        await to.say(say("failure", inbound.sender.telegram_language.split("-")[0] or "en", key="crashed"))
    except Unreachable:
        return


async def set_menu(bot: Bot) -> None:
    """The commands menu, in every language the bot speaks: one for private chats, a shorter one for groups."""
    for scope, entries in (
        (BotCommandScopeAllPrivateChats(), commands.MENU),
        (BotCommandScopeAllGroupChats(), groups.GROUP_MENU),
    ):
        for code, _ in settings.LANGUAGES:
            menu = [
                BotCommand(
                    command=entry.command,
                    description=label(entry.description, code),
                    is_ephemeral=entry.is_ephemeral or None,
                )
                for entry in entries
            ]
            spoken = None if code == settings.LANGUAGE_CODE else code
            await bot.set_my_commands(menu, scope=scope, language_code=spoken)
    for code, _ in settings.LANGUAGES:  # what an older version said for every chat
        await bot.delete_my_commands(language_code=None if code == settings.LANGUAGE_CODE else code)
