"""What else people send than words and files, and what they send it with: as the Bot API shows it."""

from __future__ import annotations

import secrets
import time
from typing import Final

from telegram_bot.playground import utf16
from telegram_bot.playground.shapes import Json

POLL_OPTIONS: Final = range(1, 13)  # sendPoll, options: "1-12 strings"
DICE: Final = {"🎲": 6, "🎯": 6, "🎳": 6, "🏀": 5, "⚽": 5, "🎰": 64}  # the highest value of each
# What does not travel with a forwarded message.
LEFT_BEHIND: Final = (
    *("message_id", "from", "chat", "date", "edit_date", "reply_to_message", "quote", "reply_markup"),
    *("media_group_id", "forward_origin"),
)


class NotSendable(Exception):
    """Telegram's apps would not let a person send this."""


def contact(phone: str, first_name: str, last_name: str = "") -> Json:
    return {
        "contact": {"phone_number": phone, "first_name": first_name}
        | ({"last_name": last_name} if last_name else {})
    }


def location(latitude: float, longitude: float, live_seconds: int = 0) -> Json:
    if not (-90 <= latitude <= 90 and -180 <= longitude <= 180):
        raise NotSendable("there is no such place")
    place: Json = {"latitude": latitude, "longitude": longitude}
    return {"location": place | ({"live_period": live_seconds} if live_seconds else {})}


def venue(title: str, address: str, latitude: float, longitude: float) -> Json:
    place = location(latitude, longitude)["location"]
    # Bots that know no venues find the same place as a location.
    return {"venue": {"location": place, "title": title, "address": address}, "location": place}


def poll(question: str, options: list[str]) -> Json:
    if not question or len(options) not in POLL_OPTIONS or not all(options):
        raise NotSendable("a poll has a question and 1-12 options")
    return {
        "poll": {
            "id": str(secrets.randbits(62)),
            "question": question,
            "options": [
                {"persistent_id": str(number), "text": text, "voter_count": 0}
                for number, text in enumerate(options)
            ],
            "total_voter_count": 0,
            "is_closed": False,
            "is_anonymous": True,
            "type": "regular",
            "allows_multiple_answers": False,
            "allows_revoting": True,
            "members_only": False,
        }
    }


def dice(emoji: str = "🎲") -> Json:
    if emoji not in DICE:
        raise NotSendable("this emoji cannot be thrown")
    return {"dice": {"emoji": emoji, "value": secrets.randbelow(DICE[emoji]) + 1}}


def forwarded(message: Json) -> Json:
    """A message as it looks when it is sent on, with its first sender."""
    origin = message.get("forward_origin") or {
        "type": "user",
        "date": message["date"],
        "sender_user": message["from"],
    }
    return {name: value for name, value in message.items() if name not in LEFT_BEHIND} | {
        "forward_origin": origin
    }


def from_channel(title: str, signature: str = "") -> Json:
    """The origin of what is sent on from a channel."""
    origin: Json = {
        "type": "channel",
        "date": int(time.time()),
        "chat": {"id": -1_001_000_000_001, "type": "channel", "title": title},
        "message_id": 7,
    }
    return {"forward_origin": origin | ({"author_signature": signature} if signature else {})}


def from_hidden(name: str) -> Json:
    """The origin of what is sent on from somebody who hides their account."""
    return {"forward_origin": {"type": "hidden_user", "date": int(time.time()), "sender_user_name": name}}


def replying(replied: Json, quote: str = "") -> Json:
    """The fields of a message that answers another, or some words of it."""
    fields: Json = {"reply_to_message": {k: v for k, v in replied.items() if k != "reply_to_message"}}
    if not quote:
        return fields
    words = replied.get("text") or replied.get("caption") or ""
    if quote not in words:
        raise NotSendable("only words of the message can be quoted")
    position = utf16.length(words[: words.index(quote)])
    return fields | {"quote": {"text": quote, "position": position, "is_manual": True}}
