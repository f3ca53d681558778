"""A stand-in of the test's own, a real aiogram bot that talks to it, and plain HTTP beside it."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

import aiohttp
import pytest
from aiogram import Bot
from aiogram.client.session.aiohttp import AiohttpSession
from aiogram.client.telegram import TelegramAPIServer

from telegram_bot.playground import Person, Playground
from tests.waiting import eventually

ANNA = 1001

Json = dict[str, Any]
Ask = Callable[..., Awaitable[Json]]


@pytest.fixture
async def telegram() -> AsyncIterator[Playground]:
    async with Playground.started() as playground:
        yield playground


@pytest.fixture
async def bot(telegram: Playground) -> AsyncIterator[Bot]:
    async with bot_of(telegram) as bot:
        yield bot


class PlainSession(AiohttpSession):
    """aiogram's session without the quarter of a second its end waits for TLS."""

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()


def bot_of(telegram: Playground) -> AbstractAsyncContextManager[Bot]:
    session = PlainSession(api=TelegramAPIServer.from_base(telegram.url))
    return Bot(telegram.token, session=session).context()


async def until(is_so: Callable[[], bool], what: str) -> None:
    async def look() -> bool:
        return is_so()

    await eventually(look, what)


@pytest.fixture
async def http(telegram: Playground) -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(base_url=telegram.url) as session:
        yield session


@pytest.fixture
def ask(telegram: Playground, http: aiohttp.ClientSession) -> Ask:
    """Call a Bot API method with a JSON body; the whole answer, refused or not."""

    async def call(method: str, **arguments: Any) -> Json:
        async with http.post(f"/bot{telegram.token}/{method}", json=arguments) as response:
            answer: Json = await response.json()
            assert answer.get("error_code", 200) == response.status
            return answer

    return call


@pytest.fixture
def anna(telegram: Playground) -> Person:
    return telegram.person(ANNA)
