"""What people do in groups, and what is done to the groups themselves."""

from __future__ import annotations

import time
from typing import Final

from telegram_bot.playground.methods.groups import rename
from telegram_bot.playground.people import Impossible, Speaker
from telegram_bot.playground.rooms import (
    ADMINISTRATORS,
    ANONYMOUS_ADMIN,
    PRESENT,
    Group,
    chat_member,
    is_meant_for,
)
from telegram_bot.playground.shapes import Json
from telegram_bot.playground.state import Profile, State

# Where a group's menu of commands may come from, the first that is set.
GROUP_SCOPES: Final = ("all_group_chats", "default")
UPGRADED_BY: Final = 1_000_000_000_000  # a supergroup's number is -100 and then its own


class Member(Speaker):
    """One person in one group."""

    def __init__(self, state: State, group: Group, profile: Profile) -> None:
        super().__init__(state, group, profile)
        self._group = group

    @property
    def messages(self) -> list[Json]:
        """What this person sees: the group's messages, and the ephemeral ones that are theirs."""
        whispers = [message for receiver, message in self._group.ephemeral.values() if receiver == self.id]
        return sorted([*self._room.messages.values(), *whispers], key=_order)

    async def send_nameless(self, text: str) -> Json:
        """Write as the group itself, which its administrators may do."""
        if self._group.members.get(self.id) not in ADMINISTRATORS:
            raise Impossible("only administrators write in the group's name")
        (part,) = self.typed(text)
        return self._say(ANONYMOUS_ADMIN, part | {"sender_chat": self._group.shape()})

    async def leave(self) -> None:
        """Leave the group."""
        self._group.members[self.id] = "left"
        self._say(self.profile.user(), {"left_chat_member": self.profile.user()})

    def _message(self, message_id: int) -> Json | None:
        """A message this person sees, by its number or its ephemeral number."""
        receiver, message = self._group.ephemeral.get(message_id, (None, None))
        return message if receiver == self.id else self._room.messages.get(message_id)

    def _arrive(self, content: Json) -> Json:
        if self._group.members.get(self.id) not in PRESENT:
            raise Impossible("join the group first")
        topic = self._group.topics.get(content.get("message_thread_id", 0))
        if topic is not None and topic.is_closed and self._group.members[self.id] not in ADMINISTRATORS:
            raise Impossible("this topic is closed")
        if self._is_ephemeral(content):
            whisper = self._state.whisper(self._group, self.profile.user(), self.id, content)
            self._state.updates.push("message", whisper)
            return whisper
        return self._say(self.profile.user(), content)

    def _say(self, sender: Json, content: Json) -> Json:
        message = self._state.post(self._group, sender, content)
        self._state.tell(self._group, message)
        if self._invites(message):
            query_id = self._state.next_message_id()
            self._state.guests[str(query_id)] = (self._group, self.id, message)
            self._state.updates.push("guest_message", message | {"guest_query_id": str(query_id)})
        return message

    def _invites(self, message: Json) -> bool:
        """Does this message call a bot that is no member?"""
        named = is_meant_for(message, self._state.bot["username"]) and "@" in message.get("text", "")
        is_guest = self._group.bot not in PRESENT and self._state.abilities["supports_guest_queries"]
        return bool(named and is_guest)

    def _is_ephemeral(self, content: Json) -> bool:
        """Is this a command that the bot's menu marks as seen by its sender and the bot only?"""
        if self._group.bot not in PRESENT or not content.get("text", "").startswith("/"):
            return False
        named, _, whose = content["text"].split()[0].removeprefix("/").partition("@")
        if whose and whose.lower() != self._state.bot["username"]:
            return False
        menu = menu_of(self._state, GROUP_SCOPES, self.profile.language_code)
        return any(entry["command"] == named and entry.get("is_ephemeral") for entry in menu)


class GroupChat:
    """One group: its members, and what happens to it as a whole."""

    def __init__(self, state: State, group: Group) -> None:
        self._state = state
        self.room = group

    @property
    def id(self) -> int:
        return self.room.number

    @property
    def messages(self) -> list[Json]:
        return list(self.room.messages.values())

    def join(self, profile: Profile, status: str = "member") -> Member:
        """Somebody as a member of this group, from now on."""
        self.room.people[profile.id] = profile
        self.room.members[profile.id] = status
        return Member(self._state, self.room, profile)

    def member(self, person_id: int) -> Member:
        """Somebody who is in the group already."""
        return Member(self._state, self.room, self.room.people[person_id])

    def set_bot(self, by: Profile, status: str) -> None:
        """Add the bot, promote it, or throw it out."""
        before = "left" if self.room.bot == "never" else self.room.bot
        self.room.bot = status
        change: Json = {
            "chat": self.room.shape(),
            "from": by.user(),
            "date": int(time.time()),
            "old_chat_member": chat_member(before, self._state.bot),
            "new_chat_member": chat_member(status, self._state.bot),
        }
        self._state.updates.push("my_chat_member", change)
        if status in PRESENT and before not in PRESENT:
            self._notice(by, {"new_chat_members": [self._state.bot]})

    def say_as(self, sender: Json, text: str, **fields: object) -> Json:
        """A message of somebody who is no person: another bot, a channel."""
        (part,) = Speaker.typed(text)
        message = self._state.post(self.room, sender, part | fields)
        self._state.tell(self.room, message)
        return message

    def recall(self, person_id: int, text: str, *, topic: int | None = None) -> None:
        """What somebody said before the bot looked."""
        (part,) = Speaker.typed(text)
        self._state.post(self.room, self.room.people[person_id].user(), part | self.room.placed(topic))

    def new_topic(self, by: Profile, name: str) -> int:
        """Open a topic of the forum; returns its number."""
        return self._state.open_topic(self.room, by.user(), name).id

    def rename_topic(self, by: Profile, topic: int, name: str) -> None:
        rename(self._state, self.room, self.room.topics[topic], by.user(), name)

    def close_topic(self, by: Profile, topic: int, closed: bool = True) -> None:
        """Close a topic, or open it again."""
        self.room.topics[topic].is_closed = closed
        kind = "forum_topic_closed" if closed else "forum_topic_reopened"
        self._notice(by, {kind: {}, **self.room.placed(topic)})

    def delete_topic(self, topic: int) -> None:
        """Remove a topic and all that was said there; bots are not told."""
        del self.room.topics[topic]
        for message in [m for m in self.messages if m.get("message_thread_id") == topic]:
            self._state.delete(self.room, message["message_id"])

    def upgrade(self, by: Profile) -> GroupChat:
        """Make a supergroup of a group: it gets another number, and its messages begin anew."""
        old = self.room
        number = old.number - UPGRADED_BY
        new = Group(
            number, old.title, old.bot_id, members=dict(old.members), people=dict(old.people), bot=old.bot
        )
        new.sees_all = old.sees_all
        self._state.groups[number] = new
        self._notice(by, {"migrate_to_chat_id": number})
        old.migrated_to = number
        upgraded = GroupChat(self._state, new)
        upgraded._notice(by, {"migrate_from_chat_id": old.number})
        return upgraded

    def delete(self) -> None:
        """The group is gone."""
        self.room.is_deleted = True

    def _notice(self, by: Profile, content: Json) -> None:
        self._state.tell(self.room, self._state.post(self.room, by.user(), content))


def menu_of(state: State, scopes: tuple[str, ...], language: str) -> list[Json]:
    """The bot's commands as a person sees them: the nearest scope and their language first."""
    keys = [(scope, code) for scope in scopes for code in (language, "")]
    return next((state.commands[key] for key in keys if key in state.commands), [])


def _order(message: Json) -> int:
    return int(message.get("ephemeral_message_id") or message["message_id"])
