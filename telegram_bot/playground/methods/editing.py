"""editMessageText, editMessageCaption and editMessageReplyMarkup."""

from __future__ import annotations

from aiogram.methods import EditMessageReplyMarkup, EditMessageText

from telegram_bot.playground.arguments import as_json
from telegram_bot.playground.errors import bad_request
from telegram_bot.playground.formatting import message_text
from telegram_bot.playground.keyboards import checked_markup
from telegram_bot.playground.methods.registry import Context, method
from telegram_bot.playground.shapes import Json
from telegram_bot.playground.state import PrivateChat, State

NOT_MODIFIED = (
    "message is not modified: specified new message content and reply markup are exactly the same "
    "as a current content and reply markup of the message"
)


@method(EditMessageText)
async def edit_message_text(context: Context, call: EditMessageText) -> Json:
    chat, message = to_edit(context.state, call.chat_id, call.message_id, call.inline_message_id)
    content = message_text(call.text, call.parse_mode, call.entities)
    if "text" not in message:
        raise bad_request("there is no text in the message to edit")
    changed: Json = {"text": content.text}
    if content.entities:
        changed["entities"] = content.entities
    if call.link_preview_options is not None:
        changed["link_preview_options"] = as_json(call.link_preview_options)
    changed |= checked_markup(call.reply_markup)
    return replace(
        context.state, chat, message, ("text", "entities", "link_preview_options", "reply_markup"), changed
    )


@method(EditMessageReplyMarkup)
async def edit_message_reply_markup(context: Context, call: EditMessageReplyMarkup) -> Json:
    chat, message = to_edit(context.state, call.chat_id, call.message_id, call.inline_message_id)
    return replace(context.state, chat, message, ("reply_markup",), checked_markup(call.reply_markup))


def to_edit(
    state: State, chat_id: int | str | None, message_id: int | None, inline_message_id: str | None
) -> tuple[PrivateChat, Json]:
    """The bot's own message that is to be changed."""
    if inline_message_id is not None:
        raise bad_request("MESSAGE_ID_INVALID")
    if chat_id is None or message_id is None:
        raise bad_request("message identifier is not specified")
    chat = state.writable(chat_id)
    message = chat.messages.get(message_id)
    if message is None:
        raise bad_request("message to edit not found")
    if message["from"]["id"] != state.bot["id"]:
        raise bad_request("message can't be edited")
    return chat, message


def replace(state: State, chat: PrivateChat, message: Json, fields: tuple[str, ...], changed: Json) -> Json:
    """Put `changed` in the place of these fields; a change that changes nothing is refused."""
    before = {name: message[name] for name in fields if name in message}
    if before == changed:
        raise bad_request(NOT_MODIFIED)
    kept = {name: value for name, value in message.items() if name not in fields}
    return state.edit(chat, kept | changed)
