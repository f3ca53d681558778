"""Our stand-in for Telegram, and what it answers to the shared calls."""

from collections.abc import AsyncIterator

import aiohttp
import pytest

from telegram_bot.playground import Playground
from tests.oracles.asking import ANNA, FORUM, GROUP, Asked, Asking


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


@pytest.fixture
async def ours(http: aiohttp.ClientSession) -> list[Asked]:
    """Every shared call at our stand-in, with its answer."""
    async with Playground.started() as telegram:
        anna = telegram.person(ANNA)
        await anna.send("Hello")
        telegram.group(FORUM, "Forum", anna, is_forum=True, bot="administrator")
        telegram.group(GROUP, "Group", anna)
        return await Asking(http, f"{telegram.url}/bot{telegram.token}").all()
