"""analyze_pdf as a person meets it: the pages that were chosen, what they cost, and what is refused."""

import base64
import io
from decimal import Decimal

import pytest
from pypdf import PdfReader

from billing.models import Price
from billing.price_sync import sync_prices
from billing.prices import rates_now
from config.aio import in_db
from telegram_bot.dispatcher import Roles
from telegram_bot.playground.people import Person
from tests.fakes.anthropic import AnthropicStandIn
from tests.fakes.anthropic_script import Hold, Use, Words
from tests.flows import books, shelf
from tests.flows.toolbox import as_asked, empty, tool_charges, written
from tests.input import made
from tests.people import ANNA


@pytest.fixture(autouse=True)
def _priced(transactional_db: None) -> None:
    sync_prices()


@pytest.fixture
async def begun(starling: Roles, claude: AnthropicStandIn, anna: Person) -> Person:
    claude.say(Words("Hello, Anna."))
    await anna.send("Hello")
    await books.all_done()
    return anna


def reading(file_id: str, pages: str = "all", number: int = 1) -> Use:
    arguments = {"file_id": file_id, "question": "What does it say?", "pages": pages}
    return Use("analyze_pdf", arguments, id=f"toolu_{number}")


async def test_only_the_chosen_pages_are_read_in_their_order_and_paid(
    begun: Person, claude: AnthropicStandIn
):
    file_id = await shelf.put(ANNA, "five.pdf", "application/pdf", made.pdf("one", "two", "three", "four"))
    claude.say(Words("One moment."), reading(file_id, "4,2-3"))
    claude.say(Words("Four, two, three."))
    claude.say(Words("Done."))
    await begun.send("Read it")
    await books.all_done(2)
    look, last = claude.requests[-2:]
    (seen,) = [block for block in look.body["messages"][0]["content"] if block["type"] == "document"]
    pages = PdfReader(io.BytesIO(base64.b64decode(seen["source"]["data"]))).pages
    assert [page.extract_text().strip() for page in pages] == ["four", "two", "three"]
    assert "Four, two, three." in last.body["messages"][-1]["content"][0]["content"]
    (call,) = await written()
    owed = (look.bill.input_tokens * Decimal("0.10") + look.bill.output_tokens * Decimal("0.50")) / 1_000_000
    assert (call.name, call.status, call.cost) == ("analyze_pdf", "done", owed)
    assert await tool_charges() == [-owed]
    assert await books.mismatches() == []


async def test_pages_and_pdfs_that_cannot_be_read_are_told_and_cost_nothing(
    begun: Person, claude: AnthropicStandIn
):
    short = await shelf.put(ANNA, "a.pdf", "application/pdf", made.pdf("one"))
    long = await shelf.put(ANNA, "b.pdf", "application/pdf", made.pdf(*["page"] * 51))
    locked = await shelf.put(ANNA, "c.pdf", "application/pdf", made.pdf("x", password="secret"))
    broken = await shelf.put(ANNA, "d.pdf", "application/pdf", made.pdf("one")[:200])
    told = await as_asked(claude, begun, reading(short, "2", 1), reading(long, "all", 2))
    # "all" may cost 20 cents, and one answer 50.
    told += await as_asked(claude, begun, reading(locked, "all", 3), reading(broken, "all", 4))
    told += await as_asked(claude, begun, reading(long, "1-60", 5), reading(short, "first", 6))
    says = (
        "has 1 pages; there is no page 2",
        "has 51 pages. Name at most 50",
        "locked with a password",
        "cannot be read",
        "At most 50 pages",
        "names no pages",
    )
    for result, words in zip(told, says, strict=True):
        assert result["is_error"]
        assert words in result["content"], result["content"]
    assert len(claude.requests) == 1 + 3 * 2  # hello; three times the calls and the last words
    assert {call.cost for call in await written(6)} == {Decimal(0)}


async def test_at_a_balance_of_nothing_nobody_reads_and_pay_is_named(begun: Person, claude: AnthropicStandIn):
    file_id = await shelf.put(ANNA, "a.pdf", "application/pdf", made.pdf("one"))
    still = Hold()
    claude.say(Words("One moment."), still, reading(file_id))
    claude.say(Words("Done."))
    await begun.send("Read it")
    await still.reached.wait()
    await empty(ANNA)
    still.until.set()
    await books.all_done(2)
    (call,) = await written()
    assert (call.status, call.cost) == ("refused", 0)
    assert "name /pay" in call.error
    assert await tool_charges() == []
    assert await books.mismatches() == []


async def test_without_a_price_for_a_model_that_sees_nobody_reads(begun: Person, claude: AnthropicStandIn):
    file_id = await shelf.put(ANNA, "a.pdf", "application/pdf", made.pdf("one"))
    still = Hold()
    claude.say(Words("One moment."), still, reading(file_id))
    await begun.send("Read it")
    await still.reached.wait()
    await in_db(Price.objects.filter(item__startswith="claude").update)(enabled=False)
    rates_now.cache_clear()  # or the old price would be seen for five seconds more
    still.until.set()
    await books.all_done(2)
    (call,) = await written()
    assert (call.status, call.cost) == ("refused", 0)
    assert "no price at the moment" in call.error
    assert len(claude.requests) == 2
    assert await tool_charges() == []
    rates_now.cache_clear()
