"""The bot by webhook: what Telegram posts is stored before it is told 200, and only Telegram is believed."""

import asyncio
import contextlib
import json
import subprocess
import sys
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from django.core.exceptions import ImproperlyConfigured
from django.db import connection

from config.aio import in_db
from telegram_bot import polling
from telegram_bot.dispatcher import Roles, build
from telegram_bot.models import Update
from telegram_bot.playground.people import Person
from telegram_bot.playground.server import Playground
from telegram_bot.webhook import SECRET_HEADER, by_webhook, checked, keep_set
from tests.config.processes import free_port
from tests.conftest import ROOT
from tests.fakes.anthropic import AnthropicStandIn
from tests.fakes.anthropic_script import Words
from tests.waiting import eventually

SECRET = "a-secret-of-this-test"


@pytest.fixture
def address(settings: Any) -> str:
    port = free_port()
    settings.TELEGRAM_WEBHOOK_PORT = port
    settings.TELEGRAM_WEBHOOK_URL = f"http://127.0.0.1:{port}/telegram"
    settings.TELEGRAM_WEBHOOK_SECRET = SECRET
    return settings.TELEGRAM_WEBHOOK_URL


@pytest.fixture
async def starling(
    address: str, telegram: Playground, claude: AnthropicStandIn, transactional_db: None
) -> AsyncIterator[Roles]:
    async with posted_to() as roles:
        await eventually(lambda: is_set(telegram, address), "a webhook")
        yield roles


@contextlib.asynccontextmanager
async def posted_to() -> AsyncIterator[Roles]:
    """One bot from its start to an orderly end."""
    roles = build()
    serving = asyncio.create_task(polling.serve(roles, by_webhook))
    try:
        yield roles
    finally:
        serving.cancel()
        await asyncio.gather(serving, return_exceptions=True)
        await polling.wind_down(roles)
        await roles.bot.session.close()


async def is_set(telegram: Playground, address: str) -> bool:
    return telegram.state.webhook.url == address


async def post(address: str, body: bytes, secret: str = SECRET, **headers: str) -> int:
    async with (
        aiohttp.ClientSession() as http,
        http.post(address, data=body, headers={SECRET_HEADER: secret, **headers}) as answer,
    ):
        return answer.status


async def test_a_question_is_posted_stored_and_answered(
    starling: Roles, telegram: Playground, anna: Person, claude: AnthropicStandIn
) -> None:
    claude.say(Words("Because of Rayleigh."))
    sent = await anna.send("Why is the sky blue?")
    await anna.wait_for(lambda message: "Rayleigh" in message.get("text", ""), after=sent["message_id"])
    assert not [call for call in telegram.calls if call.method == "getUpdates"]
    [said] = [call for call in telegram.calls if call.method == "setWebhook"]
    assert said.params["secret_token"] == SECRET
    assert len(telegram.state.updates) == 0


async def test_nothing_is_taken_from_whoever_does_not_know_the_secret(starling: Roles, address: str) -> None:
    update = json.dumps({"update_id": 1, "message": {"message_id": 1}}).encode()
    assert await post(address, update, secret="") == 403
    assert await post(address, update, secret="another-secret-of-it") == 403
    assert await post(address, update, secret="", **{"X-Forwarded-For": "149.154.167.220"}) == 403
    assert await in_db(Update.objects.count)() == 0


async def test_what_is_no_update_does_not_come_again_and_again(starling: Roles, address: str) -> None:
    assert await post(address, b"{") == 400
    assert await post(address, b"[]") == 200
    assert await post(address, b'{"update_id": "x"}') == 200
    assert await in_db(Update.objects.count)() == 0


async def test_an_update_that_is_posted_twice_is_answered_once(
    starling: Roles, anna: Person, claude: AnthropicStandIn, address: str
) -> None:
    claude.say(Words("Once."))
    sent = await anna.send("Hello")
    await anna.wait_for(lambda message: "Once" in message.get("text", ""), after=sent["message_id"])
    [row] = await in_db(lambda: list(Update.objects.all()))()
    assert await post(address, row.payload.encode()) == 200
    assert len(claude.requests) == 1


async def test_telegram_is_told_200_only_when_the_update_is_stored(
    starling: Roles, anna: Person, address: str, claude: AnthropicStandIn
) -> None:
    """The table is locked for a moment: the answer waits for it."""
    locked, free = asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()

    def hold() -> None:
        with connection.cursor() as cursor:
            cursor.execute("BEGIN")
            cursor.execute("LOCK TABLE telegram_bot_update IN EXCLUSIVE MODE")
            loop.call_soon_threadsafe(locked.set)
            asyncio.run_coroutine_threadsafe(free.wait(), loop).result()
            cursor.execute("COMMIT")

    holding = asyncio.create_task(in_db(hold)())
    await locked.wait()
    message = {"message_id": 9, "date": 1, "chat": {"id": 7, "type": "channel", "title": "x"}}
    posting = asyncio.create_task(
        post(address, json.dumps({"update_id": 77, "edited_channel_post": message}).encode())
    )
    done, _ = await asyncio.wait({posting}, timeout=0.5)
    assert not done
    free.set()
    await holding
    assert await posting == 200
    assert await in_db(Update.objects.filter(pk=77).exists)()


async def test_a_webhook_that_somebody_took_away_is_set_again(
    starling: Roles, telegram: Playground, address: str
) -> None:
    await starling.bot.delete_webhook()
    await keep_set(starling.bot)
    assert await is_set(telegram, address)


async def test_what_was_posted_before_a_crash_is_handled_after_the_next_start(
    address: str, telegram: Playground, claude: AnthropicStandIn, transactional_db: None, anna: Person
) -> None:
    claude.say(Words("Late, but here."))
    sent = await anna.send("Are you there?")
    [update] = telegram.state.updates.waiting()
    row = {
        "update_id": update["update_id"],
        "payload": json.dumps(update),
        "kind": "message",
        "lane": anna.profile.id,
    }
    await in_db(Update.objects.create)(**row)  # stored and answered with 200, and then the process was killed
    async with posted_to():
        await anna.wait_for(lambda message: "Late" in message.get("text", ""), after=sent["message_id"])
    assert len(claude.requests) == 1


@pytest.mark.parametrize(
    ("url", "secret", "words"),
    [
        ("", SECRET, "needs TELEGRAM_WEBHOOK_URL"),
        ("https://bot.example.org/telegram", "", "needs TELEGRAM_WEBHOOK_SECRET"),
        ("https://bot.example.org/telegram", "short", "needs TELEGRAM_WEBHOOK_SECRET"),
        ("https://bot.example.org/telegram", "sixteen and more", "needs TELEGRAM_WEBHOOK_SECRET"),
    ],
    ids=["no address", "no secret", "a secret to guess", "a secret Telegram does not take"],
)
def test_an_address_and_a_secret_are_insisted_on(settings: Any, url: str, secret: str, words: str) -> None:
    settings.TELEGRAM_WEBHOOK_URL, settings.TELEGRAM_WEBHOOK_SECRET = url, secret
    with pytest.raises(ImproperlyConfigured, match=words):
        checked()


@pytest.mark.processes
def test_the_command_does_not_start_without_them_and_says_so_in_a_sentence(
    process_environment: dict[str, str],
) -> None:
    done = subprocess.run(
        [sys.executable, "manage.py", "runbot", "--webhook"],
        cwd=ROOT,
        env=process_environment | {"TELEGRAM_WEBHOOK_URL": "https://bot.example.org/telegram"},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode != 0
    assert done.stderr.startswith("Starling cannot start: runbot --webhook needs TELEGRAM_WEBHOOK_SECRET")
    assert "Traceback" not in done.stderr
