"""sendMessage, deleteMessage and what every message has in common."""

from __future__ import annotations

from typing import Final

from aiogram.methods import DeleteMessage, DeleteMessages, SendChatAction, SendMessage
from aiogram.types import ReplyParameters

from telegram_bot.playground.arguments import as_json
from telegram_bot.playground.errors import bad_request
from telegram_bot.playground.formatting import message_text
from telegram_bot.playground.keyboards import checked_markup
from telegram_bot.playground.methods.registry import Context, method
from telegram_bot.playground.shapes import Json
from telegram_bot.playground.state import PrivateChat

DELETED_AT_ONCE_MAX: Final = 100  # deleteMessages: "A JSON-serialized list of 1-100 identifiers"
# https://core.telegram.org/bots/api#sendchataction
ACTIONS: Final = frozenset(
    [
        "typing",
        "upload_photo",
        "record_video",
        "upload_video",
        "record_voice",
        "upload_voice",
        "upload_document",
        "choose_sticker",
        "find_location",
        "record_video_note",
        "upload_video_note",
    ]
)


@method(SendMessage)
async def send_message(context: Context, call: SendMessage) -> Json:
    chat = context.state.writable(call.chat_id)
    content = message_text(call.text, call.parse_mode, call.entities)
    message: Json = {"text": content.text}
    if content.entities:
        message["entities"] = content.entities
    if call.link_preview_options is not None:
        message["link_preview_options"] = as_json(call.link_preview_options)
    message |= reply(chat, call.reply_parameters, call.message_thread_id)
    message |= checked_markup(call.reply_markup)
    return context.state.post_from_bot(chat, message)


@method(DeleteMessage)
async def delete_message(context: Context, call: DeleteMessage) -> bool:
    if not context.state.delete(context.state.chat(call.chat_id), call.message_id):
        raise bad_request("message to delete not found")
    return True


@method(DeleteMessages)
async def delete_messages(context: Context, call: DeleteMessages) -> bool:
    if not 1 <= len(call.message_ids) <= DELETED_AT_ONCE_MAX:
        raise bad_request(
            "too many message identifiers specified"
            if call.message_ids
            else "message identifiers are not specified"
        )
    chat = context.state.chat(call.chat_id)
    for message_id in call.message_ids:
        context.state.delete(chat, message_id)
    return True


@method(SendChatAction)
async def send_chat_action(context: Context, call: SendChatAction) -> bool:
    if call.action not in ACTIONS:
        raise bad_request("wrong parameter action in request")
    chat = context.state.writable(call.chat_id)
    check_thread(call.message_thread_id)
    chat.publish({"type": "typing", "action": call.action})
    return True


def reply(chat: PrivateChat, parameters: ReplyParameters | None, thread_id: int | None) -> Json:
    """The fields of a message that answers another one."""
    check_thread(thread_id)
    if parameters is None:
        return {}
    replied = chat.messages.get(parameters.message_id or 0)
    if replied is None:
        if parameters.allow_sending_without_reply is True:
            return {}
        raise bad_request("message to be replied not found")
    fields: Json = {
        "reply_to_message": {key: value for key, value in replied.items() if key != "reply_to_message"}
    }
    if parameters.quote:
        text = str(replied.get("text") or replied.get("caption") or "")
        if parameters.quote not in text:
            raise bad_request("QUOTE_TEXT_INVALID")
        fields["quote"] = {
            "text": parameters.quote,
            "position": text.index(parameters.quote),
            "is_manual": True,
        }
    return fields


def check_thread(thread_id: int | None) -> None:
    """Refuse a topic: this bot's private chats have none."""
    if thread_id:
        raise bad_request("message thread not found")
