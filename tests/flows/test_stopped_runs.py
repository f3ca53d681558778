"""A Stop in the middle of a long run: the seconds it ran are charged, once, and nothing is left behind."""

from decimal import Decimal

import pytest
from django.utils import timezone

from billing.models import BalanceOperation, Price
from config.aio import in_db
from conversations.models import Turn
from telegram_bot.dispatcher import Roles
from telegram_bot.playground.people import Person
from tests.fakes.anthropic import AnthropicStandIn
from tests.fakes.anthropic_script import Use, Words
from tests.flows import books
from tests.flows.hands import hands, in_state
from tests.flows.toolbox import tool_charges, written
from tests.people import ANNA
from tools.models import LongRun
from tools.sandbox.local import confinement

__all__ = ["hands"]

WHY, _ = confinement()
pytestmark = pytest.mark.skipif(bool(WHY), reason=f"no sandbox on this machine: {WHY}")
RATE = Decimal("0.001")  # dollars a second


@books.asynchronous
def priced() -> None:
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
