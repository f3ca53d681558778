"""A whole turn with Gemini behind the bot: a formula between the words, and the bill."""

from collections.abc import AsyncIterator
from decimal import Decimal

import pytest

from billing.price_sync import published
from telegram_bot.playground.people import Person
from telegram_bot.playground.server import Playground
from tests.fakes.gemini import GeminiStandIn
from tests.fakes.gemini_script import Thought, Use, Words
from tests.flows import books
from tests.flows.conftest import running
from tests.people import ANNA
from tests.providers.harness_gemini import pointed_at

MODEL = "gemini-3.8-flash"


@pytest.fixture
async def gemini(telegram: Playground, transactional_db: None, settings) -> AsyncIterator[GeminiStandIn]:
    """The bot, running, with Gemini behind it and no other vendor."""
    async with GeminiStandIn.started() as stand_in, pointed_at(stand_in.url, settings):
        settings.DEFAULT_MODEL = MODEL
        async with running():
            yield stand_in


async def test_gemini_draws_a_formula_goes_on_and_is_charged_to_the_nano_dollar(
    gemini: GeminiStandIn, anna: Person
):
    gemini.say(Thought("A formula."), Words("Here it is:"), Use("render_latex", {"latex": r"\lambda^{-4}"}))
    gemini.say(Thought("Done."), Words("That is Rayleigh's law."))
    await anna.send("Explain why the sky is blue, with a formula")
    await anna.wait_for(lambda message: "Rayleigh" in message.get("text", ""))
    assert [("photo" if "photo" in reply else reply["text"]) for reply in anna.replies] == [
        "Here it is:",
        "photo",
        "That is Rayleigh's law.",
    ]
    (turn,) = await books.all_done()
    listed = published(MODEL)
    owed = sum(
        (bill.prompt - bill.cached) * listed.input_mtok
        + bill.cached * listed.cache_read_mtok
        + (bill.candidates + bill.thoughts) * listed.output_mtok
        for bill in (request.bill for request in gemini.accepted)
    ) / Decimal(1_000_000)
    assert len(gemini.accepted) == turn.steps == 2
    assert turn.cost == owed > 0
    assert await books.balance_of(ANNA) == Decimal(1) - owed
    assert await books.mismatches() == []
