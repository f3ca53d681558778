"""The same bot with OpenAI behind it: what a person sees, and what it costs them."""

from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import pytest

from conversations.parts import Thinking
from telegram_bot.dispatcher import Roles
from telegram_bot.playground.people import Person
from telegram_bot.playground.server import Playground
from tests.fakes.openai import OpenAIStandIn
from tests.fakes.openai_script import Thought, Use, Words
from tests.flows import books
from tests.flows.conftest import running
from tests.people import ANNA
from tests.providers.harness_openai import pointed_at


@pytest.fixture
async def openai(settings: Any) -> AsyncIterator[OpenAIStandIn]:
    async with OpenAIStandIn.started() as stand_in, pointed_at(stand_in.url, settings):
        settings.DEFAULT_MODEL = "gpt-6-luna"
        yield stand_in


@pytest.fixture
async def starling(
    telegram: Playground, openai: OpenAIStandIn, transactional_db: None
) -> AsyncIterator[Roles]:
    async with running() as roles:
        yield roles


async def test_a_formula_arrives_between_the_words_and_is_charged_to_the_nano_dollar(
    starling: Roles, openai: OpenAIStandIn, anna: Person
):
    openai.say(Thought(("A formula.",)), Words("Here it is:"), Use("render_latex", {"latex": "x^2"}))
    openai.say(Thought(("Drawn.",)), Words("That is **Rayleigh's** law."))
    await anna.send("Explain why the sky is blue, with a formula")
    await anna.wait_for(lambda message: "Rayleigh" in message.get("text", ""))
    assert [("photo" if "photo" in reply else reply["text"]) for reply in anna.replies] == [
        "Here it is:",
        "photo",
        "That is Rayleigh's law.",
    ]
    (turn,) = await books.all_done()
    # gpt-6-luna: $0.10 in, $0.125 written to the cache, $0.01 read, $0.50 out, a million tokens
    owed = Decimal(0)
    for request in openai.requests:
        bill = request.bill
        fresh = bill.input - bill.cached - bill.written
        owed += fresh * Decimal("0.10") + bill.written * Decimal("0.125")
        owed += bill.cached * Decimal("0.01") + bill.output * Decimal("0.50")
    assert turn.cost == owed / 1_000_000
    assert openai.requests[1].bill.cached > 0
    assert await books.balance_of(ANNA) == Decimal(1) - turn.cost
    assert await books.mismatches() == []


async def test_reasoning_is_stored_encrypted_and_goes_back_with_the_next_question(
    starling: Roles, openai: OpenAIStandIn, anna: Person
):
    openai.say(Thought(("Hm.",)), Words("Yes."))
    await anna.send("Really?")
    await anna.wait_for(lambda message: message.get("text") == "Yes.")
    (said, *_) = await books.messages("assistant")
    [thought] = [part for part in said.parts if isinstance(part, Thinking)]
    openai.say(Words("Quite."))
    await anna.send("Sure?")
    await anna.wait_for(lambda message: message.get("text") == "Quite.")
    assert {request.status for request in openai.requests} == {200}
    assert thought.luggage["openai"] in openai.requests[1].body["input"]
    before, after = (request.body["input"] for request in openai.requests)
    assert after[: len(before)] == before


async def test_an_account_without_money_at_openai_is_told_as_ours_to_mend(
    starling: Roles, openai: OpenAIStandIn, anna: Person
):
    openai.fail(429, "insufficient_quota", type="insufficient_quota")
    await anna.send("Hello")
    reply = await anna.wait_for(lambda message: True)
    assert reply["text"].startswith("The model does not accept our access right now.")
    assert len(openai.requests) == 1
    assert await books.balance_of(ANNA) == Decimal(1)
