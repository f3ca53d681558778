"""What Telegram accepts as reply_markup."""

from __future__ import annotations

from typing import Final

from aiogram.types import InlineKeyboardButton, InlineKeyboardMarkup, RichMessageButton, TelegramObject

from telegram_bot.playground.arguments import as_json
from telegram_bot.playground.errors import Refused, bad_request
from telegram_bot.playground.shapes import Json

CALLBACK_DATA: Final = range(1, 65)  # InlineKeyboardButton.callback_data: "1-64 bytes"
COPIED_TEXT: Final = range(1, 257)  # CopyTextButton.text: "1-256 characters"
BUTTONS_MAX: Final = 100  # undocumented; the server answers REPLY_MARKUP_TOO_LONG above it
STYLES: Final = frozenset({"danger", "success", "primary"})
LINK_SCHEMES: Final = ("http://", "https://", "tg://", "ton://")
# The fields of a button that do not say what it does.
APPEARANCE: Final = frozenset({"text", "icon_custom_emoji_id", "style"})


def checked_markup(markup: TelegramObject | None) -> Json:
    """The reply_markup field of a message: inline keyboards are shown with it, the other kinds are not."""
    if not isinstance(markup, InlineKeyboardMarkup):
        return {}
    buttons = [button for row in markup.inline_keyboard for button in row]
    if len(buttons) > BUTTONS_MAX:
        raise bad_request("REPLY_MARKUP_TOO_LONG")
    for button in buttons:
        check_button(button)
    return {"reply_markup": as_json(markup)} if buttons else {}


def check_button(button: InlineKeyboardButton | RichMessageButton) -> None:
    """Refuse a button Telegram would refuse, or would quietly make into another one."""
    if not isinstance(button.text, str) or not button.text.strip():
        raise _cannot("Text must be non-empty")
    if button.style is not None and button.style not in STYLES:
        raise _cannot("invalid button style specified")
    actions = {name for name in button.model_fields_set - APPEARANCE if getattr(button, name) is not None}
    if not actions:
        raise _cannot("Text buttons are unallowed in the inline keyboard")
    if len(actions) > 1:
        # Telegram would take one of them and drop the rest without a word.
        raise _cannot(f"exactly one of {', '.join(sorted(actions))} may be used")
    if button.callback_data is not None and len(button.callback_data.encode()) not in CALLBACK_DATA:
        raise bad_request("BUTTON_DATA_INVALID")
    if button.url is not None and not button.url.startswith(LINK_SCHEMES):
        raise bad_request(f"inline keyboard button URL '{button.url}' is invalid: Wrong HTTP URL")
    if button.copy_text is not None and len(button.copy_text.text) not in COPIED_TEXT:
        raise bad_request("BUTTON_COPY_TEXT_INVALID")


def _cannot(words: str) -> Refused:
    return bad_request(f"can't parse inline keyboard button: {words}")
