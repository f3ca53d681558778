"""A whole Starling in this process: the real bot against a Telegram that listens on loopback."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest

from billing.price_sync import sync_prices
from config.aio import in_db
from telegram_bot import polling
from telegram_bot.dispatcher import Roles, build
from telegram_bot.playground.people import Person
from telegram_bot.playground.server import Playground
from tests.people import ANNA, BORIS

TOKEN = "1000000001:AAtestsAAtestsAAtestsAAtestsAAtests"


@pytest.fixture
async def telegram(settings) -> AsyncIterator[Playground]:
    async with Playground.started(TOKEN) as playground:
        settings.TELEGRAM_BOT_TOKEN = TOKEN
        settings.TELEGRAM_API_URL = playground.url
        yield playground


@pytest.fixture
async def starling(telegram: Playground, transactional_db: None, settings) -> AsyncIterator[Roles]:
    """The bot, running."""
    await in_db(sync_prices)()
    async with running() as roles:
        yield roles


@contextlib.asynccontextmanager
async def running() -> AsyncIterator[Roles]:
    roles = build()
    serving = asyncio.create_task(polling.serve(roles))
    try:
        yield roles
    finally:
        serving.cancel()
        await asyncio.gather(serving, return_exceptions=True)
        await polling.wind_down(roles)
        await roles.bot.session.close()


@pytest.fixture
def anna(telegram: Playground) -> Person:
    return telegram.person(ANNA, first_name="Anna", language_code="en")


@pytest.fixture
def boris(telegram: Playground) -> Person:
    return telegram.person(BORIS, first_name="Boris", language_code="ru")
