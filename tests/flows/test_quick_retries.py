"""Whoever presses at once what they have only just seen: the bot does not know yet that they have."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from telegram_bot.dispatcher import Roles
from telegram_bot.playground.people import Person
from tests.fakes.anthropic import AnthropicStandIn
from tests.fakes.anthropic_script import Words
from tests.faults.telegram import AFTER, HeldTelegram
from tests.flows import books
from tests.flows.buttons import data_of, words_on
from tests.flows.conftest import TOKEN
from tests.people import ANNA

REACHES_US_SECONDS = 0.5  # a press and a command are with the bot's handlers by then


@pytest.fixture
async def telegram(settings: Any) -> AsyncIterator[HeldTelegram]:
    async with HeldTelegram.started(TOKEN) as playground:
        settings.TELEGRAM_BOT_TOKEN = TOKEN
        settings.TELEGRAM_API_URL = playground.url
        yield playground


async def test_try_again_may_be_pressed_before_the_bot_hears_that_its_sentence_arrived(
    starling: Roles, telegram: HeldTelegram, claude: AnthropicStandIn, anna: Person
):
    telegram.hold("sendMessage", ANNA, AFTER)
    claude.fail(400)
    claude.say(Words("Therefore."))
    await anna.send("Why?")
    sentence = await anna.wait_for(lambda message: words_on(message) == ["Try again"])
    await anna.press(sentence["message_id"], data_of(sentence, "Try again"))
    await asyncio.sleep(REACHES_US_SECONDS)
    telegram.drop()
    await anna.wait_for(lambda message: message["text"] == "Therefore.")
    assert not anna.answers[-1].get("text"), "no word that it cannot be tried again"
    assert await books.mismatches() == []


async def test_retry_may_be_written_before_the_bot_hears_that_its_answer_arrived(
    starling: Roles, telegram: HeldTelegram, claude: AnthropicStandIn, anna: Person
):
    telegram.hold("sendMessage", ANNA, AFTER)
    claude.say(Words("Because."))
    claude.say(Words("Therefore."))
    await anna.send("Why?")
    await anna.wait_for(lambda message: message["text"] == "Because.")
    await anna.send("/retry")
    await asyncio.sleep(REACHES_US_SECONDS)
    telegram.drop()
    await anna.wait_for(lambda message: message["text"] == "Therefore.")
    assert await books.mismatches() == []
