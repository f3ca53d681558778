"""Paying with Stars: the offers, the question before a payment, the payment itself, and giving it back."""

import asyncio
from datetime import UTC, datetime

import structlog
from aiogram import Bot, F, Router
from aiogram.enums import ChatType
from aiogram.exceptions import TelegramAPIError, TelegramBadRequest
from aiogram.filters import Command, CommandObject
from aiogram.filters.callback_data import CallbackData
from aiogram.types import (
    BotSubscriptionUpdated,
    CallbackQuery,
    InlineKeyboardMarkup,
    Message,
    PreCheckoutQuery,
    SuccessfulPayment,
    User,
)
from django.conf import settings
from django.db import InterfaceError, OperationalError, connection, transaction

from accounts.services import language_by_telegram
from billing import refunds, stars
from billing.errors import OrderRefused, RefundRefused
from billing.models import Payment
from billing.stars import CURRENCY, PACKAGES, Paid
from config.aio import in_db
from telegram_bot import keyboards, people, services
from telegram_bot.bills import Bill
from telegram_bot.cashier import Cashier
from telegram_bot.handlers import reply
from telegram_bot.intake import profile_of, topic_of
from telegram_bot.keyboards import Option, PayPress, RefundPress, SubscriptionPress, choose
from telegram_bot.outgoing import Destination, Unreachable
from telegram_bot.presses import Pressed, answer, seal_for
from telegram_bot.rendering import render
from telegram_bot.texts import say

log = structlog.get_logger(__name__)

PRE_CHECKOUT_SECONDS = 2.0  # Telegram waits ten; a person before a spinner does not
AMOUNT_EXAMPLE = "120"
DIGITS_MAX = 6  # of an amount somebody types


# The offers --------------------------------------------------------------------------------------


async def on_pay(message: Message, command: CommandObject, bot: Bot) -> None:
    """/pay shows the packages, /pay 120 goes straight to an invoice."""
    assert message.from_user is not None
    if command.args:
        await _sell_amount(bot, message, message.from_user, command.args)
    else:
        await _show_offers(_here(message, bot), message.from_user)


async def on_amount(message: Message, bot: Bot) -> None:
    """The number somebody answers our question for one with."""
    assert message.from_user is not None
    assert message.text
    await _sell_amount(bot, message, message.from_user, message.text)


async def on_pay_press(query: CallbackQuery, press: PayPress, bot: Bot, cashier: Cashier) -> None:
    """A button of the offers."""
    user_id, language = await in_db(people.customer)(profile_of(query.from_user))
    to = _there(query, bot)
    if press.what == keyboards.CHECK:
        await answer(query)
        await _check(to, user_id, language, cashier)
    elif press.what == keyboards.ANY_AMOUNT:
        await answer(query)
        await _ask_how_many(to, language)
    elif package := PACKAGES.get(press.what):
        await answer(query)
        await _sell(to, user_id, language, package.stars, package.name)
    else:
        await answer(query)
        await _show_offers(to, query.from_user)


async def _ask_how_many(to: Destination, language: str) -> None:
    try:
        words = say("pay_how_many", language, most=stars.STARS_MAX)
        await to.ask(words, AMOUNT_EXAMPLE)
    except Unreachable:
        return


async def _show_offers(to: Destination, user: User) -> None:
    user_id, language = await in_db(people.customer)(profile_of(user))
    offers = await in_db(stars.offers)()
    subscription = await in_db(stars.subscription_of)(user_id)
    options = [
        Option(say("pay_package", language, package=package, usd=usd), PayPress(what=package.name))
        for package, usd in offers
        if not (package.monthly and subscription)
    ]
    options.append(Option(say("pay_any", language), PayPress(what=keyboards.ANY_AMOUNT)))
    options.append(Option(say("pay_check", language), PayPress(what=keyboards.CHECK)))
    if subscription and subscription.subscription == Payment.Subscription.ACTIVE:
        words = say("subscription_end_button", language)
        options.append(Option(words, SubscriptionPress(payment=subscription.pk)))
    words = say("pay", language, subscription=subscription)
    await _say(to, words, choose(options, seal_for(user.id), columns=1))


async def _sell_amount(bot: Bot, message: Message, user: User, typed: str) -> None:
    """An invoice for a number of Stars that a person typed."""
    user_id, language = await in_db(people.customer)(profile_of(user))
    amount = typed.strip()
    number = int(amount) if amount.isascii() and amount.isdecimal() and len(amount) <= DIGITS_MAX else 0
    await _sell(_here(message, bot), user_id, language, number)


async def _sell(to: Destination, user_id: int, language: str, amount: int, package: str = "") -> None:
    """Write the order down, then send its invoice: what is promised there stands in the row."""
    monthly = bool(package) and PACKAGES[package].monthly
    try:
        order = await in_db(stars.order)(user_id, amount, package=package, monthly=monthly)
    except OrderRefused as refused:
        await _say(to, say("pay_no", language, key=refused.key, most=stars.STARS_MAX))
        return
    assert order.payload is not None, "an order has one"
    bill = Bill(
        title=say("invoice_title", language, order=order),
        description=say("invoice_description", language, order=order),
        payload=order.payload,
        stars=order.stars,
    )
    try:
        if monthly:
            await _send_subscription(to, language, order, bill)
        else:
            await to.invoice(bill.message(to.chat_id, to.topic))
    except Unreachable:
        return


async def _send_subscription(to: Destination, language: str, order: Payment, bill: Bill) -> None:
    url = await to.bot(bill.monthly_link())
    words = say("subscription_offer", language, order=order)
    button = keyboards.link(say("subscription_button", language, order=order), url)
    await _say(to, words, button)


async def _check(to: Destination, user_id: int, language: str, cashier: Cashier) -> None:
    """ "My Stars are gone": Telegram's list is read now, and what is missing there is credited."""
    before = await in_db(_paid_count)(user_id)
    found = await cashier.reconcile()
    after = await in_db(_paid_count)(user_id)
    key = "away" if found is None else "found" if after > before else "nothing"
    await _say(to, say("pay_checked", language, key=key))


def _paid_count(user_id: int) -> int:
    return Payment.objects.filter(user_id=user_id, charge_id__isnull=False).count()


# The payment -------------------------------------------------------------------------------------


async def on_pre_checkout(query: PreCheckoutQuery) -> None:
    """May this payment be made? Answered in two seconds, whatever the database does: if in doubt, no."""
    language = query.from_user.language_code or ""
    try:
        async with asyncio.timeout(PRE_CHECKOUT_SECONDS):
            refusal, language = await in_db(_why_not, lane="checkout")(query)
    except (TimeoutError, OperationalError, InterfaceError) as error:
        log.warning("pre_checkout.closed", reason=type(error).__name__)
        refusal = "slow"
    if refusal:
        log.info("pre_checkout.refused", key=refusal)
    words = say("checkout_no", _spoken(language), key=refusal) if refusal else None
    try:
        await query.answer(ok=not refusal, error_message=words)
    except TelegramAPIError as error:  # too late, or Telegram is away: the payment is off either way
        log.warning("pre_checkout.unanswered", reason=str(error)[:200])


@transaction.atomic
def _why_not(query: PreCheckoutQuery) -> tuple[str, str]:
    """Why not, and in which language to say so; PostgreSQL lets go of it when its answer is of no use any more."""
    with connection.cursor() as cursor:
        cursor.execute(f"SET LOCAL statement_timeout = {round(PRE_CHECKOUT_SECONDS * 1000)}")
    person = query.from_user.id
    refusal = stars.why_not(
        person, payload=query.invoice_payload, currency=query.currency, stars=query.total_amount
    )
    reported = query.from_user.language_code or ""
    return refusal, language_by_telegram(person, reported) if refusal else reported


def _spoken(language: str) -> str:
    code = language.split("-")[0].lower()
    return code if code in dict(settings.LANGUAGES) else settings.LANGUAGE_CODE


async def on_paid(message: Message, update_id: int, cashier: Cashier) -> None:
    """The Stars are ours: the dollars are theirs, in the commit that handles the update."""
    assert message.from_user is not None
    assert message.successful_payment is not None
    payment = message.successful_payment
    paid = _paid(payment, message.date)
    if payment.currency != CURRENCY:
        log.error("payment.foreign", currency=payment.currency)
        partner = f"user {message.from_user.id}, {payment.currency}"
        await in_db(services.keep_foreign_payment)(paid, partner, update_id)
        return
    cashier.tell(await in_db(services.take_payment)(profile_of(message.from_user), paid, update_id))


def _paid(payment: SuccessfulPayment, at: datetime) -> Paid:
    until = payment.subscription_expiration_date
    return Paid(
        charge_id=payment.telegram_payment_charge_id,
        payload=payment.invoice_payload,
        stars=payment.total_amount,
        at=at,
        until=datetime.fromtimestamp(until, UTC) if until else None,
    )


async def on_refunded(message: Message, update_id: int, cashier: Cashier) -> None:
    """Stars went back, by us or elsewhere."""
    assert message.refunded_payment is not None
    charge = message.refunded_payment.telegram_payment_charge_id
    payment = await in_db(services.take_refund)(charge, update_id)
    if payment is not None:
        cashier.tell(payment)


# Refunds and subscriptions -----------------------------------------------------------------------


async def on_refund(message: Message, bot: Bot) -> None:
    """/refund: what can be given back, and why the rest cannot."""
    assert message.from_user is not None
    user_id, language = await in_db(people.customer)(profile_of(message.from_user))
    rows = await in_db(refunds.payments_of)(user_id)
    options = [
        Option(say("refund_button", language, payment=row), RefundPress(payment=row.pk, sure=False))
        for row, refusal in rows
        if not refusal
    ]
    keyboard = choose(options, seal_for(message.from_user.id), columns=1) if options else None
    await _say(_here(message, bot), say("refund", language, rows=rows), keyboard)


async def on_refund_press(query: CallbackQuery, press: RefundPress, bot: Bot, cashier: Cashier) -> None:
    """The first press says what will happen, the second does it."""
    user_id, language = await in_db(people.customer)(profile_of(query.from_user))
    await answer(query)
    if not press.sure:
        rows = {row.pk: (row, no) for row, no in await in_db(refunds.payments_of)(user_id)}
        row, refusal = rows.get(press.payment, (None, "unknown"))
        if row is not None and not refusal:
            yes = RefundPress(payment=row.pk, sure=True)
            keyboard = _one(say("refund_yes", language, payment=row), yes, query.from_user.id)
            await _say(_there(query, bot), say("refund_sure", language, payment=row), keyboard)
            return
        await _say(_there(query, bot), say("refund_no", language, key=refusal))
        return
    try:
        payment = await in_db(refunds.request)(
            press.payment, by_user=user_id, reason="Asked for by the person."
        )
    except RefundRefused as refused:
        await _say(_there(query, bot), say("refund_no", language, key=refused.key))
        return
    cashier.refund(payment.pk)


async def on_subscription_press(query: CallbackQuery, press: SubscriptionPress, bot: Bot) -> None:
    """End a subscription at its next date; the month that is paid stays."""
    user_id, language = await in_db(people.customer)(profile_of(query.from_user))
    await answer(query)
    subscription = await in_db(stars.subscription_of)(user_id)
    words = say("subscription_how_to_end", language)
    if subscription and subscription.pk == press.payment and subscription.charge_id:
        try:
            await bot.edit_user_star_subscription(
                query.from_user.id, subscription.charge_id, is_canceled=True
            )
        except TelegramBadRequest as error:
            log.warning("subscription.not_canceled", reason=error.message)
        else:
            assert subscription.payload is not None
            await in_db(stars.set_subscription)(query.from_user.id, subscription.payload, "canceled")
            words = say("subscription_changed", language, state="canceled", payment=subscription)
    await _say(_there(query, bot), words)


async def on_subscription(subscription: BotSubscriptionUpdated, bot: Bot) -> None:
    """A person changed their subscription in Telegram, or its renewal failed."""
    person = subscription.user.id
    payment = await in_db(stars.set_subscription)(person, subscription.invoice_payload, subscription.state)
    if payment is None:
        return
    language = await in_db(language_by_telegram)(person, subscription.user.language_code or "")
    words = say("subscription_changed", language, state=subscription.state, payment=payment)
    await _say(Destination(bot, person), words)


async def on_pay_support(message: Message) -> None:
    assert message.from_user is not None
    _, language = await in_db(people.customer)(profile_of(message.from_user))
    keyboard = _one(say("pay_check", language), PayPress(what=keyboards.CHECK), message.from_user.id)
    await reply(message, "paysupport", keyboard=keyboard, person=message.from_user.id)


async def on_terms(message: Message) -> None:
    await reply(message, "terms", days=refunds.REFUNDABLE_FOR.days)


def _one(words: str, press: CallbackData, person: int) -> InlineKeyboardMarkup:
    return choose([Option(words, press)], seal_for(person))


def _here(message: Message, bot: Bot) -> Destination:
    """Where somebody wrote, which may be a topic of their private chat."""
    return Destination(bot, message.chat.id, topic_of(message))


def _there(query: CallbackQuery, bot: Bot) -> Destination:
    """In private with whoever pressed a button: in its topic, if that is where the button is."""
    person, message = query.from_user.id, query.message
    if isinstance(message, Message) and message.chat.id == person:
        return Destination(bot, person, topic_of(message))
    return Destination(bot, person)


async def _say(to: Destination, words: str, keyboard: InlineKeyboardMarkup | None = None) -> None:
    try:
        await to.say(words, keyboard=keyboard)
    except Unreachable:
        return


def is_amount(message: Message) -> bool:
    """Does this message answer our question how many Stars it shall be?"""
    asked = message.reply_to_message
    if asked is None or asked.from_user is None or not asked.from_user.is_bot or not message.text:
        return False
    ours = (say("pay_how_many", code, most=stars.STARS_MAX) for code, _ in settings.LANGUAGES)
    return asked.text in {render(words).text for words in ours}


def router() -> Router:
    """What leads here. The payment itself passes every gate: no filter by chat, block or balance."""
    router = Router(name="payments")
    private = F.chat.type == ChatType.PRIVATE
    router.pre_checkout_query.register(on_pre_checkout)
    router.message.register(on_paid, F.successful_payment)
    router.message.register(on_refunded, F.refunded_payment)
    router.subscription.register(on_subscription)
    router.message.register(on_pay, private, Command("pay"))
    router.message.register(on_refund, private, Command("refund"))
    router.message.register(on_pay_support, private, Command("paysupport"))
    router.message.register(on_terms, private, Command("terms"))
    router.message.register(on_amount, private, ~F.text.startswith("/"), is_amount)
    router.callback_query.register(on_pay_press, Pressed(PayPress))
    router.callback_query.register(on_refund_press, Pressed(RefundPress))
    router.callback_query.register(on_subscription_press, Pressed(SubscriptionPress))
    return router
