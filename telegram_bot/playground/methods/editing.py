"""editMessageText, editMessageCaption and editMessageReplyMarkup."""

from __future__ import annotations

from typing import Final

from aiogram.methods import EditMessageCaption, EditMessageReplyMarkup, EditMessageText

from telegram_bot.playground.errors import bad_request
from telegram_bot.playground.formatting import caption_text, message_text
from telegram_bot.playground.keyboards import checked_markup
from telegram_bot.playground.media import FOLDERS
from telegram_bot.playground.methods.messages import text_fields
from telegram_bot.playground.methods.registry import Context, method
from telegram_bot.playground.rich import rich_message
from telegram_bot.playground.rooms import Room
from telegram_bot.playground.shapes import Json
from telegram_bot.playground.state import State

NOT_MODIFIED: Final = (
    "message is not modified: specified new message content and reply markup are exactly the same "
    "as a current content and reply markup of the message"
)
TEXT_FIELDS: Final = ("text", "entities", "link_preview_options", "rich_message", "reply_markup")
CAPTION_FIELDS: Final = ("caption", "caption_entities", "show_caption_above_media", "reply_markup")


@method(EditMessageText)
async def edit_message_text(context: Context, call: EditMessageText) -> Json | bool:
    if call.inline_message_id is not None:
        chat, message = _inline_message(context.state, call.inline_message_id)
    else:
        chat, message = _to_edit(context.state, call.chat_id, call.message_id)
    if "text" not in message and "rich_message" not in message:
        raise bad_request("there is no text in the message to edit")
    if call.rich_message is not None:
        if call.text is not None:
            raise bad_request("exactly one of text and rich_message must be specified")
        changed: Json = {
            "rich_message": rich_message(call.rich_message, context.state.files, context.uploads)
        }
    else:
        content = message_text(call.text, call.parse_mode, call.entities)
        changed = text_fields(
            content, call.link_preview_options, call.disable_web_page_preview is True, before=message
        )
    changed |= checked_markup(call.reply_markup)
    edited = _replaced(context.state, chat, message, TEXT_FIELDS, changed)
    return edited if call.inline_message_id is None else True


@method(EditMessageCaption)
async def edit_message_caption(context: Context, call: EditMessageCaption) -> Json:
    chat, message = _to_edit(context.state, call.chat_id, call.message_id)
    if not FOLDERS.keys() & message.keys():
        raise bad_request("there is no caption in the message to edit")
    content = caption_text(call.caption, call.parse_mode, call.caption_entities)
    changed = caption_fields(content.text, content.entities, call.show_caption_above_media is True)
    changed |= checked_markup(call.reply_markup)
    return _replaced(context.state, chat, message, CAPTION_FIELDS, changed)


@method(EditMessageReplyMarkup)
async def edit_message_reply_markup(context: Context, call: EditMessageReplyMarkup) -> Json:
    chat, message = _to_edit(context.state, call.chat_id, call.message_id)
    return _replaced(context.state, chat, message, ("reply_markup",), checked_markup(call.reply_markup))


def caption_fields(text: str, entities: list[Json], above: bool) -> Json:
    """The fields of a caption, if there is one."""
    fields: Json = {"caption": text} if text else {}
    fields |= {"caption_entities": entities} if entities else {}
    return fields | ({"show_caption_above_media": True} if above else {})


def _inline_message(state: State, inline_message_id: str) -> tuple[Room, Json]:
    """The message of a guest bot, known by nothing but this id."""
    chat, number = state.inline_messages.get(inline_message_id, (None, 0))
    if chat is None or number not in chat.messages:
        raise bad_request("MESSAGE_ID_INVALID")
    return chat, chat.messages[number]


def _to_edit(state: State, chat_id: int | str | None, message_id: int | None) -> tuple[Room, Json]:
    """The bot's own message that is to be changed."""
    if chat_id is None or message_id is None:
        raise bad_request("message identifier is not specified")
    chat = state.writable(chat_id)
    message = chat.messages.get(message_id)
    if message is None:
        raise bad_request("message to edit not found")
    if message["from"]["id"] != state.bot["id"]:
        raise bad_request("message can't be edited")
    return chat, message


def _replaced(state: State, chat: Room, message: Json, fields: tuple[str, ...], changed: Json) -> Json:
    """Put `changed` in the place of these fields; a change that changes nothing is refused."""
    if {name: message[name] for name in fields if name in message} == changed:
        raise bad_request(NOT_MODIFIED)
    kept = {name: value for name, value in message.items() if name not in fields}
    return state.edit(chat, kept | changed)
