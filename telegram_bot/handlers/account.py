"""A person's account: what there is, what it went for, giving some of it away, redeeming a code."""

import asyncio
from decimal import Decimal, InvalidOperation

from aiogram import Bot, F, Router
from aiogram.enums import ChatType
from aiogram.filters import Command, CommandObject
from aiogram.filters.callback_data import CallbackData
from aiogram.types import CallbackQuery, InaccessibleMessage, InlineKeyboardMarkup, Message
from django.utils import translation

from accounts.services import language_of
from billing import gifts, statement, vouchers
from billing.errors import GiftRefused, VoucherRefused
from billing.pricing import NANO
from config.aio import in_db
from telegram_bot import chart, people
from telegram_bot.handlers import reply
from telegram_bot.intake import profile_of, topic_of
from telegram_bot.keyboards import OFFERS, GiftPress, Option, PayPress, choose
from telegram_bot.outgoing import Destination, Unreachable
from telegram_bot.presses import Pressed, answer, seal_for
from telegram_bot.texts import say

AMOUNT_LENGTH_MAX = 20  # characters of an amount somebody types


async def on_balance(message: Message, bot: Bot) -> None:
    """What there is and where it went: in words, with a picture of the last days once there is one to draw."""
    assert message.from_user is not None
    user_id, language = await in_db(people.customer)(profile_of(message.from_user))
    account = await in_db(statement.statement_of)(user_id)
    words = say("balance", language, account=account, days=statement.DAYS)
    keyboard = _one(say("pay_button", language), PayPress(what=OFFERS), message.from_user.id)
    to = Destination(bot, message.chat.id, topic_of(message))
    try:
        if account.used:
            with translation.override(language):
                picture = await asyncio.to_thread(chart.of_days, account.days, language)
            await to.picture(picture, words, keyboard=keyboard)
        else:
            await to.say(words, keyboard=keyboard)
    except Unreachable:
        return


async def on_gift(message: Message, command: CommandObject) -> None:
    """/gift @name 2.50 asks whether that is meant."""
    assert message.from_user is not None
    user_id, language = await in_db(people.customer)(profile_of(message.from_user))
    name, _, typed = (command.args or "").strip().partition(" ")
    usd = _dollars(typed)
    if not name or usd is None:
        await reply(message, "gift_how")
        return
    try:
        taker = await in_db(gifts.taker_of)(name, giver=user_id)
    except GiftRefused as refused:
        await reply(message, "gift_no", key=refused.key, name=name)
        return
    press = GiftPress(taker=taker.pk, nano=int(usd / NANO))
    keyboard = _one(say("gift_yes", language, usd=usd), press, message.from_user.id)
    await reply(message, "gift_sure", keyboard=keyboard, name=taker.display_name, usd=usd)


async def on_gift_press(query: CallbackQuery, press: GiftPress, bot: Bot) -> None:
    """The gift itself: once per question, however often its button is pressed."""
    user_id, language = await in_db(people.customer)(profile_of(query.from_user))
    await answer(query)
    asked = query.message
    if asked is None or isinstance(asked, InaccessibleMessage):
        await _tell(bot, query.from_user.id, say("old_button", language))
        return
    usd = (press.nano * NANO).quantize(NANO)
    key = f"gift:{user_id}:{asked.message_id}"
    try:
        gift = await in_db(gifts.give)(user_id, press.taker, usd, key=key, press=query.id)
    except GiftRefused as refused:
        await _tell(bot, query.from_user.id, say("gift_no", language, key=refused.key))
        return
    sentence = "gift_done" if gift.is_new else "gift_again"
    await _tell(bot, query.from_user.id, say(sentence, language, usd=usd, name=gift.taker.display_name))
    if gift.is_new and gift.taker.telegram_id:
        words = say("gift_got", language_of(gift.taker), usd=usd, name=gift.giver.display_name)
        await _tell(bot, gift.taker.telegram_id, words)


async def on_redeem(message: Message, command: CommandObject) -> None:
    """/redeem CODE."""
    assert message.from_user is not None
    user_id, _ = await in_db(people.customer)(profile_of(message.from_user))
    if not command.args:
        await reply(message, "redeem_how")
        return
    try:
        usd = await in_db(vouchers.redeem)(user_id, command.args)
    except VoucherRefused as refused:
        await reply(message, "redeem_no", key=refused.key)
        return
    await reply(message, "redeemed", usd=usd, balance=await in_db(people.balance_of)(user_id))


def _one(words: str, press: CallbackData, person: int) -> InlineKeyboardMarkup:
    return choose([Option(words, press)], seal_for(person))


def _dollars(typed: str) -> Decimal | None:
    """An amount as people write it: 2.50, 2,50 or $2.50."""
    text = typed.strip().removeprefix("$").replace(",", ".")
    if not text or len(text) > AMOUNT_LENGTH_MAX:
        return None
    try:
        usd = Decimal(text)
    except InvalidOperation:
        return None
    return (
        usd if usd.is_finite() and gifts.GIFT_MIN <= usd < gifts.GIFT_MAX and usd == round(usd, 2) else None
    )


async def _tell(bot: Bot, chat: int, words: str) -> None:
    try:
        await Destination(bot, chat).say(words)
    except Unreachable:
        return


def router() -> Router:
    """What leads here."""
    router = Router(name="account")
    router.message.filter(F.chat.type == ChatType.PRIVATE)
    router.message.register(on_balance, Command("balance"))
    router.message.register(on_gift, Command("gift"))
    router.message.register(on_redeem, Command("redeem"))
    router.callback_query.register(on_gift_press, Pressed(GiftPress))
    return router
