"""What Telegram should never send, and a network that is not there: a word each, and everybody else is served."""

import asyncio
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from config.aio import in_db
from telegram_bot.dispatcher import Roles
from telegram_bot.models import Update
from telegram_bot.playground.people import Person
from telegram_bot.playground.server import Playground
from tests.config.processes import free_port
from tests.fakes.anthropic import AnthropicStandIn
from tests.fakes.anthropic_script import Words
from tests.flows import books
from tests.flows.conftest import TOKEN, running
from tests.people import ANNA
from tests.waiting import eventually

ROOT = Path(__file__).resolve().parents[2]
SENDER = {"id": ANNA, "is_bot": False, "first_name": "Anna", "language_code": "en"}
CHAT = {"id": ANNA, "type": "private", "first_name": "Anna"}


def message(number: int, **content: Any) -> dict[str, Any]:
    return {"message": {"message_id": number, "date": 1_790_000_000, "from": SENDER, "chat": CHAT, **content}}


@pytest.mark.parametrize(
    "update",
    [
        {"message": "no object"},
        {"message": {"message_id": "x"}},
        {"a_kind_of_next_year": {"chat": CHAT}},
        message(7, text=["no", "text"]),
        {
            "message": {
                "message_id": 8,
                "date": 1_790_000_000,
                "chat": {"id": 2**70, "type": "private"},
                "text": "x",
            }
        },
        {},
    ],
)
async def test_a_malformed_update_is_put_aside_and_the_next_one_is_answered(
    starling: Roles, claude: AnthropicStandIn, anna: Person, telegram: Playground, update: dict[str, Any]
):
    number = telegram.state.updates.push_raw(update)
    claude.say(Words("Still here"))
    await anna.send("Are you there?")
    await anna.wait_for(lambda message: message["text"] == "Still here")

    async def handled() -> Update | None:
        return await in_db(Update.objects.filter(pk=number, handled_at__isnull=False).first)()

    await eventually(handled, "the update handled or given up")


async def test_nul_bytes_and_half_emoji_do_not_stop_a_question(
    starling: Roles, claude: AnthropicStandIn, telegram: Playground, anna: Person
):
    claude.say(Words("Understood"))
    telegram.state.updates.push_raw(message(9, text="Is \x00 this \ud83d right?"))
    await anna.wait_for(lambda message: message["text"] == "Understood")
    asked = claude.requests[0].body["messages"][0]["content"][0]["text"]
    assert asked == "Is  this \ufffd right?"


async def test_ten_megabytes_of_text_get_a_sentence(
    starling: Roles, claude: AnthropicStandIn, telegram: Playground, anna: Person
):
    telegram.state.updates.push_raw(message(10, text="long " * 2_000_000))
    reply = await anna.wait_for(lambda message: True)
    assert "too long" in reply["text"]
    assert claude.requests == []


async def test_an_update_delivered_again_is_answered_once(
    starling: Roles, claude: AnthropicStandIn, telegram: Playground, anna: Person
):
    update = message(11, text="Once?") | {"update_id": 42}
    for _ in range(3):
        telegram.state.updates.push_raw(json.loads(json.dumps(update)))
    await anna.wait_for(lambda message: True)
    await books.all_done()
    await anna.send("/help")
    await anna.wait_for(lambda message: "/balance" in message["text"])
    assert len(await books.turns()) == 1


async def test_without_a_network_the_bot_waits_and_then_answers(
    claude: AnthropicStandIn, transactional_db: None, settings: Any, caplog: pytest.LogCaptureFixture
):
    port = free_port()
    settings.TELEGRAM_BOT_TOKEN, settings.TELEGRAM_API_URL = TOKEN, f"http://127.0.0.1:{port}"
    claude.say(Words("Back again"))
    async with running():

        async def noticed() -> bool:
            return "telegram.away" in caplog.text

        await eventually(noticed, "words about Telegram being away")
        async with Playground.started(TOKEN, port=port) as telegram:
            anna = telegram.person(ANNA, first_name="Anna")
            await anna.send("Hello?")
            await anna.wait_for(lambda message: message["text"] == "Back again", seconds=30)
            await books.all_done()


async def test_a_wrong_token_ends_the_bot_with_one_sentence(
    telegram: Playground, process_environment: dict[str, str]
):
    environment = process_environment | {
        "TELEGRAM_BOT_TOKEN": "1000000002:BBtestsBBtestsBBtestsBBtestsBBtests",
        "TELEGRAM_API_URL": telegram.url,
    }
    ended = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "manage.py", "runbot"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert ended.returncode != 0
    assert "Telegram does not know TELEGRAM_BOT_TOKEN" in ended.stderr
    assert "Traceback" not in ended.stderr
    assert environment["TELEGRAM_BOT_TOKEN"] not in ended.stderr
