"""Buttons and what they carry. Pure.

A press arrives with whatever data its sender's app put there. So a button's data names the person it
is for and ends in a seal that only we can make: what was forged is refused, and in a group somebody
else's press is recognised as such.
"""

import hashlib
import hmac
from base64 import urlsafe_b64encode
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from aiogram.filters.callback_data import CallbackData
from aiogram.types import CopyTextButton, InlineKeyboardButton, InlineKeyboardMarkup

COPY_TEXT_MAX = 256  # characters, Bot API: CopyTextButton.text

DATA_BYTES_MAX = 64  # InlineKeyboardButton.callback_data
MARK = "~"  # between the press, its person and the seal; aiogram's own separator is a colon
SEAL_BYTES = 6  # nobody tries 2**48 presses through Telegram
DIGEST_BYTES = 6  # of a model's id, which may be longer than a button's data
COLUMNS = 2
TICK = "✓ "


class Forged(Exception):
    """Not a button of ours."""


class NotYours(Exception):
    """A button of ours, for somebody else."""


class RetryPress(CallbackData, prefix="retry"):
    """Ask a turn that broke off again."""

    turn: int


class ReceiptPress(CallbackData, prefix="receipt"):
    """Say what made up a turn's cost."""

    turn: int


class PayPress(CallbackData, prefix="pay"):
    """Buy a package by its name, or one of the words below."""

    what: str


OFFERS, ANY_AMOUNT, CHECK = "offers", "any", "check"


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


class ModelPress(CallbackData, prefix="model"):
    """Choose a model, by the digest of its id."""

    digest: str


class SettingPress(CallbackData, prefix="set"):
    """Look at a preference, or with `choice` change it; without a name, see them all."""

    name: str = ""
    choice: str = ""


class InstructionsPress(CallbackData, prefix="words"):
    """What to do with one's instructions: edit, keep, clear."""

    act: str


class ErasePress(CallbackData, prefix="erase"):
    """The answer to "shall everything be erased?": yes or no."""

    answer: str


Seal = Callable[[CallbackData], str]  # makes of a press what a button carries


def sealed(press: CallbackData, *, person: int, key: bytes) -> str:
    """What a button carries for the person with this Telegram id. Raises ValueError above 64 bytes."""
    said = f"{press.pack()}{MARK}{person:x}"
    data = f"{said}{MARK}{_seal(said, key)}"
    if len(data.encode()) > DATA_BYTES_MAX:
        raise ValueError(f"a button cannot carry {data!r}")
    return data


def opened(data: str, *, presser: int, key: bytes) -> str:
    """The packed press inside. Raises Forged, and NotYours when the button is another person's."""
    said, _, seal = data.rpartition(MARK)
    if not hmac.compare_digest(seal.encode(), _seal(said, key).encode()):
        raise Forged(data)
    press, _, person = said.rpartition(MARK)
    if int(person, 16) != presser:
        raise NotYours(data)
    return press


def _seal(said: str, key: bytes) -> str:
    return urlsafe_b64encode(hmac.digest(key, said.encode(), "sha256")[:SEAL_BYTES]).decode()


def digest(model_id: str) -> str:
    """A model's id, short enough for a button and the same tomorrow."""
    return hashlib.sha256(model_id.encode()).hexdigest()[: 2 * DIGEST_BYTES]


# The keyboards -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Option:
    """One button of several, of which one is ticked."""

    words: str
    press: CallbackData
    ticked: bool = False


def choose(options: Sequence[Option], seal: Seal, *, columns: int = COLUMNS) -> InlineKeyboardMarkup:
    """Buttons in rows of `columns`; the ticked one is marked in its words, not by colour."""
    buttons = [
        InlineKeyboardButton(
            text=(TICK if option.ticked else "") + option.words, callback_data=seal(option.press)
        )
        for option in options
    ]
    rows = [buttons[start : start + columns] for start in range(0, len(buttons), columns)]
    return InlineKeyboardMarkup(inline_keyboard=rows)
