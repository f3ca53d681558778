"""A whole Starling in this process: the real bot against a Telegram and a Claude that listen on loopback."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest

from config.aio import settle_threads
from conversations.providers import claude as claude_provider
from telegram_bot import polling
from telegram_bot.dispatcher import Roles, build
from telegram_bot.playground.members import GroupChat, Member
from telegram_bot.playground.people import Person
from telegram_bot.playground.server import Playground
from tests.fakes.anthropic import AnthropicStandIn
from tests.people import ANNA, BORIS, DALIA

TOKEN = "1000000001:AAtestsAAtestsAAtestsAAtestsAAtests"
MODEL = "claude-haiku-5-5"
GROUP = -1001000000001


@pytest.fixture
async def telegram(settings) -> AsyncIterator[Playground]:
    async with Playground.started(TOKEN) as playground:
        settings.TELEGRAM_BOT_TOKEN = TOKEN
        settings.TELEGRAM_API_URL = playground.url
        yield playground


@pytest.fixture
async def claude(settings) -> AsyncIterator[AnthropicStandIn]:
    """Claude's wire; what it says is queued by the test, or by itself."""
    async with AnthropicStandIn.started() as stand_in:
        settings.ANTHROPIC_API_KEY = "sk-ant-tests"
        settings.ANTHROPIC_BASE_URL = stand_in.url
        settings.DEFAULT_MODEL = MODEL
        claude_provider.client.cache_clear()
        yield stand_in
        await claude_provider.client().close()
        claude_provider.client.cache_clear()


@pytest.fixture
async def starling(
    telegram: Playground, claude: AnthropicStandIn, transactional_db: None
) -> AsyncIterator[Roles]:
    """The bot, running, with Claude behind it."""
    async with running() as roles:
        yield roles


@contextlib.asynccontextmanager
async def running() -> AsyncIterator[Roles]:
    """One bot from its start to an orderly end."""
    roles = build()
    serving = asyncio.create_task(polling.serve(roles))
    try:
        yield roles
    finally:
        serving.cancel()
        await asyncio.gather(serving, return_exceptions=True)
        await polling.wind_down(roles)
        await roles.bot.session.close()
        # A cancelled task leaves its thread behind: before the tables are emptied, it has to be done.
        await asyncio.to_thread(settle_threads)


@pytest.fixture
def anna(telegram: Playground) -> Person:
    return telegram.person(ANNA, first_name="Anna", language_code="en")


@pytest.fixture
def boris(telegram: Playground) -> Person:
    return telegram.person(BORIS, first_name="Boris", language_code="ru")


@pytest.fixture
def dalia(telegram: Playground) -> Person:
    return telegram.person(DALIA, first_name="Dalia", language_code="ar")


@pytest.fixture
def group(telegram: Playground, anna: Person, boris: Person) -> GroupChat:
    return telegram.group(GROUP, "Hiking", anna, boris)


@pytest.fixture
def anna_there(group: GroupChat) -> Member:
    return group.member(ANNA)


@pytest.fixture
def boris_there(group: GroupChat) -> Member:
    return group.member(BORIS)
