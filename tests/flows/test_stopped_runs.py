"""A Stop in the middle of a long run: the seconds it ran are charged, once, and nothing is left behind."""

from decimal import Decimal

import pytest
from django.core.files.storage import default_storage
from django.utils import timezone

from billing.models import BalanceOperation, Price
from billing.price_sync import sync_prices
from config.aio import in_db
from conversations.contracts import NewFile, ToolOutput
from conversations.models import Turn
from telegram_bot.dispatcher import Roles
from telegram_bot.playground.people import Person
from tests.fakes.anthropic import AnthropicStandIn
from tests.fakes.anthropic_script import Use, Words
from tests.flows import books
from tests.flows.hands import hands, in_state
from tests.flows.toolbox import tool_charges, written
from tests.people import ANNA
from tools import working
from tools.models import LongRun
from tools.sandbox.local import confinement

__all__ = ["hands"]

WHY, _ = confinement()
pytestmark = pytest.mark.skipif(bool(WHY), reason=f"no sandbox on this machine: {WHY}")
RATE = Decimal("0.001")  # dollars a second


@books.asynchronous
def priced() -> None:
    sync_prices()  # the bot's own seeding leaves a list alone that has a price already
    Price.objects.create(
        item="sandbox-second:local", per_unit=RATE, source="test", effective_from=timezone.now()
    )


async def test_the_seconds_a_stopped_program_ran_are_charged_once(
    hands: None, starling: Roles, claude: AnthropicStandIn, anna: Person
):
    await priced()
    code = "import time\nprint('on', flush=True)\ntime.sleep(600)"
    claude.say(Words("I run it."), Use("execute_python", {"code": code}, id="toolu_1"))
    await anna.send("Compute")

    def is_running() -> bool | None:
        return (anna.draft is not None and "· on" in anna.draft["text"]) or None

    await anna.wait_until(is_running)
    await anna.send("/stop")
    (turn,) = await books.all_done()
    run = await in_state(LongRun.State.STOPPED)
    assert turn.state == Turn.State.STOPPED
    cost = RATE * run.details["milliseconds"] / 1000
    assert 0 < cost < RATE * 60
    assert await tool_charges() == [-cost]
    assert await in_db(BalanceOperation.objects.get)(kind="tool", key=f"turn:{turn.pk}:tool:toolu_1")
    charged = await books.charges_of(ANNA)
    after = await in_db(Turn.objects.get)(pk=turn.pk)
    assert (run.cost, after.cost) == (cost, sum(charged))
    (call,) = await written()
    assert (call.name, call.status, call.cost) == ("execute_python", "stopped", cost)
    assert call.seconds >= run.details["milliseconds"] / 1000 > 0
    assert await books.mismatches() == []


COST = Decimal("0.012")
SAID = ToolOutput("42", (NewFile("a.csv", "text/csv", b"4,2"),), cost=COST, details={"item": "test"})


def run_files() -> set[str]:
    """The copies of files that belong to runs, also of other tests."""
    return set(default_storage.listdir("runs")[1]) if default_storage.exists("runs") else set()


@pytest.fixture
async def taken(starling: Roles, claude: AnthropicStandIn, anna: Person) -> LongRun:
    """A run that the bot waits for and that this test works on, as a worker would."""
    await priced()
    claude.say(Words("I run it."), Use("execute_python", {"code": "print(42)"}, id="toolu_1"))
    await anna.send("Compute")
    run = await in_state(LongRun.State.WAITING)
    assert await in_db(working.claim)(run.pk, "test")
    return run


async def test_a_run_that_ends_just_before_the_stop_is_charged_by_the_bot(taken: LongRun, anna: Person):
    await in_db(working.conclude)(taken, "test", LongRun.State.DONE, SAID, seconds=1)
    await anna.send("/stop")
    (turn,) = await books.all_done()
    assert await tool_charges() == [-COST]
    (call,) = await written()
    assert (call.status, call.cost) == ("done", COST)
    assert (await in_db(Turn.objects.get)(pk=turn.pk)).cost == sum(await books.charges_of(ANNA))
    assert await books.mismatches() == []


async def test_a_run_that_ends_just_behind_the_stop_is_charged_by_the_worker_and_its_files_go(
    taken: LongRun, anna: Person
):
    kept = await in_db(run_files)()
    await anna.send("/stop")
    (turn,) = await books.all_done()
    assert await tool_charges() == []
    for _ in range(2):  # twice, as when the answer to a commit gets lost
        await in_db(working.conclude)(taken, "test", LongRun.State.DONE, SAID, seconds=1)
    run = await in_state(LongRun.State.STOPPED)
    assert (run.cost, run.files) == (COST, [])
    assert await tool_charges() == [-COST]
    (call,) = await written()
    assert (call.status, call.cost) == ("stopped", COST)
    assert (await in_db(Turn.objects.get)(pk=turn.pk)).cost == sum(await books.charges_of(ANNA))
    assert await in_db(run_files)() == kept
    assert await books.mismatches() == []
