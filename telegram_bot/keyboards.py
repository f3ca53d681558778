"""Buttons and what they carry. Pure."""

from collections.abc import Sequence

from aiogram.filters.callback_data import CallbackData
from aiogram.types import CopyTextButton, InlineKeyboardButton, InlineKeyboardMarkup

COPY_TEXT_MAX = 256  # characters, Bot API: CopyTextButton.text


class RetryPress(CallbackData, prefix="retry"):
    """Ask a turn that broke off again."""

    turn: int


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
