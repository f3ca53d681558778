"""Buttons and what they carry. Pure."""

from aiogram.filters.callback_data import CallbackData
from aiogram.types import InlineKeyboardButton, InlineKeyboardMarkup


class RetryPress(CallbackData, prefix="retry"):
    """Ask a turn that broke off again."""

    turn: int


def retry(turn_id: int, words: str) -> InlineKeyboardMarkup:
    button = InlineKeyboardButton(text=words, callback_data=RetryPress(turn=turn_id).pack())
    return InlineKeyboardMarkup(inline_keyboard=[[button]])
