"""Paying with Stars over the real bot: every path a payment can take, and every one it must not."""

from decimal import Decimal

from django.db.models import F

from billing.models import Payment, UnmatchedTransaction
from config.aio import in_db
from telegram_bot.dispatcher import Roles
from telegram_bot.playground.people import Person
from telegram_bot.playground.server import Playground
from telegram_bot.playground.stars import Invoice
from tests.flows import books
from tests.flows.paying import (
    Json,
    block,
    button,
    invoice_for,
    kinds,
    new_rate,
    paid,
    payments,
    state_is,
    told,
)
from tests.people import ANNA, BORIS
from tests.waiting import eventually


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
