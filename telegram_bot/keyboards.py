"""Buttons and what they carry. Pure."""

from collections.abc import Sequence

from aiogram.filters.callback_data import CallbackData
from aiogram.types import InlineKeyboardButton, InlineKeyboardMarkup


class RetryPress(CallbackData, prefix="retry"):
    """Ask a turn that broke off again."""

    turn: int


def retry(turn_id: int, words: str) -> InlineKeyboardMarkup:
    button = InlineKeyboardButton(text=words, callback_data=RetryPress(turn=turn_id).pack())
    return InlineKeyboardMarkup(inline_keyboard=[[button]])


class StopPress(CallbackData, prefix="stop"):
    """Stop a turn that is under way in a group."""

    turn: int


def stop(turn_id: int, words: str) -> InlineKeyboardMarkup:
    button = InlineKeyboardButton(text=words, callback_data=StopPress(turn=turn_id).pack())
    return InlineKeyboardMarkup(inline_keyboard=[[button]])


def link(words: str, url: str) -> InlineKeyboardMarkup:
    return InlineKeyboardMarkup(inline_keyboard=[[InlineKeyboardButton(text=words, url=url)]])


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
