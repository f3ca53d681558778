"""What every tool that runs in the bot does alike: it fails, is refused, runs out of time and is stopped in words."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest

from conversations.contracts import ToolContext, ToolOutput
from telegram_bot.dispatcher import Roles
from telegram_bot.playground.people import Person
from tests.fakes.anthropic import AnthropicStandIn
from tests.fakes.anthropic_script import Use, Words
from tests.flows import books, shelf
from tests.flows.test_tools import png
from tests.flows.toolbox import as_asked, tool_charges, written
from tests.people import ANNA

# A call of each that works, and one that cannot; {png}, {pdf} and {csv} are files of the conversation.
CALLS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "analyze_image": ({"file_id": "{png}", "question": "?"}, {"file_id": "f_none", "question": "?"}),
    "analyze_pdf": ({"file_id": "{pdf}", "question": "?"}, {"file_id": "{png}", "question": "?"}),
    "cost_estimator": ({"tool": "analyze_pdf", "arguments": {}}, {"tool": "coffee", "arguments": {}}),
    "deliver_file": ({"file_id": "{csv}"}, {"file_id": "f_none"}),
    "preview_file": ({"file_id": "{csv}"}, {"file_id": "f_none"}),
    "render_latex": ({"latex": "x^2"}, {"latex": r"\frac{1}{"}),
}
PAID = ("analyze_image", "analyze_pdf")
PDF = (
    b"%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj 2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj "
    + (b"3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 200 200]>>endobj trailer<</Root 1 0 R>>")
)


@pytest.fixture
async def fill(starling: Roles, claude: AnthropicStandIn, anna: Person) -> Callable[[Any], dict[str, Any]]:
    """Anna in a conversation with three files, and what puts their ids into a call's arguments."""
    claude.say(Words("Hello, Anna."))
    await anna.send("Hello")
    await anna.wait_for(lambda message: message.get("text") == "Hello, Anna.")
    await books.all_done()
    ids = {
        "{png}": await shelf.put(ANNA, "bird.png", "image/png", png(40, 30)),
        "{pdf}": await shelf.put(ANNA, "birds.pdf", "application/pdf", PDF),
        "{csv}": await shelf.put(ANNA, "birds.csv", "text/csv", b"bird,count\nwren,2\n"),
    }
    return lambda arguments: {name: ids.get(str(value), value) for name, value in arguments.items()}


@asynccontextmanager
async def changed(starling: Roles, name: str, **fields: Any) -> AsyncIterator[None]:
    """The same desk, with one tool that is another in this."""
    desk = starling.answers._desk
    tools = {**desk.tools, name: replace(desk.tools[name], **fields)}
    starling.answers._desk = replace(desk, tools=tools)
    yield
    starling.answers._desk = desk


@pytest.mark.parametrize("name", CALLS)
async def test_a_call_that_cannot_be_is_a_failure_in_words_and_costs_nothing(
    name: str, fill: Callable[[Any], dict[str, Any]], claude: AnthropicStandIn, anna: Person
):
    (told,) = await as_asked(claude, anna, Use(name, fill(CALLS[name][1])))
    (call,) = await written()
    assert (call.name, call.status, call.cost) == (name, "failed", 0)
    assert told["is_error"]
    assert len(str(told["content"])) > 20
    assert await tool_charges() == []


@pytest.mark.parametrize("name", PAID)
async def test_a_paid_call_that_the_balance_does_not_cover_is_refused_and_pay_is_named(
    name: str, fill: Callable[[Any], dict[str, Any]], starling: Roles, claude: AnthropicStandIn, anna: Person
):
    began: list[str] = []
    run = starling.desk.tools[name].run

    async def noted(context: ToolContext, **arguments: Any) -> ToolOutput:
        began.append(name)
        return await run(context, **arguments)

    def ceiling(_arguments: Any) -> Any:
        return 10_000  # dollars: nobody here has them

    async with changed(starling, name, run=noted, price_max=ceiling):
        (told,) = await as_asked(claude, anna, Use(name, fill(CALLS[name][0])))
    (call,) = await written()
    assert (call.status, call.cost, began) == ("refused", 0, [])
    assert "/pay" in str(told["content"])


@pytest.mark.parametrize("name", CALLS)
async def test_a_call_that_takes_too_long_is_ended_and_the_answer_goes_on(
    name: str, fill: Callable[[Any], dict[str, Any]], starling: Roles, claude: AnthropicStandIn, anna: Person
):
    async with changed(starling, name, seconds_max=0):
        (told,) = await as_asked(claude, anna, Use(name, fill(CALLS[name][0])))
    (call,) = await written()
    assert (call.name, call.status, call.cost) == (name, "timed_out", 0)
    assert "was stopped after 0 seconds" in str(told["content"])


@pytest.mark.parametrize("name", CALLS)
async def test_stop_ends_any_call_and_it_stands_in_the_history(
    name: str, fill: Callable[[Any], dict[str, Any]], starling: Roles, claude: AnthropicStandIn, anna: Person
):
    begun = asyncio.Event()
    run: Callable[..., Awaitable[ToolOutput]] = starling.desk.tools[name].run

    async def slow(context: ToolContext, **arguments: Any) -> ToolOutput:
        begun.set()
        await asyncio.sleep(60)
        return await run(context, **arguments)

    async with changed(starling, name, run=slow):
        claude.say(Words("One moment."), Use(name, fill(CALLS[name][0])))
        await anna.send("Please")
        await asyncio.wait_for(begun.wait(), 20)
        await anna.send("/stop")
        turns = await books.all_done(2)
    (call,) = await written()
    assert (turns[-1].state, call.name, call.status, call.cost) == ("stopped", name, "stopped", 0)
    assert await books.mismatches() == []
