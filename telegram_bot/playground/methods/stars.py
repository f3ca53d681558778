"""sendInvoice and the rest of Stars."""

from __future__ import annotations

from typing import Final

from aiogram.methods import (
    AnswerPreCheckoutQuery,
    CreateInvoiceLink,
    EditUserStarSubscription,
    GetMyStarBalance,
    GetStarTransactions,
    RefundStarPayment,
    SendInvoice,
)

from telegram_bot.playground import utf16
from telegram_bot.playground.errors import bad_request
from telegram_bot.playground.methods.messages import common_fields
from telegram_bot.playground.methods.registry import Context, method
from telegram_bot.playground.people import Person
from telegram_bot.playground.shapes import Json
from telegram_bot.playground.stars import Invoice

TITLE: Final = range(1, 33)  # sendInvoice: "Product name, 1-32 characters"
DESCRIPTION: Final = range(1, 256)  # sendInvoice: "Product description, 1-255 characters"
PAYLOAD_BYTES: Final = range(1, 129)  # sendInvoice: "Bot-defined invoice payload, 1-128 bytes"
STARS: Final = range(1, 10_001)
TRANSACTIONS: Final = range(1, 101)  # getStarTransactions: "Values between 1-100 are accepted"
PERIOD_SECONDS: Final = 2_592_000  # createInvoiceLink: "it must always be 2592000 (30 days)"


@method(SendInvoice)
async def send_invoice(context: Context, call: SendInvoice) -> Json:
    chat = context.state.writable(call.chat_id)
    invoice = _checked(call)
    message = context.state.post_from_bot(chat, {"invoice": invoice.view()} | common_fields(chat, call))
    context.state.stars.invoices[chat.id, message["message_id"]] = invoice
    return message


@method(CreateInvoiceLink)
async def create_invoice_link(context: Context, call: CreateInvoiceLink) -> str:
    if call.subscription_period not in (None, PERIOD_SECONDS):
        raise bad_request("SUBSCRIPTION_PERIOD_INVALID")
    return context.state.stars.link(_checked(call, call.subscription_period))


@method(AnswerPreCheckoutQuery)
async def answer_pre_checkout_query(context: Context, call: AnswerPreCheckoutQuery) -> bool:
    if not call.ok and not call.error_message:
        raise bad_request("ERROR_MESSAGE_EMPTY")
    context.state.stars.answer(call.pre_checkout_query_id, None if call.ok else call.error_message)
    return True


@method(RefundStarPayment)
async def refund_star_payment(context: Context, call: RefundStarPayment) -> bool:
    charge = context.state.stars.refund(call.user_id, call.telegram_payment_charge_id)
    Person(context.state, context.state.chats[call.user_id]).see_refund(charge)
    return True


@method(GetStarTransactions)
async def get_star_transactions(context: Context, call: GetStarTransactions) -> Json:
    offset, limit = call.offset or 0, 100 if call.limit is None else call.limit
    if limit not in TRANSACTIONS or offset < 0:
        raise bad_request("LIMIT_INVALID")
    return {"transactions": context.state.stars.transactions[offset : offset + limit]}


@method(GetMyStarBalance)
async def get_my_star_balance(context: Context, _: GetMyStarBalance) -> Json:
    return {"amount": context.state.stars.bot_stars}


@method(EditUserStarSubscription)
async def edit_user_star_subscription(context: Context, call: EditUserStarSubscription) -> bool:
    found = context.state.stars.subscription(call.user_id, call.telegram_payment_charge_id)
    found.is_canceled = call.is_canceled
    return True


def _checked(call: SendInvoice | CreateInvoiceLink, period: int | None = None) -> Invoice:
    """The invoice a call asks for, in Stars; the other currencies need a provider."""
    if utf16.length(call.title) not in TITLE or utf16.length(call.description) not in DESCRIPTION:
        raise bad_request("PRODUCT_TITLE_OR_DESCRIPTION_INVALID")
    if len(call.payload.encode()) not in PAYLOAD_BYTES:
        raise bad_request("INVOICE_PAYLOAD_INVALID")
    if call.currency != "XTR":
        raise bad_request("CURRENCY_INVALID: this stand-in knows Stars only")
    if call.provider_token:
        raise bad_request("STARS_INVOICE_INVALID: a provider token is for other currencies")
    if len(call.prices) != 1 or call.prices[0].amount not in STARS:
        raise bad_request("STARS_INVOICE_INVALID: Stars take exactly one price")
    return Invoice(call.title, call.description, call.payload, call.currency, call.prices[0].amount, period)
