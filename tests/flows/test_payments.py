"""Paying with Stars over the real bot: every path a payment can take, and every one it must not."""

import asyncio
import time
from collections import Counter
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db.models import F

from accounts.models import User
from billing import ledger, stars
from billing.models import BalanceOperation, Payment, Reconciliation, StarRate, UnmatchedTransaction
from config.aio import in_db
from telegram_bot.dispatcher import Roles
from telegram_bot.playground.people import Person
from telegram_bot.playground.server import Playground
from telegram_bot.playground.stars import Invoice
from tests.flows import books
from tests.flows.conftest import running
from tests.people import ANNA, BORIS
from tests.waiting import eventually

Json = dict[str, Any]


def buttons(message: Json) -> list[Json]:
    return [button for row in message["reply_markup"]["inline_keyboard"] for button in row]


def button(message: Json, words: str) -> str:
    return next(one["callback_data"] for one in buttons(message) if words in one["text"])


def newest(person: Person) -> int:
    return person.messages[-1]["message_id"] if person.messages else 0


async def invoice_for(person: Person, amount: int = 100) -> int:
    """The message with the invoice for an amount the person typed."""
    after = newest(person)
    await person.send(f"/pay {amount}")
    return (await person.wait_for(lambda message: message["invoice"], after=after))["message_id"]


async def paid(person: Person, amount: int = 100) -> str:
    """Pay, wait for the receipt; the charge's id."""
    after = newest(person)
    outcome = await person.pay(await invoice_for(person, amount))
    assert outcome["ok"], outcome
    await person.wait_for(lambda message: "added for" in message["text"], after=after)
    return outcome["charge_id"]


@in_db
def payments() -> list[Payment]:
    return list(Payment.objects.order_by("pk"))


@in_db
def kinds(telegram_id: int) -> Counter[str]:
    return Counter(
        BalanceOperation.objects.filter(user__telegram_id=telegram_id).values_list("kind", flat=True)
    )


async def state_is(charge_id: str, state: str) -> Payment:
    @in_db
    def look() -> Payment | None:
        return Payment.objects.filter(charge_id=charge_id, state=state).first()

    return await eventually(look, f"{charge_id} {state}")


# Paying ------------------------------------------------------------------------------------------


async def test_a_package_is_chosen_paid_credited_and_receipted(starling: Roles, anna: Person):
    await anna.send("/pay")
    offers = await anna.wait_for(lambda message: "Telegram Stars" in message["text"])
    assert "phone" in offers["text"]
    await anna.press(offers["message_id"], button(offers, "Basic"))
    bill = await anna.wait_for(lambda message: message["invoice"])
    assert bill["invoice"]["total_amount"] == 100
    assert bill["invoice"]["description"] == "$0.65 will be added to your balance."
    outcome = await anna.pay(bill["message_id"])
    receipt = await anna.wait_for(lambda message: "added for" in message["text"])
    assert receipt["text"] == "Thank you! $0.65 added for ⭐ 100.\n\nYour balance is $1.65."
    (payment,) = await payments()
    assert (payment.state, payment.charge_id, payment.flagged) == ("paid", outcome["charge_id"], False)
    assert await books.balance_of(ANNA) == Decimal("1.65")
    assert anna.stars == 4900
    assert await books.mismatches() == []


async def test_a_payload_is_chance_and_says_nothing(starling: Roles, anna: Person, telegram: Playground):
    for _ in range(2):
        await invoice_for(anna)
    payloads = [call.params["payload"] for call in telegram.calls if call.method == "sendInvoice"]
    assert len(set(payloads)) == 2
    assert all(len(payload) == 32 and not payload.isdecimal() for payload in payloads)


async def test_a_number_answered_to_our_question_is_an_amount(starling: Roles, anna: Person):
    await anna.send("/pay")
    offers = await anna.wait_for(lambda message: "Telegram Stars" in message["text"])
    await anna.press(offers["message_id"], button(offers, "Another amount"))
    question = await anna.wait_for(lambda message: "How many Stars" in message["text"])
    await anna.send("7", reply_to=question["message_id"])
    bill = await anna.wait_for(lambda message: message["invoice"])
    assert bill["invoice"]["total_amount"] == 7


async def test_a_command_answered_to_our_question_is_a_command(starling: Roles, anna: Person):
    await anna.send("/pay")
    offers = await anna.wait_for(lambda message: "Telegram Stars" in message["text"])
    await anna.press(offers["message_id"], button(offers, "Another amount"))
    question = await anna.wait_for(lambda message: "How many Stars" in message["text"])
    await anna.send("/help", reply_to=question["message_id"])
    await anna.wait_for(lambda message: "/balance" in message["text"], after=question["message_id"] + 1)


async def test_an_amount_that_is_none_gets_a_sentence(starling: Roles, anna: Person):
    wrong = ["0", "-5", "2501", "12.5", "٣", "1e3", "9" * 40]
    for typed in wrong:
        await anna.send(f"/pay {typed}")
    await eventually(lambda: told(anna, "from 1 to 2500", len(wrong)), "a sentence for each")
    assert await payments() == []


async def test_an_invoice_paid_on_two_devices_is_credited_twice_and_flagged(starling: Roles, anna: Person):
    charges = await anna.pay_twice(await invoice_for(anna))
    for charge in charges:
        await state_is(charge, "paid")
    rows = await payments()
    assert [row.flagged for row in rows] == [False, True]
    assert rows[1].order_id == rows[0].pk
    assert await books.balance_of(ANNA) == Decimal("2.30")


async def test_the_same_update_ten_times_is_one_credit_and_one_receipt(
    starling: Roles, anna: Person, telegram: Playground
):
    charge = await paid(anna)
    message = next(one for one in anna.messages if "successful_payment" in one)
    for _ in range(10):
        telegram.state.updates.push("message", message)
    await anna.send("/terms")
    await anna.wait_for(lambda message: "What you pay for" in message["text"])
    assert (await kinds(ANNA))["top_up"] == 1
    assert sum("added for" in reply.get("text", "") for reply in anna.replies) == 1
    await state_is(charge, "paid")


async def test_a_rate_changed_between_invoice_and_payment_changes_nothing(starling: Roles, anna: Person):
    bill = await invoice_for(anna)
    await new_rate("0.10")
    outcome = await anna.pay(bill)
    payment = await state_is(outcome["charge_id"], "paid")
    assert (payment.usd, payment.k3) == (Decimal("0.65"), 0)
    await anna.wait_for(lambda message: "added for" in message["text"])
    assert (await state_is(await paid(anna), "paid")).usd == Decimal("0.52")


@in_db
def new_rate(k3: str) -> None:
    old = stars.rate_now()
    StarRate.objects.create(
        effective_from=old.effective_from + timedelta(microseconds=1),
        usd_per_star=old.usd_per_star,
        k1=old.k1,
        k2=old.k2,
        k3=Decimal(k3),
    )


async def test_somebody_never_seen_before_who_pays_is_taken_in(starling: Roles, boris: Person):
    boris.complete(Invoice("x", "x", "a payload of somebody's", "XTR", 100))
    await boris.wait_for(lambda message: "Зачислено" in message["text"])
    assert await books.balance_of(BORIS) == Decimal("1.65")
    (payment,) = await payments()
    assert payment.flagged
    assert "No order" in payment.note


async def test_a_blocked_person_s_payment_is_credited_all_the_same(starling: Roles, anna: Person):
    bill = await invoice_for(anna)
    assert await anna.ask_to_pay(bill) is None
    await block(ANNA)
    anna.complete(anna.invoice(bill))
    await anna.wait_for(lambda message: "added for" in message["text"])
    assert await books.balance_of(ANNA) == Decimal("1.65")


@in_db
def block(telegram_id: int) -> None:
    User.objects.filter(telegram_id=telegram_id).update(blocked_at="2026-01-01T00:00:00Z")


async def test_a_payment_in_another_currency_is_not_credited_but_kept_for_staff(
    starling: Roles, anna: Person
):
    bill = anna.invoice(await invoice_for(anna))
    anna.complete(Invoice(bill.title, bill.description, bill.payload, "EUR", 100))

    @in_db
    def look() -> UnmatchedTransaction | None:
        return UnmatchedTransaction.objects.first()

    kept = await eventually(look, "the foreign payment")
    assert "EUR" in kept.partner
    assert [payment.state for payment in await payments()] == ["ordered"]
    assert await books.balance_of(ANNA) == 1


# Before a payment --------------------------------------------------------------------------------


async def test_a_forged_question_is_refused(starling: Roles, anna: Person):
    bill = await invoice_for(anna)
    forged: list[tuple[Json, str]] = [
        ({"invoice_payload": "guessed"}, "not yours"),
        ({"invoice_payload": ""}, "not yours"),
        ({"total_amount": 1}, "amount"),
        ({"currency": "USD"}, "amount"),
    ]
    for changes, words in forged:
        assert words in (await anna.ask_to_pay(bill, **changes) or ""), changes
    assert await anna.ask_to_pay(bill) is None, "the true one still goes through"


async def test_nobody_pays_another_person_s_order(starling: Roles, anna: Person, boris: Person):
    bill = anna.invoice(await invoice_for(anna))
    boris._state.stars.invoices[boris.id, 1] = bill
    assert "не ваш" in (await boris.ask_to_pay(1) or "")


async def test_a_paid_an_old_and_a_blocked_person_s_order_are_refused(starling: Roles, anna: Person):
    bill = await invoice_for(anna)
    assert (await anna.pay(bill))["ok"]
    await anna.wait_for(lambda message: "added for" in message["text"])
    assert "paid already" in (await anna.ask_to_pay(bill) or "")
    bill = await invoice_for(anna)
    await in_db(lambda: Payment.objects.update(expires_at=F("created_at")))()
    assert "too old" in (await anna.ask_to_pay(bill) or "")
    bill = await invoice_for(anna)
    await block(ANNA)
    assert "blocked" in (await anna.ask_to_pay(bill) or "")


# Refunds -----------------------------------------------------------------------------------------


async def asked_back(person: Person) -> int:
    """Go to the last question of /refund; the message with the button that does it."""
    after = newest(person)
    await person.send("/refund")
    listed = await person.wait_for(lambda message: message["reply_markup"], after=after)
    await person.press(listed["message_id"], buttons(listed)[0]["callback_data"])
    sure = await person.wait_for(lambda message: "Shall" in message["text"], after=listed["message_id"])
    return sure["message_id"]


async def press_first(person: Person, message_id: int) -> None:
    message = next(one for one in person.messages if one["message_id"] == message_id)
    await person.press(message_id, buttons(message)[0]["callback_data"])


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


def user_pk(telegram_id: int) -> int:
    return User.objects.values_list("pk", flat=True).get(telegram_id=telegram_id)


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


async def told(person: Person, words: str, times: int = 1) -> bool:
    return sum(words in reply.get("text", "") for reply in person.replies) >= times


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


# Reconciliation ----------------------------------------------------------------------------------


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
    from billing import reconcile  # noqa: PLC0415

    bill = anna.invoice(await invoice_for(anna))
    await starling.cashier.reconcile()
    anna.complete(bill, told=False)
    await starling.cashier.recover()
    assert (await kinds(ANNA))["top_up"] == 0
    await in_db(reconcile.ask)()
    await starling.cashier.recover()
    assert (await kinds(ANNA))["top_up"] == 1
    assert not await in_db(reconcile.is_asked)()


# Subscriptions -----------------------------------------------------------------------------------


async def subscribed(person: Person) -> str:
    await person.send("/pay")
    offers = await person.wait_for(lambda message: "Telegram Stars" in message["text"])
    await person.press(offers["message_id"], button(offers, "Every month"))
    offer = await person.wait_for(lambda message: "every month" in message["text"])
    outcome = await person.pay(buttons(offer)[0]["url"])
    assert outcome["ok"], outcome
    await person.wait_for(lambda message: "added for" in message["text"])
    return outcome["charge_id"]


async def test_a_subscription_is_paid_renewed_and_ended(starling: Roles, anna: Person, telegram: Playground):
    charge = await subscribed(anna)
    assert await books.balance_of(ANNA) == Decimal("2.625")
    await new_rate("0.10")
    anna.renew(charge)
    await anna.wait_for(lambda message: "renewed: $1.625" in message["text"])
    assert await books.balance_of(ANNA) == Decimal("4.25")
    assert [payment.flagged for payment in await payments()] == [False, False]
    after = newest(anna)
    await anna.send("/pay")
    offers = await anna.wait_for(lambda message: "You have a subscription" in message["text"], after=after)
    await anna.press(offers["message_id"], button(offers, "End the subscription"))
    await anna.wait_for(lambda message: "nothing more is taken" in message["text"])
    assert telegram.state.stars.subscriptions[charge].is_canceled


async def test_a_renewal_delivered_five_times_is_credited_once(
    starling: Roles, anna: Person, telegram: Playground
):
    charge = await subscribed(anna)
    renewal = anna.renew(charge)
    message = next(
        one
        for one in anna.messages
        if one.get("successful_payment", {}).get("telegram_payment_charge_id") == renewal.id
    )
    for _ in range(5):
        telegram.state.updates.push("message", message)
    await state_is(renewal.id, "paid")
    await anna.send("/terms")
    await anna.wait_for(lambda message: "What you pay for" in message["text"])
    assert (await kinds(ANNA))["top_up"] == 2


async def test_what_a_person_does_to_it_in_telegram_is_heard(starling: Roles, anna: Person):
    charge = await subscribed(anna)
    heard = [("canceled", "nothing more is taken"), ("active", "goes on"), ("failed", "could not be renewed")]
    for state, words in heard:
        anna.change_subscription(charge, state)
        await anna.wait_for(lambda message, words=words: words in message["text"])
        assert (await payments())[0].subscription == state
