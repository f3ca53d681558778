"""Sends announcements: at most 25 a second, politely around every ban, and each person once."""

import asyncio

import structlog
from aiogram import Bot
from aiogram.exceptions import (
    ClientDecodeError,
    TelegramAPIError,
    TelegramBadRequest,
    TelegramForbiddenError,
    TelegramNetworkError,
    TelegramNotFound,
    TelegramServerError,
)
from aiogram.methods import SendMessage
from aiohttp import ClientConnectorError

from config.patience import patiently
from telegram_bot import announcements
from telegram_bot.announcements import PER_SECOND, Letter, Outcome
from telegram_bot.gate import Gate
from telegram_bot.outgoing import NO_PREVIEW, Destination, Unreachable, entities_of, raise_if_gone
from telegram_bot.rendering import render

LOOK_SECONDS = 1.0  # between looks for something to send
AWAY_SECONDS = 30.0  # after Telegram could not be reached

log = structlog.get_logger(__name__)


class Announcer:
    """What it remembers is only what is in the air; the rows know the rest."""

    def __init__(self, bot: Bot, gate: Gate) -> None:
        self._bot, self._gate = bot, gate
        self._in_the_air: set[asyncio.Task[None]] = set()

    async def work(self) -> None:
        """Send what is to be sent, second by second, until nothing is."""
        await self._preview()
        while letters := await patiently(announcements.next_letters)():
            for delivery_id in letters:
                # Telegram's bans are about the bot as a whole more often than about one chat.
                if (seconds := self._gate.longest_ban()) > 0:
                    await asyncio.sleep(seconds)
                task = asyncio.create_task(self._deliver(delivery_id))
                self._in_the_air.add(task)
                task.add_done_callback(self._in_the_air.discard)
                await asyncio.sleep(1 / PER_SECOND)

    async def drain(self, seconds: float) -> None:
        """Let what is in the air arrive."""
        if self._in_the_air:
            await asyncio.wait(set(self._in_the_air), timeout=seconds)

    async def _preview(self) -> None:
        preview = await patiently(announcements.take_preview)()
        if preview is None:
            return
        telegram_id, texts = preview
        for text in texts:
            try:
                await Destination(self._bot, telegram_id).say(text)
            except Unreachable:
                return

    async def _deliver(self, delivery_id: int) -> None:
        letter = await patiently(announcements.claim)(delivery_id)
        if letter is None:
            return
        try:
            await self._bot(self._message(letter))
        except TelegramAPIError as error:
            await self._note(letter, error)
        except ClientDecodeError as error:
            await patiently(announcements.settle)(delivery_id, Outcome.UNKNOWN, str(error))
        else:
            await patiently(announcements.settle)(delivery_id, Outcome.SENT)

    @staticmethod
    def _message(letter: Letter) -> SendMessage:
        part = render(letter.text)
        return SendMessage(
            chat_id=letter.telegram_id,
            text=part.text,
            entities=entities_of(part) or None,
            parse_mode=None,
            link_preview_options=NO_PREVIEW,
        )

    async def _note(self, letter: Letter, error: TelegramAPIError) -> None:
        """Keep what Telegram said; only what certainly never left this machine is tried again."""
        log.info("announcement.not_sent", delivery=letter.delivery_id, reason=error.message[:200])
        if isinstance(error, TelegramForbiddenError | TelegramNotFound) or _nobody_left(error):
            await patiently(announcements.gone)(letter, error.message)
        elif isinstance(error, TelegramNetworkError) and isinstance(error.__cause__, ClientConnectorError):
            await patiently(announcements.wait_longer)(letter.delivery_id, AWAY_SECONDS)
        elif isinstance(error, TelegramNetworkError | TelegramServerError):
            await patiently(announcements.settle)(letter.delivery_id, Outcome.UNKNOWN, error.message)
        else:
            await patiently(announcements.settle)(letter.delivery_id, Outcome.REFUSED, error.message)


def _nobody_left(error: TelegramAPIError) -> bool:
    if isinstance(error, TelegramBadRequest):
        try:
            raise_if_gone(error)
        except Unreachable:
            return True
    return False
