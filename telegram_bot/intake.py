"""Telegram's messages into what a conversation is made of. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from accounts.profiles import Profile
from conversations.parts import Parts, Text

if TYPE_CHECKING:  # aiogram costs 2.3 s and 165 MB, and the worker prunes the inbox through here
    from aiogram.types import Message, User

TEXT_MAX = 400_000  # characters of one burst; a book of 200 pages
NEAR_LIMIT = 4000  # UTF-16 units: a text this long is probably the first piece of a longer paste

# What Telegram is asked for, named in full on every start: it keeps the old list otherwise.
ALLOWED_UPDATES = [
    "message",
    "edited_message",
    "callback_query",
    "pre_checkout_query",
    "my_chat_member",
    "stopped_message_generation",
    "subscription",
    "guest_message",
]
# These wait for nothing: their senders do not, or they are about what is under way.
AT_ONCE = frozenset({"callback_query", "pre_checkout_query", "stopped_message_generation", "guest_message"})


@dataclass(frozen=True, slots=True)
class Inbound:
    """One message of a person, as the conversation takes it."""

    chat_id: int  # Telegram's
    chat_kind: str
    chat_title: str
    topic: int | None
    message_id: int
    sender: Profile
    parts: Parts

    @property
    def near_limit(self) -> bool:
        """Is more of the same paste likely to follow?"""
        return any(isinstance(part, Text) and len(part.text) >= NEAR_LIMIT for part in self.parts)


def to_inbound(message: "Message") -> Inbound | None:
    """A message as the conversation takes it; None for a kind it does not take yet, or without a sender."""
    text = clean(message.text or "")
    if message.from_user is None or not text.strip():
        return None
    return Inbound(
        chat_id=message.chat.id,
        chat_kind=message.chat.type,
        chat_title=clean(message.chat.title or message.chat.full_name or ""),
        topic=topic_of(message),
        message_id=message.message_id,
        sender=profile_of(message.from_user),
        parts=(Text(text),),
    )


def topic_of(message: "Message") -> int | None:
    """The topic's id; a plain private reply carries a message's id in that field, which is no topic."""
    return message.message_thread_id if message.is_topic_message else None


def profile_of(user: "User") -> Profile:
    return Profile(
        telegram_id=user.id,
        first_name=clean(user.first_name),
        last_name=clean(user.last_name or ""),
        username=user.username or "",
        telegram_language=user.language_code or "",
        is_premium=bool(user.is_premium),
    )


def clean(text: str) -> str:
    """Text that a database and a vendor accept: no NUL, no half of a surrogate pair."""
    return text.replace("\x00", "").encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def kind_of(payload: Mapping[str, Any]) -> str:
    """The one field of an update beside its id."""
    return next((clean(str(key))[:40] for key in payload if key != "update_id"), "")


def lane_of(payload: Mapping[str, Any]) -> int | None:
    """Telegram's id of the chat an update belongs to, from whatever shape it has; None when it has none."""
    content = next((value for key, value in payload.items() if key != "update_id"), None)
    if not isinstance(content, Mapping):
        return None
    for holder in (content, content.get("message")):
        if isinstance(holder, Mapping) and isinstance(holder.get("chat"), Mapping):
            number = holder["chat"].get("id")
            return number if isinstance(number, int) and abs(number) < 2**63 else None
    sender = content.get("from")
    number = sender.get("id") if isinstance(sender, Mapping) else None
    return number if isinstance(number, int) and abs(number) < 2**63 else None


def is_at_once(payload: Mapping[str, Any]) -> bool:
    """Must this update not wait for the chat's earlier ones?"""
    if kind_of(payload) in AT_ONCE:
        return True
    message = payload.get("message")
    text = message.get("text") if isinstance(message, Mapping) else None
    return isinstance(text, str) and text.split("@")[0].strip() == "/stop"
