"""Giving Stars back over the real bot: asked for in the chat, by many hands, against a Telegram that fails."""

import asyncio
from datetime import timedelta
from decimal import Decimal

import pytest
from django.db.models import F

from billing import ledger
from billing.models import Payment
from config.aio import in_db
from telegram_bot.dispatcher import Roles
from telegram_bot.playground.people import Person
from telegram_bot.playground.server import Playground
from tests.flows import books
from tests.flows.paying import (
    asked_back,
    buttons,
    kinds,
    paid,
    payments,
    press_first,
    state_is,
    user_pk,
)
from tests.people import ANNA
from tests.waiting import eventually


async def test_a_refund_takes_the_dollars_and_gives_the_stars(starling: Roles, anna: Person):
    charge = await paid(anna)
    await press_first(anna, await asked_back(anna))
    await anna.wait_for(lambda message: "went back to you" in message["text"])
    await state_is(charge, "refunded")
    assert (await books.balance_of(ANNA), anna.stars) == (1, 5000)
    assert await books.mismatches() == []


async def test_five_presses_at_once_are_one_refund(starling: Roles, anna: Person, telegram: Playground):
    charge = await paid(anna)
    sure = await asked_back(anna)
    await asyncio.gather(*(press_first(anna, sure) for _ in range(5)))
    await state_is(charge, "refunded")
    assert (await kinds(ANNA))["refund"] == 1
    assert [call.status for call in telegram.calls if call.method == "refundStarPayment"] == [200]


async def test_what_is_spent_is_not_given_back_and_the_list_says_why(starling: Roles, anna: Person):
    await paid(anna)
    sure = await asked_back(anna)
    await in_db(lambda: ledger.debit(user_pk(ANNA), key="x", amount=Decimal("1.20"), kind="gift_out"))()
    await press_first(anna, sure)
    await anna.wait_for(lambda message: "are spent" in message["text"])
    await anna.send("/refund")
    await anna.wait_for(lambda message: "spent, or held" in message["text"])
    assert anna.stars == 4900


async def test_nobody_gives_back_another_person_s_payment(starling: Roles, anna: Person, boris: Person):
    await paid(anna)
    (payment,) = await payments()
    sure = await asked_back(anna)
    hers = buttons(next(one for one in anna.messages if one["message_id"] == sure))[0]["callback_data"]
    await boris.send("/start")
    greeting = await boris.wait_for(lambda message: "Starling" in message["text"])
    forged = [f"refund:{payment.pk}:1", "refund:-1:1", hers, hers[:-1] + "A", f"pay:{'x' * 50}"]
    for data in forged:
        await boris.press(greeting["message_id"], data)

    async def all_answered() -> bool:
        return len([answer for answer in boris.answers if answer["text"]]) >= len(forged)

    await eventually(all_answered, "each press is answered with words")
    assert (await payments())[0].state == "paid"


async def test_a_refund_telegram_refuses_for_good_gives_the_dollars_again(
    starling: Roles, anna: Person, telegram: Playground
):
    charge = await paid(anna)
    telegram.state.limits.fail("refundStarPayment", 400, "Bad Request: CHARGE_NOT_REFUNDABLE")
    await press_first(anna, await asked_back(anna))
    await anna.wait_for(lambda message: "on your balance again" in message["text"])
    assert await books.balance_of(ANNA) == Decimal("1.65")
    assert (await state_is(charge, "refund_returned")).flagged
    await press_first(anna, await asked_back(anna))
    await state_is(charge, "refunded")
    assert await books.balance_of(ANNA) == 1
    assert await books.mismatches() == []


@pytest.mark.parametrize("status", [0, 500, 429], ids=["timeout after success", "5xx", "429"])
async def test_a_refund_that_stays_open_is_asked_again_and_ends_in_one(
    starling: Roles, anna: Person, telegram: Playground, status: int
):
    charge = await paid(anna)
    telegram.state.limits.fail("refundStarPayment", status, "wait", retry_after=1 if status == 429 else None)
    await press_first(anna, await asked_back(anna))

    async def asked() -> bool:
        return any(call.method == "refundStarPayment" for call in telegram.calls)

    await eventually(asked, "the first call")
    if status == 500:  # the gate waits a 429 out by itself, and of a success Telegram tells in the chat
        await state_is(charge, "refund_sent")
        await in_db(lambda: Payment.objects.update(refund_called_at=F("created_at") - timedelta(minutes=5)))()
        await starling.cashier.recover()
    await state_is(charge, "refunded")
    assert (await kinds(ANNA))["refund"] == 1
    assert (await books.balance_of(ANNA), anna.stars) == (1, 5000)
