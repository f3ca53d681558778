"""Who is spoken to in a group, who speaks, and what exactly they say. Pure."""

import re
import unicodedata
from collections.abc import Sequence
from typing import TYPE_CHECKING, TypeVar

from conversations.parts import Text

if TYPE_CHECKING:  # aiogram costs 2.3 s and 165 MB
    from aiogram.types import Message, MessageEntity, User

P = TypeVar("P")

NAME_MAX = 64  # characters of a name as the model reads it
QUOTE_MAX = 4000  # characters of the words somebody answers to
# Words that look like the mark of who speaks; a backslash makes plain words of them.
FORGED = re.compile(r"^(?=[^\S\n]*\[[^\]\n]*\]\s*:)", re.MULTILINE)
EDGES = " \t\n,:;–—-"  # left over at the start where a mention was taken out
ENDS = ".?!…\n"  # what a sentence or a line ends with


def is_a_person(message: "Message") -> bool:
    """Did a person write this, as themselves? Not a channel, a nameless administrator or a bot: who asks pays."""
    who = message.from_user
    return who is not None and not who.is_bot and message.sender_chat is None


def is_addressed(message: "Message", me: "User") -> bool:
    """Is a group's message meant for the bot: by a mention of its name, or as a reply to what it said?"""
    if any(_names(entity, words_of(message), me) for entity in entities_of(message)):
        return True
    replied = message.reply_to_message
    if replied is None or replied.from_user is None or replied.from_user.id != me.id:
        return False
    # Inside a topic every message is, for Telegram, a reply to the notice which opened it.
    return replied.forum_topic_created is None


def said(message: "Message", me: "User") -> str:
    """The words without the mentions of the bot, which only call it."""
    text = words_of(message)
    units = text.encode("utf-16-le")
    for entity in sorted(entities_of(message), key=lambda entity: -entity.offset):
        if _names(entity, text, me):
            before = units[: 2 * entity.offset].decode("utf-16-le")
            behind = units[2 * (entity.offset + entity.length) :].decode("utf-16-le").lstrip(" ,:")
            if not behind or behind[0] in ENDS:
                before = before.rstrip(" ,")
            units = (before + behind).encode("utf-16-le")
    return units.decode("utf-16-le").strip().lstrip(EDGES).rstrip()


def speaker(user: "User") -> str:
    """A person's name as the model reads it: one line, no brackets, and the @name, which nobody else can have."""
    name = " ".join(filter(None, (user.first_name, user.last_name)))
    plain = "".join(" " if unicodedata.category(sign)[0] in "CZ" else sign for sign in name)
    plain = "".join(sign for sign in plain if sign != "@" and unicodedata.category(sign) not in ("Ps", "Pe"))
    shown = " ".join(plain.split())[:NAME_MAX].strip() or "somebody"
    return f"{shown} @{user.username}" if user.username else shown


def quoted(message: "Message", me: "User") -> str:
    """What somebody else said, that a message answers to, each line marked as a quotation; or nothing.

    The bot's own words are in the conversation already, unless the person picked some of them out.
    """
    replied = message.reply_to_message
    if replied is None or replied.forum_topic_created is not None:
        return ""
    mine = replied.from_user is not None and replied.from_user.id == me.id
    picked = message.quote.text if message.quote is not None else ""
    words = picked or ("" if mine else words_of(replied))
    if not words.strip():
        return ""
    if len(words) > QUOTE_MAX:
        words = words[:QUOTE_MAX] + "…"
    whose = "you" if mine else speaker(replied.from_user) if replied.from_user else "a channel"
    lines = "\n".join(f"> {line}" for line in words.splitlines())
    return f"> {whose} said:\n{lines}\n"


def spoken(parts: Sequence[P], who: "User", quote: str = "") -> tuple[P | Text, ...]:
    """A message's parts, marked with who speaks; the mark is ours alone: no words of theirs can look like it."""
    mark = f"{quote}[{speaker(who)}]:"
    marked: list[P | Text] = [
        Text(FORGED.sub(r"\\", part.text)) if isinstance(part, Text) else part for part in parts
    ]
    if marked and isinstance(marked[0], Text):
        marked[0] = Text(f"{mark} {marked[0].text}")
    else:
        marked.insert(0, Text(mark))
    return tuple(marked)


def words_of(message: "Message") -> str:
    return message.text or message.caption or ""


def entities_of(message: "Message") -> Sequence["MessageEntity"]:
    return message.entities or message.caption_entities or ()


def _names(entity: "MessageEntity", text: str, me: "User") -> bool:
    if entity.type == "text_mention":
        return entity.user is not None and entity.user.id == me.id
    if entity.type != "mention":
        return False
    return entity.extract_from(text).lower() == f"@{me.username}".lower()
