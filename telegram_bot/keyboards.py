"""Buttons and what they carry. Pure."""

from collections.abc import Iterable, Sequence

from aiogram.filters.callback_data import CallbackData
from aiogram.types import CopyTextButton, InlineKeyboardButton, InlineKeyboardMarkup

COPY_TEXT_MAX = 256  # characters, Bot API: CopyTextButton.text


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


class CopyPress(CallbackData, prefix="copy"):
    """Get the source of a rich message: of which turn, which stretch of its Markdown, and which part of that."""

    turn: int
    said: int
    part: int


def copy_as_text(press: CopyPress, source: str, words: str) -> InlineKeyboardMarkup:
    """A button below a rich message, whose text some clients cannot copy; a short text it puts there itself."""
    if len(source.encode("utf-16-le")) // 2 <= COPY_TEXT_MAX:
        button = InlineKeyboardButton(text=words, copy_text=CopyTextButton(text=source))
    else:
        button = InlineKeyboardButton(text=words, callback_data=press.pack())
    return InlineKeyboardMarkup(inline_keyboard=[[button]])


class StopPress(CallbackData, prefix="stop"):
    """Stop a turn that is under way in a group."""

    turn: int


def stop(turn_id: int, words: str) -> InlineKeyboardMarkup:
    button = InlineKeyboardButton(text=words, callback_data=StopPress(turn=turn_id).pack())
    return InlineKeyboardMarkup(inline_keyboard=[[button]])


def link(words: str, url: str) -> InlineKeyboardMarkup:
    return InlineKeyboardMarkup(inline_keyboard=[[InlineKeyboardButton(text=words, url=url)]])


def _button(words: str, press: CallbackData, *, style: str | None = None) -> InlineKeyboardButton:
    return InlineKeyboardButton(text=words, callback_data=press.pack(), style=style)


class ThreadPress(CallbackData, prefix="thread"):
    """Do something with the list of one's conversations, or with one of them.

    `person` is whose list it is: a press by anybody else does nothing.
    """

    act: str  # list, open, switch, rename, delete, gone
    person: int
    thread: int = 0
    page: int = 0


def rows(*lines: Sequence[tuple[str, CallbackData]]) -> InlineKeyboardMarkup:
    """Buttons in lines, each with its words and what it carries."""
    keyboard = [
        [InlineKeyboardButton(text=words, callback_data=press.pack()) for words, press in line]
        for line in lines
        if line
    ]
    return InlineKeyboardMarkup(inline_keyboard=keyboard)
