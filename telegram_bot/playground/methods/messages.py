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
from telegram_bot.playground.rooms import PRESENT, Group, Room
from telegram_bot.playground.shapes import FormattedText, Json
from telegram_bot.playground.state import State

DELETED_AT_ONCE_MAX: Final = 100  # deleteMessages: "A JSON-serialized list of 1-100 identifiers"
DELETABLE_SECONDS: Final = 48 * 3600  # deleteMessage: "if it was sent less than 48 hours ago"
# Bot API, "Ephemeral messages and commands": the answer to a pressed button comes within 15 seconds.
WHISPER_SECONDS: Final = 15.0
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
    if call.ephemeral_message_parameters is not None:
        return whispered(context.state, chat, call, message)
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
    own = message["from"]["id"] == context.state.bot["id"]
    if isinstance(chat, Group) and not own and chat.bot != "administrator":
        raise bad_request("message can't be deleted")
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
    chat.check_topic(call.message_thread_id)
    chat.publish({"type": "typing", "action": call.action} | chat.placed(call.message_thread_id))
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


def common_fields(chat: Room, call: TelegramMethod[Any]) -> Json:
    """What any message a bot sends may carry: a topic, a reply, a keyboard, an effect, protection."""
    thread_id = getattr(call, "message_thread_id", None)
    chat.check_topic(thread_id)
    fields = chat.placed(thread_id) | checked_markup(getattr(call, "reply_markup", None))
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


def whispered(state: State, chat: Room, call: SendMessage, content: Json) -> Json:
    """An ephemeral message, where the bot may send one: to who whispered to it, who pressed, or as an administrator."""
    asked = call.ephemeral_message_parameters
    assert asked is not None, "only an ephemeral message comes here"
    if not isinstance(chat, Group):
        raise bad_request("CHAT_ID_INVALID")
    chat.check_topic(call.message_thread_id)
    if chat.members.get(asked.receiver_user_id) not in PRESENT:
        raise bad_request("USER_NOT_PARTICIPANT")
    replied = call.reply_parameters.ephemeral_message_id if call.reply_parameters is not None else None
    if asked.callback_query_id is not None:
        query = state.queries.get(asked.callback_query_id)
        in_time = query is not None and time.monotonic() - query.pressed <= WHISPER_SECONDS
        if query is None or query.presser != asked.receiver_user_id or not in_time:
            raise bad_request("QUERY_ID_INVALID")
    elif replied is not None:
        receiver, _ = chat.ephemeral.get(replied, (0, {}))
        if receiver != asked.receiver_user_id:
            raise bad_request("message to be replied not found")
    elif chat.bot != "administrator":
        raise bad_request("MESSAGE_NOT_COMMAND")
    fields = chat.placed(call.message_thread_id) | checked_markup(call.reply_markup)
    user = chat.people[asked.receiver_user_id].user()
    content = content | fields | {"receiver_user": user}
    return state.whisper(chat, state.bot, asked.receiver_user_id, content)


def _reply(chat: Room, parameters: ReplyParameters) -> Json:
    if parameters.chat_id is not None and str(parameters.chat_id) != str(chat.id):
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
