"""Stars as Telegram's servers handle them."""

import asyncio

import pytest
from aiogram import Bot
from aiogram.types import LabeledPrice

from telegram_bot.playground import Impossible, Person, Playground
from tests.playground.conftest import ANNA, Ask

PRICE = [{"label": "Stars", "amount": 5}]
BILL = {"chat_id": ANNA, "title": "T", "description": "D", "payload": "p", "currency": "XTR", "prices": PRICE}


async def bill(bot: Bot) -> int:
    prices = [LabeledPrice(label="Stars", amount=5)]
    sent = await bot.send_invoice(ANNA, "T", "D", "p", "XTR", prices, provider_token="")
    return sent.message_id


@pytest.mark.parametrize(
    "wrong",
    [
        {"title": ""},
        {"title": "x" * 33},
        {"description": "x" * 256},
        {"payload": "я" * 65},
        {"payload": ""},
        {"currency": "EUR"},
        {"provider_token": "123:TEST"},
        {"prices": PRICE * 2},
        {"prices": []},
        {"prices": [{"label": "Stars", "amount": 0}]},
    ],
)
async def test_an_invoice_telegram_would_refuse_is_refused(ask: Ask, wrong: dict):
    assert (await ask("sendInvoice", **BILL))["ok"]
    assert (await ask("sendInvoice", **BILL | wrong))["error_code"] == 400


async def test_a_subscription_is_of_thirty_days(ask: Ask):
    body = {name: value for name, value in BILL.items() if name != "chat_id"}
    assert (await ask("createInvoiceLink", **body, subscription_period=2_592_000))["ok"]
    assert not (await ask("createInvoiceLink", **body, subscription_period=86_400))["ok"]


async def test_a_question_is_answered_once_and_in_time(
    bot: Bot, anna: Person, ask: Ask, telegram: Playground
):
    paying = asyncio.create_task(anna.ask_to_pay(await bill(bot)))
    (update,) = await bot.get_updates(timeout=5)
    assert update.pre_checkout_query
    answer = {"pre_checkout_query_id": update.pre_checkout_query.id, "ok": False, "error_message": "No."}
    assert (await ask("answerPreCheckoutQuery", **answer))["ok"]
    assert await paying == "No."
    assert "too old" in (await ask("answerPreCheckoutQuery", **answer))["description"]
    query_id, checkout = telegram.state.stars.open_checkout()
    checkout.expires -= 11
    late = answer | {"pre_checkout_query_id": query_id}
    assert "too old" in (await ask("answerPreCheckoutQuery", **late))["description"]


async def test_a_refusal_needs_words(ask: Ask, telegram: Playground):
    query_id, _ = telegram.state.stars.open_checkout()
    assert not (await ask("answerPreCheckoutQuery", pre_checkout_query_id=query_id, ok=False))["ok"]


async def test_a_refund_is_made_once_to_the_payer_and_has_the_payment_s_id(bot: Bot, anna: Person, ask: Ask):
    charge = anna.complete(anna.invoice(await bill(bot))).id
    refund = {"user_id": ANNA, "telegram_payment_charge_id": charge}
    assert "USER_ID_INVALID" in (await ask("refundStarPayment", **refund | {"user_id": 7}))["description"]
    assert (
        "CHARGE_ID_EMPTY"
        in (await ask("refundStarPayment", **refund | {"telegram_payment_charge_id": ""}))["description"]
    )
    assert (await ask("refundStarPayment", **refund))["ok"]
    assert "CHARGE_ALREADY_REFUNDED" in (await ask("refundStarPayment", **refund))["description"]
    lines = (await ask("getStarTransactions"))["result"]["transactions"]
    assert [line["id"] for line in lines] == [charge, charge]
    assert ["source" in line for line in lines] == [True, False]
    assert anna.stars == 5000


async def test_the_list_is_read_by_pages_in_the_order_things_happened(bot: Bot, anna: Person, ask: Ask):
    charges = [anna.complete(anna.invoice(await bill(bot))).id for _ in range(5)]
    pages = [
        (await ask("getStarTransactions", offset=n, limit=2))["result"]["transactions"] for n in (0, 2, 4)
    ]
    assert [line["id"] for page in pages for line in page] == charges
    assert not (await ask("getStarTransactions", limit=101))["ok"]
    assert (await ask("getMyStarBalance"))["result"] == {"amount": 25}


async def test_an_empty_wallet_pays_nothing(bot: Bot, anna: Person):
    number = await bill(bot)
    anna.fill_wallet(-4996)
    with pytest.raises(Impossible, match="not enough"):
        await anna.pay(number)
