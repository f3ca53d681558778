"""Telegram's own list against ours, over the real bot: what was lost is found, what went back is taken back."""

import asyncio
import time
from decimal import Decimal
from typing import Any

from accounts.models import User
from billing import ledger, reconcile
from billing.models import Reconciliation, UnmatchedTransaction
from config.aio import in_db
from telegram_bot.dispatcher import Roles
from telegram_bot.playground.people import Person
from telegram_bot.playground.server import Playground
from tests.flows import books
from tests.flows.conftest import running
from tests.flows.paying import (
    invoice_for,
    kinds,
    paid,
    payments,
    press_first,
    state_is,
    user_pk,
)
from tests.people import ANNA


async def test_a_payment_whose_update_was_lost_is_found_by_the_person_s_own_button(
    starling: Roles, anna: Person
):
    bill = anna.invoice(await invoice_for(anna))
    anna.complete(bill, told=False)
    await anna.send("/paysupport")
    help_ = await anna.wait_for(lambda message: "Press the button" in message["text"])
    await press_first(anna, help_["message_id"])
    await anna.wait_for(lambda message: "Found it" in message["text"])
    await anna.wait_for(lambda message: "added for" in message["text"])
    await press_first(anna, help_["message_id"])
    await anna.wait_for(lambda message: "Nothing is missing" in message["text"])
    assert await books.balance_of(ANNA) == Decimal("1.65")


async def test_a_start_credits_what_was_paid_while_the_bot_was_down(
    telegram: Playground, claude: Any, transactional_db: None, anna: Person
):
    async with running():
        bill = anna.invoice(await invoice_for(anna))
    anna.complete(bill, told=False)
    began = time.monotonic()
    async with running():
        await anna.wait_for(lambda message: "added for" in message["text"])
    print(f"\ncredited {time.monotonic() - began:.2f} s after the start")


async def test_reconciliation_beside_live_updates_and_beside_itself_credits_once(
    starling: Roles, anna: Person
):
    bill = anna.invoice(await invoice_for(anna))
    charges = []
    for _ in range(20):
        charges.append(anna.complete(bill).id)
        if len(charges) % 5 == 0:
            await asyncio.gather(starling.cashier.reconcile(), starling.cashier.reconcile())
    for charge in charges:
        await state_is(charge, "paid")
    assert (await kinds(ANNA))["top_up"] == 20
    assert await books.mismatches() == []


async def test_a_list_of_many_pages_that_grows_while_it_is_read_misses_nothing(
    starling: Roles, anna: Person, telegram: Playground
):
    bill = anna.invoice(await invoice_for(anna, 1))
    for _ in range(230):
        anna.complete(bill, told=False)

    async def grow() -> None:
        for _ in range(20):
            anna.complete(bill, told=False)
            await asyncio.sleep(0)

    await asyncio.gather(starling.cashier.reconcile(), grow())
    await starling.cashier.reconcile()
    assert (await kinds(ANNA))["top_up"] == 250
    calls = [call.params for call in telegram.calls if call.method == "getStarTransactions"]
    assert all(int(call["limit"]) == 100 for call in calls)
    assert (await in_db(Reconciliation.objects.get)()).seen == 250


async def test_a_refund_made_elsewhere_is_debited_once_and_may_go_below_zero(starling: Roles, anna: Person):
    charge = await paid(anna)
    await in_db(lambda: ledger.debit(user_pk(ANNA), key="x", amount=Decimal("1.60"), kind="gift_out"))()
    anna.refund_elsewhere(charge)
    await state_is(charge, "refunded")
    await starling.cashier.reconcile()
    assert (await kinds(ANNA))["refund"] == 1
    assert await books.balance_of(ANNA) == Decimal("-0.60")
    assert (await payments())[0].flagged


async def test_a_chargeback_is_debited_once_and_blocks_the_person(starling: Roles, anna: Person):
    charge = await paid(anna)
    anna.charge_back(charge)
    for _ in range(2):
        await starling.cashier.reconcile()
    assert (await kinds(ANNA))["chargeback"] == 1
    user = await in_db(User.objects.get)(telegram_id=ANNA)
    assert user.blocked_at
    assert "Chargeback" in user.blocked_reason


async def test_what_matches_nothing_is_listed_once(starling: Roles, anna: Person, telegram: Playground):
    await paid(anna)
    telegram.state.stars.withdraw(50)
    for _ in range(2):
        await starling.cashier.reconcile()
    (row,) = await in_db(lambda: list(UnmatchedTransaction.objects.all()))()
    assert (row.stars, row.incoming, row.partner) == (50, False, "fragment")


async def test_reconciliation_waits_when_telegram_is_away(
    starling: Roles, anna: Person, telegram: Playground
):
    telegram.state.limits.fail("getStarTransactions", 500, "away")
    assert await starling.cashier.reconcile() is None
    assert await starling.cashier.reconcile() is not None


async def test_what_staff_ask_for_runs_at_the_next_look(starling: Roles, anna: Person):
    bill = anna.invoice(await invoice_for(anna))
    await starling.cashier.reconcile()
    anna.complete(bill, told=False)
    await starling.cashier.recover()
    assert (await kinds(ANNA))["top_up"] == 0
    await in_db(reconcile.ask)()
    await starling.cashier.recover()
    assert (await kinds(ANNA))["top_up"] == 1
    assert not await in_db(reconcile.is_asked)()
