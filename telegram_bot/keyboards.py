"""Buttons and what they carry. Pure."""

from collections.abc import Iterable

from aiogram.filters.callback_data import CallbackData
from aiogram.types import InlineKeyboardButton, InlineKeyboardMarkup


class RetryPress(CallbackData, prefix="retry"):
    """Ask a turn that broke off again."""

    turn: int


class PayPress(CallbackData, prefix="pay"):
    """Buy a package by its name, or one of the words below."""

    what: str


class RefundPress(CallbackData, prefix="refund"):
    """Give a payment back; the first press asks, the second is sure."""

    payment: int
    sure: bool


class GiftPress(CallbackData, prefix="gift"):
    """Give somebody dollars; `nano` of them are a dollar's billionth."""

    taker: int
    nano: int


class SubscriptionPress(CallbackData, prefix="sub"):
    """End a subscription at its next date."""

    payment: int


# What PayPress carries beside the names of packages.
OFFERS, ANY_AMOUNT, CHECK = "offers", "any", "check"


def retry(turn_id: int, words: str, *, pay: str = "") -> InlineKeyboardMarkup:
    """The way on from an answer that broke off; with a word for it, also the way to pay."""
    buttons = [[_button(words, RetryPress(turn=turn_id))]]
    if pay:
        buttons.append([_button(pay, PayPress(what=OFFERS), style="primary")])
    return InlineKeyboardMarkup(inline_keyboard=buttons)


def one(words: str, press: CallbackData, *, style: str | None = None) -> InlineKeyboardMarkup:
    return InlineKeyboardMarkup(inline_keyboard=[[_button(words, press, style=style)]])


def column(buttons: Iterable[tuple[str, CallbackData]]) -> InlineKeyboardMarkup:
    """One button a line: long words stay readable on a phone."""
    return InlineKeyboardMarkup(inline_keyboard=[[_button(words, press)] for words, press in buttons])


def link(words: str, url: str) -> InlineKeyboardMarkup:
    return InlineKeyboardMarkup(inline_keyboard=[[InlineKeyboardButton(text=words, url=url)]])


def _button(words: str, press: CallbackData, *, style: str | None = None) -> InlineKeyboardButton:
    return InlineKeyboardButton(text=words, callback_data=press.pack(), style=style)
