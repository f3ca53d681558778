"""Every kind of message a person can send, and what becomes of each: one registry. Pure.

`intake.py` reads messages by it, the inbox tells by it what may join a burst, and docs/kinds.md is
written from it. A kind without `read` gets one polite sentence; kinds that are not here are notices
about the chat, which nobody wrote.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from telegram_bot.wording import clean, file_name, label

if TYPE_CHECKING:  # aiogram costs 2.3 s and 165 MB, and the worker prunes the inbox through here
    from aiogram.types import Message

AUDIO_SECONDS_MAX = 600  # an audio file may be music or a book: only a short one is listened to unasked
STICKER = "image/webp"


@dataclass(frozen=True, slots=True)
class Wanted:
    """A file of a message that is still at Telegram."""

    file_id: str
    name: str
    mime: str = ""  # as the sender's app declared it, if it did
    size: int = 0  # bytes as Telegram says; 0 is unknown
    seconds: int = 0  # of sound or film
    is_speech: bool = False  # it is transcribed before the turn, if somebody can
    must_hear: bool = False  # the words are the message: without them it says nothing


Read = Callable[["Message"], Sequence[str | Wanted]]


@dataclass(frozen=True, slots=True)
class Kind:
    """One content type of the Bot API."""

    name: str
    happens: str  # for docs/kinds.md
    read: Read | None = None


def _text(message: "Message") -> Sequence[str | Wanted]:
    return (linked(message.text or "", message.entities or ()),)


def _photo(message: "Message") -> Sequence[str | Wanted]:
    largest = max(message.photo or (), key=lambda size: size.width * size.height)
    return (Wanted(largest.file_id, "photo.jpg", "image/jpeg", largest.file_size or 0),)


def _file(field: str, otherwise: str, what: str = "") -> Read:
    """A reader of the kinds that carry one file; `what` says which kind it is when its name does not."""

    def read(message: "Message") -> Sequence[str | Wanted]:
        file = getattr(message, field)
        name = file_name(getattr(file, "file_name", None) or "", otherwise)
        seconds = getattr(file, "duration", None) or 0
        wanted = Wanted(file.file_id, name, file.mime_type or "", file.file_size or 0, seconds)
        return (f"[{what}, {clock(seconds)}]", wanted) if what else (wanted,)

    return read


def _voice(message: "Message") -> Sequence[str | Wanted]:
    assert message.voice is not None
    voice = message.voice
    size = voice.file_size or 0
    return (
        Wanted(voice.file_id, "voice.ogg", voice.mime_type or "audio/ogg", size, voice.duration, True, True),
    )


def _audio(message: "Message") -> Sequence[str | Wanted]:
    assert message.audio is not None
    audio = message.audio
    name = file_name(audio.file_name or "", "audio.mp3")
    about = " – ".join(label(words) for words in (audio.performer, audio.title) if words)
    listened = 0 < audio.duration <= AUDIO_SECONDS_MAX
    wanted = Wanted(
        audio.file_id, name, audio.mime_type or "", audio.file_size or 0, audio.duration, listened
    )
    return (f"[Audio: {about}, {clock(audio.duration)}]" if about else "[Audio]", wanted)


def _video_note(message: "Message") -> Sequence[str | Wanted]:
    assert message.video_note is not None
    note = message.video_note
    return (
        "[Round video message; only its sound was heard, its pictures were not seen]",
        Wanted(
            note.file_id, "video_message.mp4", "video/mp4", note.file_size or 0, note.duration, True, True
        ),
    )


def _sticker(message: "Message") -> Sequence[str | Wanted]:
    assert message.sticker is not None
    sticker = message.sticker
    of = f" from the set {label(sticker.set_name)}" if sticker.set_name else ""
    words = f"[Sticker {label(sticker.emoji or '', 16)}{of}]"
    if sticker.is_animated or sticker.is_video:
        return (words,)
    return (words, Wanted(sticker.file_id, "sticker.webp", STICKER, sticker.file_size or 0))


def _contact(message: "Message") -> Sequence[str | Wanted]:
    assert message.contact is not None
    contact = message.contact
    name = label(f"{contact.first_name} {contact.last_name or ''}")
    return (f"[Contact: {name}, {label(contact.phone_number)}]",)


def _location(message: "Message") -> Sequence[str | Wanted]:
    assert message.location is not None
    place = message.location
    live = ", live" if place.live_period else ""
    return (f"[Location{live}: latitude {place.latitude}, longitude {place.longitude}]",)


def _venue(message: "Message") -> Sequence[str | Wanted]:
    assert message.venue is not None
    venue = message.venue
    where = f"latitude {venue.location.latitude}, longitude {venue.location.longitude}"
    return (f"[Place: {label(venue.title)}, {label(venue.address)}; {where}]",)


def _poll(message: "Message") -> Sequence[str | Wanted]:
    assert message.poll is not None
    poll = message.poll
    how = ", several answers allowed" if poll.allows_multiple_answers else ""
    votes = f" ({poll.total_voter_count} voted)" if poll.total_voter_count else ""
    options = "\n".join(f"- {clean(option.text)}{_votes(option.voter_count)}" for option in poll.options)
    return (f"[{'Quiz' if poll.type == 'quiz' else 'Poll'}{how}{votes}]\n{clean(poll.question)}\n{options}",)


def _votes(count: int | None) -> str:
    return f": {count}" if count else ""


def _dice(message: "Message") -> Sequence[str | Wanted]:
    assert message.dice is not None
    return (f"[{label(message.dice.emoji, 16)} thrown, it shows {message.dice.value}]",)


# Telegram's names of kinds: https://core.telegram.org/bots/api#message
KINDS: dict[str, Kind] = {
    kind.name: kind
    for kind in (
        Kind("text", "Read, with the addresses behind its links. The pieces of a long paste are one question.", _text),
        Kind("live_photo", "Read as the photo it shows.", _photo),
        Kind("photo", "The largest size is shown to models that see; an album is one question.", _photo),
        Kind(
            "document",
            "Recognised by its bytes. Pictures (HEIC too) and short PDFs are shown to models that read them; of "
            "text, source code, CSV, JSON, HTML, RTF, Word, Excel, PowerPoint, EPUB and PDF the words are read. "
            "Anything else is kept and named, for tools.",
            _file("document", "file"),
        ),
        Kind("voice", "Transcribed before the turn; the transcript is shown folded, unless switched off.", _voice),
        Kind("video_note", "Kept; what is said in it is transcribed.", _video_note),
        Kind("audio", "Kept and named; up to 10 minutes are transcribed.", _audio),
        Kind("video", "Kept and named, with its length and caption.", _file("video", "video.mp4", "Video")),
        Kind(
            "animation",
            "Kept and named, with its caption.",
            _file("animation", "animation.mp4", "Animation without sound"),
        ),
        Kind("sticker", "Its emoji and set; a still one is seen as a picture.", _sticker),
        Kind("contact", "Name and number.", _contact),
        Kind("location", "Latitude and longitude; the moves of a live one are passed over.", _location),
        Kind("venue", "Name, address and place.", _venue),
        Kind("poll", "Question, options and votes.", _poll),
        Kind("dice", "What was thrown.", _dice),
        *(
            Kind(name, "One polite sentence.")
            for name in (
                "story", "paid_media", "game", "checklist", "giveaway", "invoice", "rich_message", "unknown",
            )
        ),
    )
}  # fmt: skip


def is_read(content: Any) -> bool:
    """Does this message, as Telegram sent it, belong into a burst?"""
    return any(kind.read is not None and name in content for name, kind in KINDS.items())


def linked(text: str, entities: Sequence[Any]) -> str:
    """The words with the address behind every link that does not show it."""
    pieces, end = [], 0
    units = text.encode("utf-16-le", "surrogatepass")
    for entity in sorted(entities, key=lambda entity: entity.offset):
        if entity.type != "text_link" or not entity.url or entity.offset < end:
            continue
        until = entity.offset + entity.length
        words = units[2 * entity.offset : 2 * until].decode("utf-16-le", "surrogatepass")
        if words.strip().rstrip("/") == entity.url.rstrip("/"):
            continue
        pieces += [
            units[2 * end : 2 * entity.offset],
            f"[{words}]({entity.url})".encode("utf-16-le", "surrogatepass"),
        ]
        end = until
    return clean(b"".join([*pieces, units[2 * end :]]).decode("utf-16-le", "surrogatepass"))


def clock(seconds: int) -> str:
    """A length as people write it: 0:07, 1:02:03."""
    hours, minutes = divmod(seconds // 60, 60)
    return f"{hours}:{minutes:02}:{seconds % 60:02}" if hours else f"{minutes}:{seconds % 60:02}"
