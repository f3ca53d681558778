"""What Telegram knows: people, their chats with the bot, messages and drafts, all in memory."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections import deque
from dataclasses import dataclass, field
from typing import Final

from telegram_bot.playground.errors import bad_request, forbidden
from telegram_bot.playground.files import FileStore
from telegram_bot.playground.limits import Limits
from telegram_bot.playground.rooms import TOPIC_COLOURS, Group, Room, Topic
from telegram_bot.playground.shapes import FormattedText, Json, Lifetimes
from telegram_bot.playground.stars import Stars
from telegram_bot.playground.updates import UpdateQueue
from telegram_bot.playground.webhook import Webhook

# Ids begin at a number made of the time, so a restarted playground never repeats one.
ID_EPOCH: Final = 1_767_225_600  # 2026-01-01T00:00:00Z
IDS_PER_SECOND: Final = 10
FRAMES_KEPT: Final = 10_000
BOT_NAME: Final = "Starling"
BOT_USERNAME: Final = "starling_bot"
# getMe: what the bot may do, as its owner has set it up at @BotFather.
ABILITIES: Final[Json] = {
    "can_join_groups": True,
    "can_read_all_group_messages": False,
    "supports_guest_queries": True,
    "supports_inline_queries": False,
    "can_connect_to_business": False,
    "has_main_web_app": False,
    "has_topics_enabled": False,
    "allows_users_to_create_topics": False,
    "can_manage_bots": False,
    "supports_join_request_queries": False,
}


def first_id() -> int:
    """A starting id that is higher than every id an earlier run has given out."""
    return int((time.time() - ID_EPOCH) * IDS_PER_SECOND)


@dataclass(frozen=True, slots=True)
class Profile:
    """A person as Telegram shows them to a bot."""

    id: int
    first_name: str
    last_name: str | None = None
    username: str | None = None
    language_code: str = "en"

    def card(self) -> Json:
        """Id and names, as lists of people show them."""
        names = {"first_name": self.first_name, "last_name": self.last_name, "username": self.username}
        return {"id": self.id} | {key: value for key, value in names.items() if value is not None}

    def user(self) -> Json:
        """The Bot API's User."""
        return self.card() | {"is_bot": False, "language_code": self.language_code}

    def chat(self) -> Json:
        """The Bot API's Chat: the private chat with this person."""
        return self.card() | {"type": "private"}


STANDING_PEOPLE: Final = (
    Profile(1001, "Anna", "Berg", "anna", "en"),
    Profile(1002, "Boris", "Volkov", "boris", "ru"),
    Profile(1003, "Chen", "Wei", "chen", "en"),
    Profile(1004, "Dalia", "Hassan", "dalia", "ar"),
)


@dataclass(slots=True)
class Draft:
    """A streamed preview: what the person sees grow before the message that stays."""

    draft_id: int
    content: FormattedText
    topic: int | None = None
    can_stop: bool = False
    keep_on_stop: bool = False
    rich_message: Json | None = None
    expires: float = 0.0  # monotonic

    def view(self) -> Json:
        """The JSON the chat page shows."""
        left = max(0.0, self.expires - time.monotonic())
        view: Json = {
            "draft_id": self.draft_id,
            "text": self.content.text,
            "entities": self.content.entities,
            "can_stop": self.can_stop,
            "expires_in": round(left),
        }
        view |= {"message_thread_id": self.topic} if self.topic else {}
        return view | ({"rich_message": self.rich_message} if self.rich_message else {})


@dataclass(slots=True)
class PrivateChat(Room):
    """One person's chat with the bot."""

    person: Profile
    opened: bool = False  # a bot cannot write first
    blocked: bool = False
    draft: Draft | None = None
    draft_timer: asyncio.TimerHandle | None = None
    stopped_drafts: set[int] = field(default_factory=set)
    frames: deque[Json] = field(default_factory=lambda: deque(maxlen=FRAMES_KEPT))

    @property
    def id(self) -> int:
        return self.person.id

    def shape(self) -> Json:
        return self.person.chat()


@dataclass(slots=True)
class Query:
    """A pressed button that waits for answerCallbackQuery."""

    chat: Room
    presser: int
    expires: float
    pressed: float = field(default_factory=time.monotonic)


class State:
    """Everything the stand-in remembers, and the few acts that change it."""

    def __init__(self, token: str, *, lifetimes: Lifetimes, pace: bool) -> None:
        self.token = token
        self.lifetimes = lifetimes
        self.abilities = dict(ABILITIES)
        self.bot: Json = {
            "id": int(token.partition(":")[0]),
            "is_bot": True,
            "first_name": BOT_NAME,
            "username": BOT_USERNAME,
        }
        self.updates = UpdateQueue(first_id(), lifetimes)
        self.webhook = Webhook(self.updates)
        self.files = FileStore()
        self.limits = Limits(pace=pace)
        self.stars = Stars()
        self.words: dict[tuple[str, str], str] = {}  # names and descriptions, by kind and language
        self.menu_buttons: dict[int | None, Json] = {}
        self.commands: dict[tuple[str, str], list[Json]] = {}  # by scope and language
        self.queries: dict[str, Query] = {}
        self.chats: dict[int, PrivateChat] = {
            person.id: PrivateChat(person, opened=True) for person in STANDING_PEOPLE
        }
        self.groups: dict[int, Group] = {}
        self.guests: dict[
            str, tuple[Group, int, Json]
        ] = {}  # unanswered questions to a bot that is no member
        self.inline_messages: dict[str, tuple[Group, int]] = {}
        self._next_message_id = first_id()
        self._chat_instances: dict[int, str] = {}

    # People and chats

    def meet(self, person: Profile) -> PrivateChat:
        """The chat of a person, made on first sight; it stays unknown to the bot until they write."""
        return self.chats.setdefault(person.id, PrivateChat(person))

    def chat(self, chat_id: int | str | None) -> Room:
        """The chat a bot names, or Telegram's refusal."""
        if chat_id is None or chat_id == "":
            raise bad_request("chat_id is empty")
        text = str(chat_id)
        number = int(text) if text.lstrip("-").isdecimal() else 0
        if number in self.groups:
            self.groups[number].check_open()
            return self.groups[number]
        chat = self.chats.get(number)
        if chat is None or not chat.opened:
            raise bad_request("chat not found")
        return chat

    def writable(self, chat_id: int | str | None) -> Room:
        """The chat a bot may write to now."""
        chat = self.chat(chat_id)
        if isinstance(chat, PrivateChat) and chat.blocked:
            raise forbidden("bot was blocked by the user")
        return chat

    def private(self, chat_id: int | str | None) -> PrivateChat:
        """The same where only a private chat will do: a draft is shown in no other."""
        chat = self.writable(chat_id)
        if not isinstance(chat, PrivateChat):
            raise bad_request("TEXTDRAFT_PEER_INVALID")
        return chat

    # Messages

    def next_message_id(self) -> int:
        self._next_message_id += 1
        return self._next_message_id

    def post(self, chat: Room, sender: Json, content: Json) -> Json:
        """A new message in the chat, shown to whoever looks."""
        number = self.next_message_id()
        message: Json = {
            "message_id": number,
            "from": sender,
            "chat": chat.shape(),
            "date": int(time.time()),
            **content,
        }
        chat.messages[number] = message
        chat.publish({"type": "message", "message": message})
        return message

    def post_from_bot(self, chat: Room, content: Json) -> Json:
        """The bot's message; the draft it was previewed by gives way to it."""
        message = self.post(chat, self.bot, content)
        if isinstance(chat, PrivateChat):
            chat.stopped_drafts.clear()
            self.end_draft(chat)
        return message

    def whisper(self, chat: Group, sender: Json, receiver: int, content: Json) -> Json:
        """An ephemeral message: between one person and the bot, in a group where nobody else sees it."""
        number = self.next_message_id()
        message: Json = {
            "message_id": 0,
            "ephemeral_message_id": number,
            "from": sender,
            "chat": chat.shape(),
            "date": int(time.time()),
            **content,
        }
        chat.ephemeral[number] = (receiver, message)
        chat.publish({"type": "message", "message": message}, only=receiver)
        return message

    def open_topic(self, chat: Room, sender: Json, name: str, *, is_name_implicit: bool = False) -> Topic:
        """A new topic; the service message that says so gives it its number."""
        colour = TOPIC_COLOURS[len(chat.topics) % len(TOPIC_COLOURS)]
        created: Json = {"name": name, "icon_color": colour}
        created |= {"is_name_implicit": True} if is_name_implicit else {}
        number = self._next_message_id + 1
        topic = chat.topics[number] = Topic(number, name, is_name_implicit)
        content = {"forum_topic_created": created, **chat.placed(number)}
        self.tell(chat, self.post(chat, sender, content))
        return topic

    def tell(self, chat: Room, message: Json) -> None:
        """Give a message to the bot, if it is for the bot; what the bot says itself is not."""
        if message["from"]["id"] == self.bot["id"]:
            return
        if not isinstance(chat, Group) or chat.is_for_the_bot(message, self.bot["username"]):
            self.updates.push("message", message)

    def edit(self, chat: Room, message: Json) -> Json:
        """Store a changed message under its id."""
        message = message | {"edit_date": int(time.time())}
        chat.messages[message["message_id"]] = message
        chat.publish({"type": "edit", "message": message})
        return message

    def delete(self, chat: Room, message_id: int) -> bool:
        """Remove a message; False when there is none."""
        if chat.messages.pop(message_id, None) is None:
            return False
        chat.publish({"type": "delete", "message_id": message_id})
        return True

    # Drafts

    def show_draft(self, chat: PrivateChat, draft: Draft) -> None:
        """Show a frame; it replaces the one before and lasts until it is refreshed, replaced or overdue."""
        if draft.draft_id in chat.stopped_drafts:
            return
        if chat.draft is not None and chat.draft.draft_id != draft.draft_id:
            self.end_draft(chat)
        self._cancel_draft_timer(chat)
        draft.expires = time.monotonic() + self.lifetimes.draft
        chat.draft = draft
        chat.draft_timer = asyncio.get_running_loop().call_later(self.lifetimes.draft, self.end_draft, chat)
        chat.frames.append(draft.view())
        chat.publish({"type": "draft", "draft": draft.view()})

    def end_draft(self, chat: PrivateChat) -> None:
        """Take the draft off the screen, if there is one."""
        self._cancel_draft_timer(chat)
        if chat.draft is not None:
            chat.publish({"type": "draft_end", "draft_id": chat.draft.draft_id})
            chat.draft = None

    @staticmethod
    def _cancel_draft_timer(chat: PrivateChat) -> None:
        if chat.draft_timer is not None:
            chat.draft_timer.cancel()
            chat.draft_timer = None

    # Pressed buttons

    def open_query(self, chat: Room, presser: int) -> str:
        """An id for a pressed button."""
        query_id = str(secrets.randbits(62))
        self.queries[query_id] = Query(chat, presser, time.monotonic() + self.lifetimes.query)
        return query_id

    def close_query(self, query_id: str) -> Query:
        """A query and the chat it came from; it is answered once, in time."""
        query = self.queries.pop(query_id, None)
        if query is None or query.expires < time.monotonic():
            raise bad_request("query is too old and response timeout expired or query ID is invalid")
        return query

    def chat_instance(self, chat: Room) -> str:
        """The number that stands for this chat in every callback query."""
        return self._chat_instances.setdefault(chat.id, str(secrets.randbits(62)))

    async def close(self) -> None:
        """Let go of timers and of everybody who waits."""
        await self.webhook.remove()
        self.updates.interrupt()
        for chat in self.chats.values():
            self._cancel_draft_timer(chat)
        for room in (*self.chats.values(), *self.groups.values()):
            for listener in room.listeners:
                listener.put_nowait(None)
