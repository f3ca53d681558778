"""What a vendor may search for inside a call is held before the call: each search costs a cent."""

from decimal import Decimal
from typing import Any

import pytest

from billing.models import Hold as Held
from billing.price_sync import sync_prices
from config.aio import in_db
from telegram_bot.dispatcher import Roles
from telegram_bot.playground.people import Person
from tests.fakes.anthropic import AnthropicStandIn
from tests.fakes.anthropic_script import Hold, Words
from tests.flows import books
from tests.flows.toolbox import leave
from tests.people import ANNA

SEARCHES = 5 * Decimal("0.01")
WORDS = 16_000 * Decimal("0.50") / 1_000_000  # the longest step of Haiku


@pytest.fixture(autouse=True)
def _priced(transactional_db: None) -> None:
    sync_prices()


@pytest.fixture
async def begun(starling: Roles, claude: AnthropicStandIn, anna: Person) -> Person:
    claude.say(Words("Hello, Anna."))
    await anna.send("Hello")
    await books.all_done()
    return anna


async def test_the_hold_of_a_call_covers_every_search_its_vendor_may_run(
    begun: Person, claude: AnthropicStandIn
):
    still = Hold()
    claude.say(still, Words("Found."), web_searches=5)
    await begun.send("Search")
    await still.reached.wait()
    held = await in_db(Held.objects.get)(state="open")
    assert SEARCHES + WORDS < held.amount < SEARCHES + WORDS + Decimal("0.005")
    still.until.set()
    await books.all_done(2)
    spent = (await books.charges_of(ANNA))[-1]
    assert SEARCHES < spent < held.amount
    assert await books.mismatches() == []


async def test_who_cannot_pay_for_the_searches_is_answered_without_tools(
    begun: Person, claude: AnthropicStandIn, settings: Any
):
    settings.OVERDRAFT_LIMIT_USD = Decimal(0)
    await leave(ANNA, SEARCHES)
    claude.say(Words("From memory."))
    await begun.send("Search")
    await books.all_done(2)
    assert begun.replies[-1]["text"] == "From memory."
    first, last = claude.requests
    assert last.body["tool_choice"] == {"type": "none"}
    assert last.body["tools"] == first.body["tools"]  # the prefix stands
    assert "tool_choice" not in first.body


async def test_the_last_cents_pay_for_all_five_searches_and_nothing_is_owed(
    begun: Person, claude: AnthropicStandIn, settings: Any
):
    settings.OVERDRAFT_LIMIT_USD = Decimal(0)
    await leave(ANNA, SEARCHES + Decimal("0.004"))
    claude.say(Words("Found. " * 2_000), web_searches=5)
    claude.say(Words("And more."))
    await begun.send("Search")
    await books.all_done(2)
    assert "tool_choice" not in claude.requests[1].body
    assert claude.requests[1].body["max_tokens"] < 8_000  # the searches come first, then the words
    left = await books.balance_of(ANNA)
    assert Decimal(0) <= left < Decimal("0.004")
    assert await books.mismatches() == []
