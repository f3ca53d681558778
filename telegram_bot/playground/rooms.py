"""Chats as such: what every kind has in common, and groups with their members and topics."""

from __future__ import annotations

import asyncio
import copy
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from telegram_bot.playground.errors import Refused, bad_request, forbidden
from telegram_bot.playground.shapes import Json

if TYPE_CHECKING:
    from telegram_bot.playground.state import Profile

# What Telegram calls the sender of a message that a group's administrators send namelessly.
ANONYMOUS_ADMIN: Final[Json] = {
    "id": 1087968824,
    "is_bot": True,
    "first_name": "Group",
    "username": "GroupAnonymousBot",
}
ADMINISTRATORS: Final = frozenset({"creator", "administrator"})
PRESENT: Final = frozenset({"creator", "administrator", "member", "restricted"})
# ForumTopic.icon_color: the colours Telegram gives to topics.
TOPIC_COLOURS: Final = (0x6FB9F0, 0xFFD67E, 0xCB86DB, 0x8EEE98, 0xFF93B2, 0xFB6F5F)


@dataclass(slots=True)
class Topic:
    """One topic; its id is that of the service message which made it."""

    id: int
    name: str
    is_name_implicit: bool = False
    is_closed: bool = False


@dataclass(slots=True)
class Room:
    """What any chat has: messages, topics perhaps, and those who look."""

    messages: dict[int, Json] = field(default_factory=dict, kw_only=True)
    topics: dict[int, Topic] = field(default_factory=dict, kw_only=True)
    answers: dict[int, list[Json]] = field(default_factory=dict, kw_only=True)  # by who pressed
    # Who looks at this chat: a queue, and as whom.
    listeners: dict[asyncio.Queue[Json | None], int | None] = field(default_factory=dict, kw_only=True)

    @property
    def id(self) -> int:
        raise NotImplementedError

    def shape(self) -> Json:
        """The Bot API's Chat."""
        raise NotImplementedError

    def publish(self, event: Json, *, only: int | None = None) -> None:
        """Tell every open page and every waiting test; `only` one person, where the rest may not see it."""
        for listener, viewer in self.listeners.items():
            if only is None or viewer is None or viewer == only:
                listener.put_nowait(copy.deepcopy(event))

    @contextmanager
    def listening(self, viewer: int | None = None) -> Iterator[asyncio.Queue[Json | None]]:
        """A queue of the events from now on; None in it means the playground is closing."""
        events: asyncio.Queue[Json | None] = asyncio.Queue()
        self.listeners[events] = viewer
        try:
            yield events
        finally:
            del self.listeners[events]

    def answer(self, presser: int, answer: Json) -> None:
        """What a pressed button was answered with, seen by who pressed it."""
        self.answers.setdefault(presser, []).append(answer)
        self.publish(answer, only=presser)

    def check_topic(self, thread_id: int | None) -> None:
        """Refuse a message for a topic that is not there, or is closed to the bot."""
        if not thread_id:
            return
        topic = self.topics.get(thread_id)
        if topic is None:
            raise bad_request("message thread not found")
        if topic.is_closed and not self.may_write_to_closed:
            raise bad_request("TOPIC_CLOSED")

    @property
    def may_write_to_closed(self) -> bool:
        return True

    def placed(self, thread_id: int | None) -> Json:
        """The fields of a message that say in which topic it stands."""
        return {"message_thread_id": thread_id, "is_topic_message": True} if thread_id else {}


@dataclass(slots=True)
class Group(Room):
    """A group, or a supergroup, which may be a forum; `bot` is the bot's own standing in it."""

    number: int
    title: str
    bot_id: int
    kind: str = "supergroup"
    is_forum: bool = False
    members: dict[int, str] = field(default_factory=dict)  # person → status
    people: dict[int, Profile] = field(default_factory=dict)
    bot: str = "never"  # never, member, administrator, left, kicked
    sees_all: bool = False  # privacy mode is off for the bot, or it is an administrator
    migrated_to: int | None = None
    is_deleted: bool = False
    ephemeral: dict[int, tuple[int, Json]] = field(default_factory=dict)  # id → the one who sees it, message

    @property
    def id(self) -> int:
        return self.number

    def shape(self) -> Json:
        shape: Json = {"id": self.number, "type": self.kind, "title": self.title}
        return shape | ({"is_forum": True} if self.is_forum else {})

    @property
    def may_write_to_closed(self) -> bool:
        return self.bot == "administrator"

    def check_open(self) -> None:
        """Refuse a bot that is not here, in Telegram's words."""
        if self.migrated_to is not None:
            raise Refused(
                400,
                "Bad Request: group chat was upgraded to a supergroup chat",
                migrate_to_chat_id=self.migrated_to,
            )
        if self.is_deleted:
            raise forbidden("the group chat was deleted")
        named = "supergroup chat" if self.kind == "supergroup" else "group chat"
        if self.bot == "kicked":
            raise forbidden(f"bot was kicked from the {named}")
        if self.bot == "left":
            raise forbidden(f"bot is not a member of the {named}")
        if self.bot not in PRESENT:
            raise bad_request("PEER_ID_INVALID")

    def member(self, person_id: int) -> Json:
        """The Bot API's ChatMember."""
        if person_id not in self.people:
            raise bad_request("member not found")
        status = self.members.get(person_id, "left")
        return chat_member(status, self.people[person_id].user())

    def is_for_the_bot(self, message: Json, username: str) -> bool:
        """Would the bot get this message? In privacy mode only what is meant for it, and service messages."""
        if self.bot not in PRESENT:
            return False
        if self.sees_all or self.bot == "administrator" or not _is_said(message):
            return True
        replied = message.get("reply_to_message")
        if replied is not None and replied["from"]["id"] == self.bot_id and _is_said(replied):
            return True
        return is_meant_for(message, username)


def chat_member(status: str, user: Json) -> Json:
    """The Bot API's ChatMember, as it is for this status."""
    member: Json = {"status": status, "user": user}
    if status == "kicked":
        return member | {"until_date": 0}
    if status == "creator":
        return member | {"is_anonymous": False}
    if status == "administrator":
        rights = [
            "can_manage_chat",
            "can_delete_messages",
            "can_manage_video_chats",
            "can_restrict_members",
            "can_promote_members",
            "can_change_info",
            "can_invite_users",
            "can_post_stories",
            "can_edit_stories",
            "can_delete_stories",
            "can_manage_topics",
            "can_send_welcome_messages",
        ]
        return member | {"can_be_edited": False, "is_anonymous": False} | dict.fromkeys(rights, True)
    return member


def is_meant_for(message: Json, username: str) -> bool:
    """Does a message name the bot: a command for it, or a mention?"""
    text = message.get("text") or message.get("caption") or ""
    units = text.encode("utf-16-le")
    for entity in message.get("entities") or message.get("caption_entities") or []:
        start, end = entity["offset"], entity["offset"] + entity["length"]
        words = units[2 * start : 2 * end].decode("utf-16-le").lower()
        if entity["type"] == "mention" and words == f"@{username}":
            return True
        if entity["type"] == "bot_command" and words.partition("@")[2] in ("", username):
            return True
    return False


def _is_said(message: Json) -> bool:
    """Is this something a person said, not a notice about the chat?"""
    return not message.keys() & {
        "new_chat_members",
        "left_chat_member",
        "forum_topic_created",
        "forum_topic_edited",
        "forum_topic_closed",
        "forum_topic_reopened",
        "migrate_to_chat_id",
        "migrate_from_chat_id",
        "group_chat_created",
    }
