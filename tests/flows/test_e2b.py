"""Python at E2B as a person meets it: "run this", the chart in the chat, the row and the exact charge."""

from collections.abc import Iterator
from decimal import ROUND_CEILING, Decimal

import pytest

from billing.models import BalanceOperation
from billing.price_sync import UNITS
from billing.pricing import NANO
from conversations.write_behind import flush
from telegram_bot.dispatcher import Roles
from telegram_bot.playground.people import Person
from tests.fakes.anthropic import AnthropicStandIn
from tests.fakes.anthropic_script import Use, Words
from tests.fakes.e2b import E2BStandIn
from tests.flows import books
from tests.flows.hands import hands, in_state
from tests.sandbox.conftest import e2b
from tests.waiting import eventually
from tools.models import LongRun, ToolCall
from tools.sandbox import sandbox

__all__ = ["e2b", "hands"]

RATE = UNITS["sandbox-second:e2b"]
CHART = (
    "from PIL import Image\nprint('drawing', flush=True)\n"
    "display(Image.new('RGB', (400, 300), 'teal'))\nopen('numbers.csv', 'w').write('1,2')\nprint(6 * 7)"
)


@pytest.fixture
def at_e2b(e2b: E2BStandIn, settings) -> Iterator[E2BStandIn]:
    """The key is set, and nothing else: then Python runs at E2B."""
    settings.SANDBOX = "auto"
    sandbox.cache_clear()
    yield e2b
    sandbox.cache_clear()


@books.asynchronous
def tool_charges() -> list[tuple[str, Decimal]]:
    return list(
        BalanceOperation.objects.filter(kind="tool").order_by("pk").values_list("details__item", "amount")
    )


async def tool_calls(count: int) -> list[ToolCall]:
    @books.asynchronous
    def look() -> list[ToolCall] | None:
        flush()
        rows = list(ToolCall.objects.order_by("started_at"))
        return rows if len(rows) >= count else None

    return await eventually(look, f"{count} calls written down")


async def ran(claude: AnthropicStandIn, person: Person, code: str, number: int, **arguments: object) -> str:
    """Have the model run code; returns what it was told."""
    claude.say(Words("I run it."), Use("execute_python", {"code": code, **arguments}, id=f"toolu_{number}"))
    claude.say(Words(f"Answer {number}."))
    await person.send("Run this")
    await person.wait_for(lambda reply: reply.get("text", "").endswith(f"Answer {number}."), 30)
    (result,) = [
        block
        for block in claude.requests[-1].body["messages"][-1]["content"]
        if block["type"] == "tool_result"
    ]
    return str(result["content"])


def price_of(run: LongRun) -> Decimal:
    return (RATE * run.details["milliseconds"] / 1000).quantize(NANO, rounding=ROUND_CEILING)


async def test_run_this_becomes_a_chart_in_the_chat_a_row_and_an_exact_charge(
    at_e2b: E2BStandIn, hands: None, starling: Roles, claude: AnthropicStandIn, anna: Person
):
    told = await ran(claude, anna, CHART, 1)
    assert "The code ran to its end." in told
    assert "drawing\n42" in told
    assert "numbers.csv begins:\n1,2" in told
    assert "packages can be installed" in str(claude.requests[0].body["tools"])
    photos = [reply for reply in anna.replies if "photo" in reply]
    assert [(photo["photo"][-1]["width"], photo["photo"][-1]["height"]) for photo in photos] == [(400, 300)]
    assert [reply["document"]["file_name"] for reply in anna.replies if "document" in reply] == [
        "numbers.csv"
    ]
    run = await in_state(LongRun.State.DONE)
    (call,) = await tool_calls(1)
    assert (call.name, call.status, len(call.files)) == ("execute_python", "done", 2)
    assert run.cost == call.cost == price_of(run) > 0
    assert await tool_charges() == [("sandbox-second:e2b", -run.cost)]
    assert await books.mismatches() == []
    assert at_e2b.refused == []


async def test_privacy_names_who_runs_programs(at_e2b: E2BStandIn, starling: Roles, anna: Person):
    await anna.send("/privacy")
    reply = await anna.wait_for(lambda message: "What is kept" in message["text"])
    assert "Programs that are written for you run at E2B" in reply["text"]


async def test_what_goes_wrong_at_e2b_is_told_the_model_and_costs_nothing(
    at_e2b: E2BStandIn, hands: None, starling: Roles, claude: AnthropicStandIn, anna: Person
):
    at_e2b.failing.append(("POST /v2/sandboxes", 500))
    assert "The sandbox itself failed; the code is not at fault" in await ran(claude, anna, "print(1)", 1)
    at_e2b.cut = "half way"
    assert "The sandbox itself failed" in await ran(claude, anna, "print('half way')", 2)
    assert "printed it" in await ran(claude, anna, "print('printed it')", 3)
    at_e2b.alive[0].die()
    assert (await ran(claude, anna, "print('anew')", 4)).startswith(
        "The sandbox of this conversation was gone"
    )
    calls = await tool_calls(4)
    assert [call.status for call in calls] == ["failed", "failed", "done", "done"]
    assert [bool(call.cost) for call in calls] == [False, False, True, True]
    assert [amount for _, amount in await tool_charges()] == [-call.cost for call in calls if call.cost]
    assert await books.mismatches() == []


async def test_a_run_that_takes_too_long_costs_what_it_was_allowed_and_no_more(
    at_e2b: E2BStandIn, hands: None, starling: Roles, claude: AnthropicStandIn, anna: Person
):
    told = await ran(claude, anna, "print('on', flush=True)\nwhile True: pass", 1, timeout_seconds=1)
    assert "ran longer than 1 seconds" in told
    assert "stdout:\non" in told
    (call,) = await tool_calls(1)
    assert (call.status, call.cost) == ("done", RATE.quantize(NANO, rounding=ROUND_CEILING))
    assert await tool_charges() == [("sandbox-second:e2b", -call.cost)]
    (machine,) = at_e2b.alive
    assert [kernel.id for kernel in machine.kernels.values()] == ["default"]


async def test_a_stopped_run_ends_in_its_machine_and_is_charged_for_the_seconds_it_ran(
    at_e2b: E2BStandIn, hands: None, starling: Roles, claude: AnthropicStandIn, anna: Person
):
    code = (
        "import time\nprint('on', flush=True)\nwhile True:\n"
        "    try: time.sleep(60)\n    except KeyboardInterrupt: pass"
    )
    claude.say(Words("I run it."), Use("execute_python", {"code": code}, id="toolu_1"))
    await anna.send("Run this")
    await anna.wait_until(lambda: (anna.draft is not None and "· on" in anna.draft["text"]) or None)
    await anna.send("/stop")
    run = await in_state(LongRun.State.STOPPED)
    (machine,) = at_e2b.alive
    assert [kernel.id for kernel in machine.kernels.values()] == ["default"]
    (call,) = await tool_calls(1)
    assert (call.status, call.cost) == ("stopped", price_of(run))
    assert await tool_charges() == [("sandbox-second:e2b", -run.cost)]
    assert 0 < run.cost < RATE * 60
    assert await books.mismatches() == []
