"""sendMessage, deleteMessage and what every message has in common."""

from __future__ import annotations

import time
from typing import Any, Final

from aiogram.methods import DeleteMessage, DeleteMessages, SendChatAction, SendMessage, TelegramMethod
from aiogram.types import ForceReply, LinkPreviewOptions, ReplyParameters

from telegram_bot.playground.arguments import as_json
from telegram_bot.playground.errors import bad_request
from telegram_bot.playground.formatting import message_text
from telegram_bot.playground.keyboards import checked_markup
from telegram_bot.playground.methods.registry import Context, method
from telegram_bot.playground.shapes import FormattedText, Json
from telegram_bot.playground.state import PrivateChat

DELETED_AT_ONCE_MAX: Final = 100  # deleteMessages: "A JSON-serialized list of 1-100 identifiers"
DELETABLE_SECONDS: Final = 48 * 3600  # deleteMessage: "if it was sent less than 48 hours ago"
QUOTE_MAX: Final = 1024  # ReplyParameters.quote: "0-1024 characters after entities parsing"
# https://core.telegram.org/bots/api#sendchataction
ACTIONS: Final = frozenset(
    {
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
    }
)


@method(SendMessage)
async def send_message(context: Context, call: SendMessage) -> Json:
    chat = context.state.writable(call.chat_id)
    content = message_text(call.text, call.parse_mode, call.entities)
    message = text_fields(content, call.link_preview_options, call.disable_web_page_preview is True)
    posted = context.state.post_from_bot(chat, message | common_fields(chat, call))
    if isinstance(call.reply_markup, ForceReply):  # no part of the message: an order to the apps
        chat.publish({"type": "force_reply", "message_id": posted["message_id"]})
    return posted


@method(DeleteMessage)
async def delete_message(context: Context, call: DeleteMessage) -> bool:
    chat = context.state.chat(call.chat_id)
    message = chat.messages.get(call.message_id)
    if message is None:
        raise bad_request("message to delete not found")
    if message["date"] < time.time() - DELETABLE_SECONDS:
        raise bad_request("message can't be deleted for everyone")
    context.state.delete(chat, call.message_id)
    return True


@method(DeleteMessages)
async def delete_messages(context: Context, call: DeleteMessages) -> bool:
    if not call.message_ids:
        raise bad_request("message identifiers are not specified")
    if len(call.message_ids) > DELETED_AT_ONCE_MAX:
        raise bad_request("too many message identifiers specified")
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


def text_fields(
    content: FormattedText, preview: object, without_preview: bool, *, before: Json | None = None
) -> Json:
    """The fields of a text; an edit that says nothing of previews keeps the one from `before`."""
    fields: Json = {"text": content.text}
    if content.entities:
        fields["entities"] = content.entities
    if isinstance(preview, LinkPreviewOptions):
        fields["link_preview_options"] = as_json(preview)
    elif without_preview:
        fields["link_preview_options"] = {"is_disabled": True}
    elif before and "link_preview_options" in before:
        fields["link_preview_options"] = before["link_preview_options"]
    return fields


def common_fields(chat: PrivateChat, call: TelegramMethod[Any]) -> Json:
    """What any message a bot sends may carry: a reply, a keyboard, an effect, protection."""
    check_thread(getattr(call, "message_thread_id", None))
    fields = checked_markup(getattr(call, "reply_markup", None))
    replied = getattr(call, "reply_to_message_id", None)
    parameters = getattr(call, "reply_parameters", None)
    if parameters is None and replied is not None:
        missing_is_fine = getattr(call, "allow_sending_without_reply", None)
        parameters = ReplyParameters(message_id=replied, allow_sending_without_reply=missing_is_fine)
    if parameters is not None:
        fields |= _reply(chat, parameters)
    effect = getattr(call, "message_effect_id", None)
    if effect:
        fields["effect_id"] = effect
    if getattr(call, "protect_content", None) is True:
        fields["has_protected_content"] = True
    return fields


def check_thread(thread_id: int | None) -> None:
    """Refuse a topic: this bot's private chats have none."""
    if thread_id:
        raise bad_request("message thread not found")


def _reply(chat: PrivateChat, parameters: ReplyParameters) -> Json:
    if parameters.chat_id is not None and str(parameters.chat_id) != str(chat.person.id):
        raise bad_request("this stand-in does not support replies to another chat")
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
        if parameters.quote not in text or len(parameters.quote) > QUOTE_MAX:
            raise bad_request("QUOTE_TEXT_INVALID")
        fields["quote"] = {
            "text": parameters.quote,
            "position": text.index(parameters.quote),
            "is_manual": True,
        }
    return fields
