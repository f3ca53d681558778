"""The bot process: in good order from its start to its end."""

import asyncio
import gc
import signal
import time
from collections.abc import Awaitable, Callable, Coroutine
from functools import partial
from typing import Any

import structlog
from aiogram.exceptions import TelegramAPIError, TelegramNotFound, TelegramUnauthorizedError
from django.conf import settings
from django.db import InterfaceError, OperationalError

from billing.price_sync import seed_prices
from config.aio import in_db
from config.patience import patiently
from conversations import write_behind
from telegram_bot.announcer import LOOK_SECONDS
from telegram_bot.answering import RECOVER_SECONDS, RENEW_SECONDS
from telegram_bot.cashier import RECONCILE_SECONDS
from telegram_bot.deliveries import DELIVER_SECONDS, deliver_exports
from telegram_bot.dispatcher import Roles, build, set_menu
from telegram_bot.inbox import AWAY_PAUSES, DEAF_SECONDS, WrongToken

log = structlog.get_logger(__name__)

ALIVE = settings.LOCAL / "bot-alive"
GRACE_SECONDS = 20.0  # what is nearly done may be done; nothing depends on it


# How updates come in: for ever, until cancelled.
Intake = Callable[[Roles], Coroutine[Any, Any, None]]


async def by_polling(roles: Roles) -> None:
    """Ask Telegram for updates, after clearing a webhook that would keep them from us. Raises WrongToken."""
    try:
        await roles.bot.delete_webhook()
    except TelegramAPIError as error:
        log.warning("telegram.webhook_not_deleted", reason=str(error)[:200])
    await roles.inbox.poll()


async def run(intake: Intake = by_polling) -> None:
    """Be the bot until SIGTERM or SIGINT. Raises WrongToken."""
    roles = build()
    # What is here by now stays: to look through its 300,000 objects takes 200 ms in which no chat goes on.
    gc.collect()
    gc.freeze()
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    try:
        serving = asyncio.create_task(serve(roles, intake))
        stopped = asyncio.create_task(stopping.wait())
        await asyncio.wait({serving, stopped}, return_when=asyncio.FIRST_COMPLETED)
        stopped.cancel()
        if serving.done():
            serving.result()
        serving.cancel()
        await asyncio.gather(serving, return_exceptions=True)
        log.info("bot.stopping")
        await wind_down(roles)
    finally:
        await roles.bot.session.close()
    log.info("bot.stopped")


async def serve(roles: Roles, intake: Intake = by_polling) -> None:
    """Do everything a running bot does, until cancelled. Raises WrongToken."""
    await patiently(seed_prices)()
    await _greet_telegram(roles)
    if updates := await roles.inbox.recover():  # before anything new comes in: nothing overtakes what waits
        log.info("bot.recovered", updates=updates, turns=0)
    async with asyncio.TaskGroup() as group:
        group.create_task(_every(RECOVER_SECONDS, partial(_recover, roles), at_once=True))
        group.create_task(_every(RENEW_SECONDS, roles.answers.renew))
        group.create_task(_every(RENEW_SECONDS, in_db(write_behind.keep_up)))
        group.create_task(_every(RENEW_SECONDS, partial(_show_life, roles), at_once=True))
        group.create_task(_every(RECOVER_SECONDS, roles.cashier.recover, at_once=True))
        group.create_task(_every(RECONCILE_SECONDS, roles.cashier.reconcile, at_once=True))
        group.create_task(_every(DELIVER_SECONDS, partial(deliver_exports, roles.bot), at_once=True))
        group.create_task(_every(LOOK_SECONDS, roles.announcer.work))
        group.create_task(intake(roles))


async def _greet_telegram(roles: Roles) -> None:
    """Find out who we are, and show the menu; patient while offline."""
    tries = 0
    while True:
        try:
            me = await roles.bot.me()
        except (TelegramUnauthorizedError, TelegramNotFound) as error:
            raise WrongToken from error
        except TelegramAPIError as error:
            pause = AWAY_PAUSES[min(tries, len(AWAY_PAUSES) - 1)]
            log.warning("telegram.away", reason=str(error)[:200], again_in=pause)
            await asyncio.sleep(pause)
            tries += 1
        else:
            break
    try:
        await set_menu(roles.bot)
    except TelegramAPIError as error:  # a menu is worth a warning, not a silent bot
        log.warning("telegram.menu_not_set", reason=str(error)[:200])
    log.info("bot.started", username=me.username, models=len(roles.desk.models), tools=len(roles.desk.tools))


async def _recover(roles: Roles) -> None:
    """Hand out and take up what a crash left behind."""
    updates = await roles.inbox.recover()
    turns = await roles.answers.recover()
    await roles.names.recover()
    if updates or turns:
        log.info("bot.recovered", updates=updates, turns=turns)


async def _show_life(roles: Roles) -> None:
    """Touch a file while Telegram is heard: what a container's health check looks at."""
    if time.monotonic() - roles.inbox.last_poll < DEAF_SECONDS:
        ALIVE.parent.mkdir(exist_ok=True)
        ALIVE.touch()


async def _every(seconds: float, work: Callable[[], Awaitable[object]], *, at_once: bool = False) -> None:
    """Do something regularly; a database that is away is waited for, and nothing else is forgiven."""
    if not at_once:
        await asyncio.sleep(seconds)
    while True:
        try:
            await work()
        except (OperationalError, InterfaceError) as error:
            log.warning("database.away", reason=type(error).__name__)
        await asyncio.sleep(seconds)


async def wind_down(roles: Roles) -> None:
    """Finish what is nearly done and give the rest up to whoever comes next."""
    await roles.inbox.drain(GRACE_SECONDS / 4)
    await roles.bursts.settle_all(GRACE_SECONDS / 8)
    await roles.answers.drain(GRACE_SECONDS / 2)
    await asyncio.gather(roles.cashier.drain(GRACE_SECONDS / 8), roles.announcer.drain(GRACE_SECONDS / 8))
    await roles.names.end()
    await in_db(write_behind.keep_up)()
