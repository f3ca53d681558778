"""A margin and a subsidy in every price people see, and what nobody is charged for in the operator's books."""

from decimal import Decimal
from typing import Any

import pytest

from billing.models import AbsorbedCost, BalanceOperation, BookAccount
from conversations.models import Turn
from telegram_bot.dispatcher import Roles
from telegram_bot.playground.people import Person
from telegram_bot.playground.server import Playground
from tests.fakes.anthropic import AnthropicStandIn
from tests.fakes.anthropic_books import Bill
from tests.fakes.anthropic_script import ErrorEvent, Hold, Ping, Sent, Words
from tests.flows import books
from tests.flows.buttons import changed, press
from tests.flows.conftest import running
from tests.flows.test_receipts import expire_leases, prefer_receipts
from tests.people import ANNA

HAIKU = {  # dollars per million tokens
    "input_tokens": Decimal("0.10"), "output_tokens": Decimal("0.50"), "cache_read_input_tokens": Decimal("0.01"),
    "cache_5m": Decimal("0.125"), "cache_1h": Decimal("0.20"),
}  # fmt: skip


def asks(bill: Bill, rates: dict[str, Decimal] = HAIKU) -> Decimal:
    """What Claude asks for one request, by its own count."""
    total: Decimal = sum((getattr(bill, name) * rate for name, rate in rates.items()), Decimal(0))
    return total / 1_000_000


@books.asynchronous
def operations() -> list[BalanceOperation]:
    return list(BalanceOperation.objects.filter(kind="usage").order_by("pk"))


@books.asynchronous
def absorbed() -> list[AbsorbedCost]:
    return list(AbsorbedCost.objects.order_by("pk"))


@books.asynchronous
def accounts() -> dict[str, Decimal]:
    return {row.account: row.amount for row in BookAccount.objects.all()}


async def test_the_owners_terms_are_in_the_menu_in_the_charge_and_in_the_receipt(
    starling: Roles, claude: AnthropicStandIn, anna: Person, settings: Any
):
    settings.MARGIN_PERCENT, settings.CACHE_WRITE_SUBSIDY_PERCENT = Decimal(50), Decimal(100)
    await prefer_receipts(ANNA)
    await anna.send("/model")
    menu = await anna.wait_for(lambda message: "million tokens" in message["text"])
    assert "Claude Haiku 5.5 (default): $0.15 in, $0.75 out" in menu["text"]
    claude.say(Words("Because of scattering."))
    await anna.send("Why is the sky blue?")
    receipt = await anna.wait_for(lambda message: "· balance" in message["text"])
    (turn,) = await books.all_done()
    (operation,) = await operations()
    bill = claude.requests[-1].bill
    assert bill.cache_5m > 0, "otherwise there is nothing to subsidise"
    as_input = {**HAIKU, "cache_5m": HAIKU["input_tokens"], "cache_1h": HAIKU["input_tokens"]}
    assert -operation.amount == turn.cost == asks(bill, as_input) * Decimal("1.5")
    assert operation.cost == asks(bill)
    assert operation.details["terms"] == {"margin": "50", "subsidy": "100"}
    await press(anna, receipt, "Details")
    shown = (await changed(anna, receipt))["text"]
    assert f"{-operation.amount:.2g}"[:4] in shown
    kept = await accounts()
    assert kept["margin"] == turn.cost - asks(bill)
    assert sum(kept.values()) == 0


async def test_a_call_that_breaks_off_before_its_first_word_is_the_operators(
    starling: Roles, claude: AnthropicStandIn, anna: Person
):
    claude.say(Ping(), ErrorEvent())  # its prompt was counted, nothing was said
    await anna.send("Go")
    await anna.wait_for(lambda message: "overloaded" in message["text"])
    (turn,) = await books.all_done()
    assert (turn.cost, await books.balance_of(ANNA)) == (0, 1)
    (row,) = await absorbed()
    bill = claude.requests[-1].bill
    assert (row.kind, row.user_id) == (AbsorbedCost.Kind.FAILED, turn.user_id)
    # The API's first event counts one token out already.
    assert row.cost == asks(bill) + HAIKU["output_tokens"] / 1_000_000
    kept = await accounts()
    assert (kept["absorbed"], kept["vendors"], sum(kept.values())) == (-row.cost, row.cost, 0)


async def test_a_call_whose_process_was_killed_is_the_operators_and_its_answer_is_not_paid_twice(
    telegram: Playground, claude: AnthropicStandIn, anna: Person, transactional_db: None
):
    hold = Hold()
    claude.say(hold, Words("never"))
    async with running() as roles:
        await anna.send("Tell me")
        await hold.reached.wait()
        for task in list(roles.answers._tasks.values()):  # as kill -9 would: nothing is written down
            task.cancel()
        roles.answers._streams.clear()
    await expire_leases()
    claude.say(Words("An answer."))
    async with running():
        await anna.wait_for(lambda message: message["text"] == "An answer.", 30)
        (turn,) = await books.all_done()
    (operation,) = await operations()
    rows = await absorbed()
    assert turn.state == Turn.State.DONE
    assert turn.cost == -operation.amount
    assert [row.kind for row in rows] == [AbsorbedCost.Kind.KILLED]
    first = claude.requests[0].bill
    prompt = (first.input_tokens + first.written) * HAIKU["cache_5m"] / 1_000_000
    assert rows[0].cost >= prompt, "counted from above"
    assert sum((await accounts()).values()) == 0


async def test_what_a_vendor_counts_and_nobody_is_charged_for_raises_an_alarm(
    starling: Roles, claude: AnthropicStandIn, anna: Person, caplog: pytest.LogCaptureFixture
):
    counts = {"output_tokens": 1, "video_runs": 2}
    claude.say(Words("Hi"), Sent({"type": "message_delta", "delta": {}, "usage": counts}))
    await anna.send("Hello")
    await anna.wait_for(lambda message: message["text"] == "Hi")
    await books.all_done()
    assert [line.msg["what"] for line in caplog.records if "usage_unpriced" in str(line.msg)] == [
        "video_runs"
    ]
