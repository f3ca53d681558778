"""Telegram's messages into what a conversation is made of. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from accounts.profiles import Profile
from conversations.parts import Part, Text
from telegram_bot.kinds import KINDS, Wanted, linked
from telegram_bot.wording import clean, label

if TYPE_CHECKING:  # aiogram costs 2.3 s and 165 MB, and the worker prunes the inbox through here
    from aiogram.types import Message, User

    from conversations.files import Arrived

TEXT_MAX = 400_000  # characters of one burst; a book of 200 pages
QUOTED_MAX = 1_000  # characters of an answered message: enough to know it again
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
# Money that came or went waits for no words.
MONEY = frozenset({"successful_payment", "refunded_payment"})


@dataclass(frozen=True, slots=True)
class Inbound:
    """One message of a person, as the conversation takes it.

    `parts` hold a Wanted for each file until it is fetched (files.py), then what arrived.
    """

    chat_id: int  # Telegram's
    chat_kind: str
    chat_title: str
    topic: int | None
    message_id: int
    sender: Profile
    parts: tuple["Part | Wanted | Arrived", ...]
    has_words: bool = True  # a person's own, or a kind that says something without a file
    album: str = ""  # Telegram's media_group_id
    edited_at: datetime | None = None
    frame: str = ""  # our own words in front of theirs: what they answer, where it is from

    @property
    def more_follows(self) -> bool:
        """Is more of the same album or paste likely to follow?"""
        pasted = any(isinstance(part, Text) and len(part.text) >= NEAR_LIMIT for part in self.parts)
        return pasted or bool(self.album)

    @property
    def wants_files(self) -> bool:
        return any(isinstance(part, Wanted) for part in self.parts)

    @property
    def brought(self) -> tuple["Part | Arrived", ...]:
        """The parts, once nothing is wanted any more."""
        return tuple(part for part in self.parts if not isinstance(part, Wanted))


def to_inbound(message: "Message") -> Inbound | None:
    """A message as the conversation takes it; None for a kind it does not take, or without a sender."""
    kind = KINDS.get(message.content_type)
    if message.from_user is None or kind is None or kind.read is None:
        return None
    parts = _joined([*_frames(message), *kind.read(message), _caption(message)])
    if not parts:
        return None
    return Inbound(
        chat_id=message.chat.id,
        chat_kind=message.chat.type,
        chat_title=clean(message.chat.title or message.chat.full_name or ""),
        topic=topic_of(message),
        message_id=message.message_id,
        sender=profile_of(message.from_user),
        parts=parts,
        has_words=bool(message.caption) or not any(isinstance(part, Wanted) for part in parts),
        album=message.media_group_id or "",
        edited_at=edit_date_of(message),
        frame="\n".join(_frames(message)),
    )


def _caption(message: "Message") -> str:
    return linked(message.caption or "", message.caption_entities or ())


def _joined(pieces: Sequence[str | Wanted]) -> tuple[Text | Wanted, ...]:
    """Words that stand together are one text; files stand where they were."""
    parts: list[Text | Wanted] = []
    for piece in pieces:
        last = parts[-1] if parts else None
        if isinstance(piece, Wanted):
            parts.append(piece)
        elif not piece.strip():
            continue
        elif isinstance(last, Text):
            parts[-1] = Text(f"{last.text}\n{piece}")
        else:
            parts.append(Text(piece))
    return tuple(parts)


def _frames(message: "Message") -> list[str]:
    """What the words refer to: where they come from, and what they answer."""
    frames = []
    if message.forward_origin is not None:
        frames.append(f"[Forwarded from {origin_of(message.forward_origin)}]")
    if answered := _answered(message):
        frames.append(answered)
    return frames


def _answered(message: "Message") -> str:
    """The quoted words, or those of the message that is answered, and who said them."""
    replied, elsewhere = message.reply_to_message, message.external_reply
    if replied is not None and replied.content_type not in KINDS:
        replied = None  # the notice that opened a topic: every message in it "answers" that
    if replied is None and elsewhere is None:
        return ""
    if replied is not None:
        who = name_of(replied.from_user) if replied.from_user else label(replied.chat.title or "somebody")
        words = replied.text or replied.caption or ""
        kind = replied.content_type
    else:
        assert elsewhere is not None
        who, words = origin_of(elsewhere.origin), ""
        fields = (name for name in KINDS if name != "text" and getattr(elsewhere, name, None))
        kind = next(fields, "text")
    if message.quote is not None:
        words = message.quote.text
    words = clean(words).strip()
    if len(words) > QUOTED_MAX:
        words = f"{words[:QUOTED_MAX]}…"
    what = "a message" if kind == "text" else f"a {kind.replace('_', ' ')}"
    return f"[In reply to {what} of {who}: «{words}»]" if words else f"[In reply to {what} of {who}]"


def origin_of(origin: Any) -> str:
    """Who said first what was forwarded, from any of Telegram's four kinds of MessageOrigin."""
    if origin.type == "user":
        return name_of(origin.sender_user)
    if origin.type == "hidden_user":
        return label(origin.sender_user_name)
    chat = origin.sender_chat if origin.type == "chat" else origin.chat
    signed = f", {label(origin.author_signature)}" if origin.author_signature else ""
    return f"{label(chat.title or chat.full_name or 'a chat')}{signed}"


def name_of(user: "User") -> str:
    return label(user.full_name) or "somebody"


def edit_date_of(message: "Message") -> datetime | None:
    """When a message was edited; aiogram leaves the number as it came, older versions made a date of it."""
    date = message.edit_date
    return datetime.fromtimestamp(date, UTC) if isinstance(date, int) else date


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
    if not isinstance(message, Mapping):
        return False
    if MONEY & message.keys():
        return True
    text = message.get("text")
    return isinstance(text, str) and text.split("@")[0].strip() == "/stop"
