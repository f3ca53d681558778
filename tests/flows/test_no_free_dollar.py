"""No free dollar: everything people have tried on bots like this one, over the real bot, and what it won them.

What somebody won is reckoned from both sides: what they have and have spent, less what they paid Telegram and
their one starting credit. Each attack prints its line.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.db.models import Sum
from django.db.models.functions import Now

from accounts.models import User
from billing import ledger
from billing.errors import LedgerMisused
from billing.models import RATE_FIELDS, BalanceOperation, Price
from billing.pricing import PriceUnusable, Usage
from config.aio import in_db
from telegram_bot.dispatcher import Roles
from telegram_bot.keyboards import GiftPress, RefundPress
from telegram_bot.playground.people import Person
from telegram_bot.playground.server import Playground
from telegram_bot.playground.stars import WALLET_STARS
from telegram_bot.presses import seal_for
from tests.fakes.anthropic import AnthropicStandIn
from tests.fakes.anthropic_script import Hold, Sent, Words
from tests.flows import books
from tests.flows.buttons import changed, press, words_on
from tests.flows.paying import (
    asked_back,
    buttons,
    invoice_for,
    kinds,
    paid,
    payments,
    press_first,
    state_is,
    told,
    user_pk,
)
from tests.people import ANNA, BORIS
from tests.waiting import eventually

STARTING_CREDIT = Decimal(1)
PER_STAR = Decimal("0.0065")
SPENDS = ("usage", "tool", "gift_out")
MINUTES = timedelta(minutes=5)

Won = Callable[..., Any]


@pytest.fixture
def won(capsys) -> Won:
    """Print the attack's line; nobody has won anything by it."""

    async def line(attack: str, *people: Person) -> None:
        free = sum([await free_dollars(person) for person in people], Decimal(0))
        with capsys.disabled():
            print(f"\n  {attack:<42} free dollars: {free.normalize():f}", end="")
        assert free == 0, attack
        assert await books.mismatches() == []

    return line


async def free_dollars(person: Person) -> Decimal:
    @in_db
    def has_and_spent() -> Decimal:
        user = User.objects.get(telegram_id=person.id)
        spent = user.operations.filter(kind__in=SPENDS).aggregate(sum=Sum("amount"))["sum"] or Decimal(0)
        return user.balance - spent

    return await has_and_spent() - STARTING_CREDIT - (WALLET_STARS - person.stars) * PER_STAR


async def spend(usd: str) -> None:
    """Anna gives dollars away to nobody: they are gone from her balance."""
    await in_db(lambda: ledger.debit(user_pk(ANNA), key=f"x{usd}", amount=Decimal(usd), kind="gift_out"))()


async def press_refund(person: Person, payment: int) -> None:
    """The last button of a refund, as often as somebody likes, also when it is shown no more."""
    data = seal_for(person.id)(RefundPress(payment=payment, sure=True))
    before = len(person.answers)
    await person.press(person.replies[-1]["message_id"], data)
    await person.wait_until(lambda: person.answers[before] if len(person.answers) > before else None)


async def test_a_refund_after_spending(starling: Roles, anna: Person, won: Won):
    await paid(anna)
    sure = await asked_back(anna)
    await spend("1.20")
    for _ in range(3):
        await press_first(anna, sure)
    await eventually(lambda: told(anna, "are spent"), "why not")
    assert anna.stars == WALLET_STARS - 100
    await won("refund after spending", anna)


async def test_five_refunds_at_once(starling: Roles, anna: Person, telegram: Playground, won: Won):
    charge = await paid(anna)
    sure = await asked_back(anna)
    await asyncio.gather(*(press_first(anna, sure) for _ in range(5)))
    await state_is(charge, "refunded")
    assert [call.status for call in telegram.calls if call.method == "refundStarPayment"] == [200]
    assert (await kinds(ANNA))["refund"] == 1
    await won("five parallel refunds", anna)


async def test_a_refund_while_an_answer_holds_what_is_left(
    starling: Roles, claude: AnthropicStandIn, anna: Person, won: Won
):
    await paid(anna)
    await spend("1.00")  # exactly the payment's worth is left
    still = Hold()
    claude.say(Words("While this is written "), still, Words("nothing goes back."))
    await anna.send("Go on")
    await still.reached.wait()
    (payment,) = await payments()
    for _ in range(2):
        await press_refund(anna, payment.pk)
    still.until.set()
    await books.all_done()
    await press_refund(anna, payment.pk)  # and now it is spent
    assert (await payments())[0].state == "paid"
    assert (await kinds(ANNA))["refund"] == 0
    await won("refund during a hold", anna)


async def test_forged_presses(starling: Roles, anna: Person, boris: Person, won: Won):
    await paid(anna)
    (payment,) = await payments()
    sure = await asked_back(anna)
    hers = buttons(next(one for one in anna.messages if one["message_id"] == sure))[0]
    await boris.send("/start")
    greeting = await boris.wait_for(lambda message: "Starling" in message["text"])
    sealed = hers["callback_data"]
    forged = [
        f"refund:{payment.pk}:1",
        "refund:-1:1",
        sealed,
        sealed[:-1] + "A",
        sealed[1:],
        "gift:1:10000000000",
    ]
    anna_pk = await in_db(user_pk)(ANNA)
    forged += [seal_for(BORIS)(RefundPress(payment=payment.pk, sure=True))]
    forged += [seal_for(BORIS)(GiftPress(taker=anna_pk, nano=nano)) for nano in (-(10**9), 0, 2 * 10**9)]
    for data in forged:
        await boris.press(greeting["message_id"], data)
    await boris.wait_until(lambda: boris.answers if len(boris.answers) >= len(forged) else None)
    assert (await payments())[0].state == "paid"
    await won(f"{len(forged)} forged presses", anna, boris)


async def test_forged_checkouts(starling: Roles, anna: Person, boris: Person, won: Won):
    bill = await invoice_for(anna)
    payload = anna.invoice(bill).payload
    boris._state.stars.invoices[boris.id, 1] = anna.invoice(bill)
    forged: list[dict[str, Any]] = [
        *(
            {"invoice_payload": other}
            for other in ("", "guessed", payload[:-1], payload + " ", payload.lower(), "1")
        ),
        *({"total_amount": amount} for amount in (1, 99, 101, 0, 2**31)),
        *({"currency": currency} for currency in ("USD", "xtr", "")),
    ]
    refusals = [await anna.ask_to_pay(bill, **changes) for changes in forged] + [await boris.ask_to_pay(1)]
    assert all(refusals), "approved: " + str(refusals.index(None) if None in refusals else "")
    assert await anna.ask_to_pay(bill) is None, "the true one still goes through"
    await won(f"{len(refusals)} forged pre-checkouts", anna)


async def test_negative_prices_and_amounts(starling: Roles, anna: Person, won: Won):
    for words in ("/pay -5", "/pay -0", "/gift @boris -5", "/gift @boris NaN", "/gift @boris 1e9"):
        await anna.send(words)

    @in_db
    def try_in_code() -> int:
        user, accepted = user_pk(ANNA), 0
        ledger.hold(user, key="turn:x", estimate=Decimal("0.10"), expires_in=MINUTES)
        fine = dict.fromkeys(RATE_FIELDS, Decimal(1))
        prices = [
            {**fine, name: Decimal(rate)} for name in RATE_FIELDS for rate in ("-1", "0", "NaN", "1e10")
        ]
        calls: list[Callable[[], Any]] = [
            lambda rates=rates: Price.objects.create(item="x", effective_from=Now(), **rates)
            for rates in prices
        ]
        for amount in map(Decimal, ("-1", "NaN", "-Infinity", "1e30")):
            calls += [
                lambda a=amount: ledger.settle("turn:x", key=f"turn:x:{a}", amount=a, details={}),
                lambda a=amount: ledger.credit(user, key=f"pay:{a}", amount=a, kind="top_up"),
                lambda a=amount: ledger.debit(user, key=f"refund:{a}", amount=a, kind="refund"),
            ]
        for call in calls:
            with (
                suppress(IntegrityError, ValidationError, LedgerMisused, ArithmeticError),
                transaction.atomic(),
            ):
                call()
                accepted += 1
        ledger.release("turn:x")
        return accepted

    await eventually(lambda: told(anna, "from 1 to 2500"), "a sentence")
    assert await try_in_code() == 0
    assert await payments() == []
    await won("negative and absurd prices and amounts", anna)


NO_COUNTS: list[Any] = [float("nan"), -5, 10**30, "7", 2.5, [1], True]


async def test_usage_that_is_no_number(starling: Roles, claude: AnthropicStandIn, anna: Person, won: Won):
    for number, count in enumerate(NO_COUNTS, start=1):
        with pytest.raises(PriceUnusable):
            Usage(output=count)
        rubbish = {
            "type": "message_delta",
            "delta": {"stop_reason": "end_turn"},
            "usage": {"output_tokens": count},
        }
        claude.say(Words(f"Words that cost something, {number}."), Sent(rubbish))
        before = await books.balance_of(ANNA) if number > 1 else STARTING_CREDIT
        await anna.send(f"Question {number}")
        done = await books.all_done(number)
        assert done[-1].cost > 0, f"{count!r} made an answer free"
        assert await books.balance_of(ANNA) == before - done[-1].cost
    await won(f"{len(NO_COUNTS)} usages that are no number", anna)


async def test_fifty_first_greetings_at_once(starling: Roles, anna: Person, boris: Person, won: Won):
    await asyncio.gather(*(person.send("/start") for _ in range(25) for person in (anna, boris)))
    for person in (anna, boris):
        await person.wait_until(lambda person=person: person.replies if len(person.replies) >= 25 else None)
    assert (await kinds(ANNA))["grant"] == (await kinds(BORIS))["grant"] == 1
    await won("50 parallel /start of two people", anna, boris)


async def test_somebody_erased_who_comes_back(starling: Roles, anna: Person, capsys):
    await paid(anna)
    for _ in range(2):
        after = anna.messages[-1]["message_id"]
        await anna.send("/delete")
        asked = await anna.wait_for(words_on, after=after)
        await press(anna, asked, "Erase everything")
        await changed(anna, asked)
        await anna.send("/start")
        await anna.wait_for(
            lambda message: "Your balance is $0.00" in message["text"], after=asked["message_id"]
        )
    total = await in_db(lambda: BalanceOperation.objects.filter(kind="grant").count())()
    assert total == 1, "one starting credit, however often somebody is new"
    assert await books.balance_of(ANNA) == 0
    assert await books.mismatches() == []
    with capsys.disabled():
        print(f"\n  {'deleted and returned, twice':<42} free dollars: 0", end="")
