"""Members, topics and ephemeral messages of groups."""

from __future__ import annotations

from typing import Final

from aiogram.methods import (
    CreateForumTopic,
    DeleteEphemeralMessage,
    EditEphemeralMessageText,
    EditForumTopic,
    GetChatAdministrators,
    GetChatMember,
)

from telegram_bot.playground.errors import bad_request
from telegram_bot.playground.formatting import message_text
from telegram_bot.playground.keyboards import checked_markup
from telegram_bot.playground.methods.messages import text_fields
from telegram_bot.playground.methods.registry import Context, method
from telegram_bot.playground.rooms import ADMINISTRATORS, Group, Room, Topic, chat_member
from telegram_bot.playground.shapes import Json
from telegram_bot.playground.state import State

TOPIC_NAME: Final = range(1, 129)  # createForumTopic: "1-128 characters"


@method(GetChatMember)
async def get_chat_member(context: Context, call: GetChatMember) -> Json:
    chat = context.state.chat(call.chat_id)
    if call.user_id == context.state.bot["id"]:
        status = chat.bot if isinstance(chat, Group) else "member"
        return chat_member(status, context.state.bot)
    if isinstance(chat, Group):
        return chat.member(call.user_id)
    if call.user_id != chat.id:
        raise bad_request("member not found")
    return chat_member("member", context.state.chats[chat.id].person.user())


@method(GetChatAdministrators)
async def get_chat_administrators(context: Context, call: GetChatAdministrators) -> list[Json]:
    chat = context.state.chat(call.chat_id)
    if not isinstance(chat, Group):
        raise bad_request("there are no administrators in the private chat")
    return [chat.member(person) for person, status in chat.members.items() if status in ADMINISTRATORS]


@method(CreateForumTopic)
async def create_forum_topic(context: Context, call: CreateForumTopic) -> Json:
    chat = context.state.writable(call.chat_id)
    _check_rights(context.state, chat)
    if len(call.name) not in TOPIC_NAME:
        raise bad_request("TOPIC_TITLE_EMPTY")
    topic = context.state.open_topic(chat, context.state.bot, call.name)
    created = next(m["forum_topic_created"] for m in chat.messages.values() if m["message_id"] == topic.id)
    return {"message_thread_id": topic.id, **created}


@method(EditForumTopic)
async def edit_forum_topic(context: Context, call: EditForumTopic) -> bool:
    chat = context.state.writable(call.chat_id)
    topic = chat.topics.get(call.message_thread_id)
    if topic is None:
        raise bad_request("TOPIC_ID_INVALID")
    _check_rights(context.state, chat)
    if call.name is not None and len(call.name) > TOPIC_NAME[-1]:
        raise bad_request("TOPIC_TITLE_EMPTY")
    if call.name and call.name == topic.name:
        raise bad_request("TOPIC_NOT_MODIFIED")
    rename(context.state, chat, topic, context.state.bot, call.name or topic.name)
    return True


@method(EditEphemeralMessageText)
async def edit_ephemeral_message_text(context: Context, call: EditEphemeralMessageText) -> bool:
    chat, message = _whispered(context.state, call.chat_id, call.receiver_user_id, call.ephemeral_message_id)
    content = text_fields(message_text(call.text, call.parse_mode, call.entities), None, False)
    kept = {
        name: value for name, value in message.items() if name not in ("text", "entities", "reply_markup")
    }
    edited = kept | content | checked_markup(call.reply_markup)
    chat.ephemeral[call.ephemeral_message_id] = (call.receiver_user_id, edited)
    chat.publish({"type": "edit", "message": edited}, only=call.receiver_user_id)
    return True


@method(DeleteEphemeralMessage)
async def delete_ephemeral_message(context: Context, call: DeleteEphemeralMessage) -> bool:
    chat, _ = _whispered(context.state, call.chat_id, call.receiver_user_id, call.ephemeral_message_id)
    del chat.ephemeral[call.ephemeral_message_id]
    gone: Json = {"type": "delete", "message_id": call.ephemeral_message_id}
    chat.publish(gone, only=call.receiver_user_id)
    return True


def rename(state: State, chat: Room, topic: Topic, who: Json, name: str) -> None:
    """Give a topic a name; a service message says so."""
    topic.name, topic.is_name_implicit = name, False
    content = {"forum_topic_edited": {"name": name}, **chat.placed(topic.id)}
    state.tell(chat, state.post(chat, who, content))


def _check_rights(state: State, chat: Room) -> None:
    if isinstance(chat, Group):
        if not chat.is_forum:
            raise bad_request("the chat is not a forum")
        if chat.bot != "administrator":
            raise bad_request("not enough rights to create a topic")
    elif not state.abilities["has_topics_enabled"]:
        raise bad_request("the chat is not a forum")


def _whispered(
    state: State, chat_id: int | str, receiver: int, ephemeral_message_id: int
) -> tuple[Group, Json]:
    chat = state.writable(chat_id)
    sees, message = chat.ephemeral.get(ephemeral_message_id, (0, {})) if isinstance(chat, Group) else (0, {})
    if not isinstance(chat, Group) or sees != receiver or message["from"]["id"] != state.bot["id"]:
        raise bad_request("message to edit not found")
    return chat, message
