"""What people do in their chats: write, press, stop, block."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Callable, Sequence
from typing import Any, Final

from telegram_bot.playground import contents, utf16
from telegram_bot.playground.entities import fixed, with_found
from telegram_bot.playground.formatting import CAPTION_MAX
from telegram_bot.playground.media import kind_of, received
from telegram_bot.playground.paying import Impossible, Payer
from telegram_bot.playground.rooms import Room, chat_member
from telegram_bot.playground.shapes import Json, Upload
from telegram_bot.playground.state import PrivateChat, Profile, State

__all__ = ["Impossible", "Person"]

WAIT_SECONDS: Final = 10.0
ALBUM: Final = range(2, 11)  # items of one, as in sendMediaGroup
MIXED: Final = frozenset({"photo", "video"})  # these stand in one album together
GROUPED: Final = frozenset({"photo", "video", "document", "audio"})  # and these with their own kind
CAPTIONED: Final = frozenset({"photo", "document", "voice", "audio", "video", "animation"})


class Speaker:
    """Somebody in a chat with the bot: what they see there and what they do."""

    def __init__(self, state: State, room: Room, profile: Profile) -> None:
        self._state = state
        self._room = room
        self.profile = profile
        self.id = profile.id

    @property
    def room(self) -> Room:
        return self._room

    @property
    def messages(self) -> list[Json]:
        """Every message in the chat as it stands, oldest first."""
        return list(self._room.messages.values())

    @property
    def replies(self) -> list[Json]:
        """The bot's messages only."""
        return [message for message in self.messages if message["from"]["is_bot"]]

    @property
    def answers(self) -> list[Json]:
        """What pressed buttons were answered with."""
        return list(self._room.answers.get(self.id, []))

    async def send(
        self, text: str, *, reply_to: int | None = None, quote: str = "", topic: int | None = None
    ) -> Json:
        """Write a text; a long one arrives as several messages. Returns the last of them."""
        parts = self.typed(text)
        if not parts:
            raise Impossible("an empty message cannot be sent")
        fields = self._place(topic) | self._reply(reply_to, quote) | self._room.placed(topic)
        return [self._arrive(part | fields) for part in parts][-1]

    async def share(self, content: Json, *, topic: int | None = None) -> Json:
        """Send what is neither words nor a file: a content made by contents.py."""
        return self._arrive(content | self._place(topic))

    async def forward(self, message_id: int, *, topic: int | None = None) -> Json:
        """Send a message of this chat on, with its first sender."""
        message = self._message(message_id)
        if message is None:
            raise Impossible("there is no such message")
        return self._arrive(contents.forwarded(message) | self._place(topic))

    async def edit(self, message_id: int, text: str) -> Json:
        """Change a text or a caption sent earlier."""
        message = self._message(message_id)
        if message is None or message["from"]["id"] != self.id or "forward_origin" in message:
            raise Impossible("only one's own messages can be edited")
        typed = self.typed(text)
        if any(field in message for field in CAPTIONED):
            content = self._caption(text)
        elif "text" in message and len(typed) == 1:
            content = typed[0]
        else:
            raise Impossible("an edited text has 1-4096 characters")
        changed = ("text", "entities", "caption", "caption_entities")
        kept = {name: value for name, value in message.items() if name not in changed}
        edited = self._state.edit(self._room, kept | content)
        self._state.updates.push("edited_message", edited)
        return edited

    async def send_file(
        self,
        upload: Upload,
        *,
        caption: str = "",
        kind: str | None = None,
        reply_to: int | None = None,
        topic: int | None = None,
        **details: Any,
    ) -> Json:
        """Send a file; without a kind, what the apps would make of it. `details` are Telegram's own fields
        of the kind, such as a duration."""
        content = received(self._state.files, upload, kind, details)
        return self._arrive(
            content
            | self._caption(caption)
            | self._place(topic)
            | self._reply(reply_to)
            | self._room.placed(topic)
        )

    async def send_album(
        self,
        uploads: Sequence[Upload],
        *,
        caption: str = "",
        under: int = 0,
        kind: str | None = None,
        topic: int | None = None,
    ) -> list[Json]:
        """Send several files as one thing; the caption stands `under` the first, or another one."""
        if len(uploads) not in ALBUM:
            raise Impossible("an album has 2-10 items")
        group = {"media_group_id": str(secrets.randbits(53))} | self._place(topic)
        pictures = [received(self._state.files, upload, kind, {}) for upload in uploads]
        captions = [self._caption(caption if number == under else "") for number in range(len(uploads))]
        return [
            self._arrive(picture | said | group) for picture, said in zip(pictures, captions, strict=True)
        ]

    async def send_files(
        self,
        uploads: Sequence[Upload],
        *,
        caption: str = "",
        kind: str | None = None,
        topic: int | None = None,
    ) -> list[Json]:
        """Send several files as the apps do: albums of what may stand together, the rest one by one."""
        kinds = {kind or kind_of(upload) for upload in uploads}
        together = kinds <= MIXED or (len(kinds) == 1 and kinds <= GROUPED)
        sent: list[Json] = []
        for start in range(0, len(uploads), ALBUM.stop - 1):
            some, said = uploads[start : start + ALBUM.stop - 1], "" if start else caption
            if together and len(some) in ALBUM:
                sent += await self.send_album(some, caption=said, kind=kind, topic=topic)
                continue
            for number, upload in enumerate(some):
                caption = "" if number else said
                sent.append(await self.send_file(upload, caption=caption, kind=kind, topic=topic))
        return sent

    async def press(self, message_id: int, data: str) -> str:
        """Press a button of a message; returns the query's id."""
        message = self._message(message_id)
        if message is None:
            raise Impossible("there is no such message")
        query_id = self._state.open_query(self._room, self.id)
        # Of a guest's message the bot is told nothing but its inline id.
        inline = next(
            (key for key, at in self._state.inline_messages.items() if at == (self._room, message_id)), None
        )
        where: Json = {"message": message} if inline is None else {"inline_message_id": inline}
        query: Json = {
            "id": query_id,
            "from": self.profile.user(),
            **where,
            "chat_instance": self._state.chat_instance(self._room),
            "data": data,
        }
        self._state.updates.push("callback_query", query)
        return query_id

    async def wait_for(
        self, wanted: Callable[[Json], bool], seconds: float = WAIT_SECONDS, *, after: int = 0
    ) -> Json:
        """The first message of the bot, newer than the message `after`, for which `wanted` is true.

        A message that lacks a field `wanted` looks at, such as the text of a photo, is not wanted.
        """

        def found() -> Json | None:
            newer = (message for message in self.replies if message["message_id"] > after)
            return next((message for message in newer if is_wanted(message)), None)

        def is_wanted(message: Json) -> bool:
            try:
                return wanted(message)
            except KeyError:
                return False

        return await self.wait_until(found, seconds)

    async def wait_until(self, found: Callable[[], Json | None], seconds: float = WAIT_SECONDS) -> Json:
        """Ask again after every event of this chat until there is an answer."""
        with self._room.listening() as events:
            try:
                async with asyncio.timeout(seconds):
                    while (answer := found()) is None:
                        await events.get()
                    return answer
            except TimeoutError:
                raise AssertionError(self._story(seconds)) from None

    def _story(self, seconds: float) -> str:
        said = [
            f"{m['from']['first_name']}: {m.get('text', m.get('caption', '…'))!r:.200}"
            for m in self.messages[-10:]
        ]
        return f"not seen within {seconds} s; the chat's end is:\n" + "\n".join([*said, self._growing()])

    def _growing(self) -> str:
        return ""

    @staticmethod
    def typed(text: str) -> list[Json]:
        """What the apps and the servers make of a text: cut, cleaned, its commands and links marked."""
        parts = (with_found(fixed(part, [])) for part in utf16.paste(text))
        return [
            {"text": part.text} | ({"entities": part.entities} if part.entities else {})
            for part in parts
            if part.text
        ]

    def _message(self, message_id: int) -> Json | None:
        """A message this person sees, by its number."""
        return self._room.messages.get(message_id)

    def _arrive(self, content: Json) -> Json:
        message = self._state.post(self._room, self.profile.user(), content)
        self._state.tell(self._room, message)
        return message

    def _place(self, topic: int | None) -> Json:
        """The fields that put a message into a topic; the app shows such a message as an answer to its start."""
        if topic is None:
            return {}
        if topic not in self._room.topics:
            raise Impossible("there is no such topic")
        return {**self._reply(topic), **self._room.placed(topic)}

    @staticmethod
    def _caption(caption: str) -> Json:
        if utf16.length(caption) > CAPTION_MAX:
            raise Impossible("a caption has at most 1024 characters")
        said = with_found(fixed(caption, []))
        if not said.text:
            return {}
        return {"caption": said.text} | ({"caption_entities": said.entities} if said.entities else {})

    def _reply(self, message_id: int | None, quote: str = "") -> Json:
        if message_id is None:
            return {}
        replied = self._message(message_id)
        if replied is None:
            raise Impossible("there is no such message")
        return contents.replying(replied, quote)


class Person(Speaker, Payer):
    """One person and their private chat with the bot."""

    def __init__(self, state: State, chat: PrivateChat) -> None:
        super().__init__(state, chat, chat.person)
        self._chat = chat

    @property
    def draft(self) -> Json | None:
        """The draft the person sees now."""
        return self._chat.draft.view() if self._chat.draft is not None else None

    @property
    def drafts(self) -> list[Json]:
        """Every frame of every draft shown so far."""
        return list(self._chat.frames)

    async def new_topic(self, name: str, *, is_name_implicit: bool = False) -> int:
        """Open a topic in the chat with the bot; returns its number."""
        if not self._state.abilities["has_topics_enabled"]:
            raise Impossible("this bot's private chats have no topics")
        self._chat.opened = True
        return self._state.open_topic(
            self._chat, self.profile.user(), name, is_name_implicit=is_name_implicit
        ).id

    async def stop(self, draft_id: int | None = None) -> None:
        """Press Stop on the draft that is shown."""
        draft = self._chat.draft
        if draft is None or (draft_id is not None and draft.draft_id != draft_id):
            raise Impossible("there is no such draft")
        if not draft.can_stop:
            raise Impossible("this draft has no Stop button")
        self._chat.stopped_drafts.add(draft.draft_id)
        if draft.keep_on_stop:
            draft.can_stop = False
            self._chat.publish({"type": "draft", "draft": draft.view()})
        else:
            self._state.end_draft(self._chat)
        stopped: Json = {"chat": self._chat.person.chat(), "draft_id": draft.draft_id}
        stopped |= {"message_thread_id": draft.topic} if draft.topic else {}
        self._state.updates.push("stopped_message_generation", stopped)

    async def block(self, blocked: bool = True) -> None:
        """Block the bot, or let it in again."""
        if self._chat.blocked == blocked:
            return
        self._chat.blocked = blocked
        self._chat.opened = True
        before, after = ("member", "kicked") if blocked else ("kicked", "member")
        change: Json = {
            "chat": self._chat.person.chat(),
            "from": self._chat.person.user(),
            "date": int(time.time()),
            "old_chat_member": self._membership(before),
            "new_chat_member": self._membership(after),
        }
        self._state.updates.push("my_chat_member", change)

    def _arrive(self, content: Json) -> Json:
        self._chat.opened = True
        if self._chat.blocked:
            raise Impossible("unblock the bot first")
        return super()._arrive(content)

    def _reply(self, message_id: int | None, quote: str = "") -> Json:
        # In a plain private chat Telegram puts the number of what is replied to where a topic's would be.
        fields = super()._reply(message_id, quote)
        return fields | ({"message_thread_id": message_id} if message_id is not None else {})

    def _growing(self) -> str:
        return f"draft: {self.draft['text']!r:.200}" if self.draft else "no draft"

    def _membership(self, status: str) -> Json:
        return chat_member(status, self._state.bot)
