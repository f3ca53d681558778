"""Webhooks: updates are posted until they are taken, one after the other within a chat."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiogram import Bot
from aiogram.exceptions import TelegramConflictError
from aiohttp import web

from telegram_bot.playground import Person, Playground
from tests.playground.conftest import Ask, until


class Receiver:
    """A bot's own web server that notes what comes and answers what the test says."""

    def __init__(self) -> None:
        self.url = ""
        self.taken: asyncio.Queue[tuple[str, str | None]] = asyncio.Queue()
        self.statuses: list[int] = []
        self.gate = asyncio.Event()
        self.gate.set()

    async def receive(self, request: web.Request) -> web.Response:
        update = await request.json()
        text = update.get("message", {}).get("text", "")
        await self.taken.put((text, request.headers.get("X-Telegram-Bot-Api-Secret-Token")))
        await self.gate.wait()
        status = self.statuses.pop(0) if self.statuses else 200
        return web.Response(status=status, headers={"Retry-After": "0"} if status != 200 else {})

    async def next(self) -> tuple[str, str | None]:
        async with asyncio.timeout(5):
            return await self.taken.get()


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    receiver = Receiver()
    app = web.Application()
    app.router.add_post("/hook", receiver.receive)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    receiver.url = f"http://127.0.0.1:{runner.addresses[0][1]}/hook"
    yield receiver
    receiver.gate.set()
    await runner.cleanup()


async def until_empty(telegram: Playground) -> None:
    await until(lambda: not len(telegram.state.updates), "every update taken")


async def test_updates_are_posted_with_the_secret(
    telegram: Playground, bot: Bot, anna: Person, receiver: Receiver
):
    await anna.send("waiting already")
    await bot.set_webhook(receiver.url, secret_token="s3cret")
    assert await receiver.next() == ("waiting already", "s3cret")
    await anna.send("live")
    assert await receiver.next() == ("live", "s3cret")
    await until_empty(telegram)
    info = await bot.get_webhook_info()
    assert (info.url, info.pending_update_count, info.max_connections) == (receiver.url, 0, 40)


async def test_an_update_is_repeated_until_it_is_taken(
    telegram: Playground, bot: Bot, anna: Person, receiver: Receiver
):
    receiver.statuses = [500, 503]
    await bot.set_webhook(receiver.url)
    await anna.send("again")
    assert [await receiver.next() for _ in range(3)] == [("again", None)] * 3
    await until_empty(telegram)
    info = await bot.get_webhook_info()
    assert info.last_error_message == "Wrong response from the webhook: 503 Service Unavailable"


async def test_a_chat_waits_for_its_earlier_update_and_other_chats_do_not(
    telegram: Playground, bot: Bot, anna: Person, receiver: Receiver
):
    receiver.gate.clear()
    await bot.set_webhook(receiver.url)
    await anna.send("first")
    await anna.send("second")
    await telegram.person(1002).send("other chat")
    assert {(await receiver.next())[0], (await receiver.next())[0]} == {"first", "other chat"}
    assert receiver.taken.empty()
    receiver.gate.set()
    assert (await receiver.next())[0] == "second"


async def test_a_server_that_is_away_loses_nothing(telegram: Playground, bot: Bot, anna: Person):
    await bot.set_webhook("http://127.0.0.1:9/hook")
    await anna.send("kept")
    await until(lambda: telegram.state.webhook.error is not None, "a failed delivery")
    await bot.delete_webhook()
    (update,) = await bot.get_updates()
    assert update.message is not None
    assert update.message.text == "kept"


async def test_polling_and_a_webhook_exclude_each_other(
    telegram: Playground, bot: Bot, anna: Person, receiver: Receiver
):
    poll = asyncio.create_task(bot.get_updates(timeout=30))
    await until(lambda: telegram.state.updates.is_polled, "a getUpdates that waits")
    await bot.set_webhook(receiver.url)
    with pytest.raises(TelegramConflictError, match="terminated by setWebhook request"):
        await poll
    with pytest.raises(TelegramConflictError, match="can't use getUpdates method while webhook is active"):
        await bot.get_updates()
    await bot.set_webhook("")
    assert await bot.get_updates() == []


async def test_pending_updates_can_be_dropped(bot: Bot, anna: Person):
    await anna.send("old")
    await bot.delete_webhook(drop_pending_updates=True)
    assert await bot.get_updates() == []


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"url": "http://example.com/hook"}, "bad webhook: An HTTPS URL must be provided for webhook"),
        (
            {"url": "https://example.com/", "secret_token": "not allowed!"},
            "secret token contains unallowed characters",
        ),
    ],
)
async def test_a_wrong_webhook_is_refused(ask: Ask, arguments: dict[str, Any], words: str):
    assert (await ask("setWebhook", **arguments))["description"] == f"Bad Request: {words}"
    assert (await ask("getWebhookInfo"))["result"]["url"] == ""
