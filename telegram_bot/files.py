"""Files of messages, brought from Telegram: fetched, read, listened to, put into storage.

All of it happens before the burst's transaction and may happen again after a crash: nothing here is
a promise, and what costs money is kept under its own key (conversations/listening.py).
"""

import asyncio
from dataclasses import dataclass, replace
from pathlib import Path

import aiohttp
import structlog
from aiogram import Bot
from aiogram.exceptions import TelegramAPIError, TelegramBadRequest, TelegramNetworkError, TelegramServerError
from django.conf import settings

from config.patience import patiently
from conversations.files import Arrived, store_arrival
from conversations.hearing import NotHeard, Recording, Transcriber
from conversations.listening import tell, transcribe
from conversations.parts import Part, Text
from conversations.reading.apart import read
from conversations.reading.findings import WORDS
from telegram_bot import people
from telegram_bot.intake import Inbound
from telegram_bot.kinds import Wanted, clock
from telegram_bot.outgoing import Destination, Unreachable, Words
from telegram_bot.people import Listener
from telegram_bot.private_words import privately
from telegram_bot.rendering import Entity, Rendered, plain
from telegram_bot.rendering.entities import MESSAGE_UNITS_MAX, utf16_length
from telegram_bot.texts import say

log = structlog.get_logger(__name__)

MEGABYTE = 1024 * 1024
PAUSES = (0.5, 2.0, None)  # seconds behind each of the three tries of a fetch
FETCH_SECONDS_MAX = 120  # 20 MB at 1.4 Mbit/s
SIDE_BY_SIDE_MAX = 4  # files fetched at a time: each is in memory whole until it is stored
CLOUD = "https://api.telegram.org"
ABOUT_MONEY = frozenset({"no_funds", "daily_cap", "spending_blocked"})  # for the person alone, in a group too
HEADING_UNITS = 96  # kept free above the first part of a transcript

Piece = Part | Arrived


class NotBrought(Exception):
    """A file is not to be had; `key` names its sentence in file_failed.md."""

    def __init__(self, key: str) -> None:
        super().__init__(key)
        self.key = key


class Porter:
    """Brings the files of messages; one for the process."""

    def __init__(self, bot: Bot, transcriber: Transcriber | None) -> None:
        self._bot, self._transcriber = bot, transcriber
        self._slots = asyncio.Semaphore(SIDE_BY_SIDE_MAX)

    async def bring(self, inbound: Inbound) -> Inbound:
        """The message with its files in storage and its speech in words.

        What cannot be brought is told to the person at once, and to the model where something is left to
        answer. With nothing left, and for whom staff have blocked, the message comes back without parts.
        """
        if not inbound.wants_files:
            return inbound
        who = await patiently(people.listener)(inbound.sender)
        if who.is_blocked:
            return replace(inbound, parts=())
        errand = _Errand(inbound, who, Destination(self._bot, inbound.chat_id, inbound.topic))
        pieces: list[Piece] = []
        for part in inbound.parts:
            pieces += await self._carry(part, errand) if isinstance(part, Wanted) else [part]
        is_left = inbound.has_words or any(isinstance(piece, Arrived) for piece in pieces)
        return replace(inbound, parts=tuple(pieces) if is_left else ())

    async def _carry(self, wanted: Wanted, errand: "_Errand") -> list[Piece]:
        """One file: what it is, in storage, and the words of it; or that it could not be brought."""
        try:
            async with self._slots:
                content = await self._fetch(wanted)
            found = await read(content, name=wanted.name, declared=wanted.mime)
            if found.fault is not None:
                raise NotBrought("silent" if wanted.must_hear else found.fault)
            words = await self._listen(wanted, content, found.mime, errand) if wanted.is_speech else []
            if words:
                found = replace(found, shown=WORDS)  # models get its words; its sound is for tools
            file = await patiently(store_arrival)(
                wanted.name, content, found, telegram_file_id=wanted.file_id
            )
        except NotBrought as missing:
            log.info("file.not_brought", chat=errand.inbound.chat_id, reason=missing.key, size=wanted.size)
            await errand.say(missing.key, wanted)
            return [Text(f"[The file {wanted.name} could not be read: {missing.key}]")]
        return [file, *words]

    # Fetched ---------------------------------------------------------------------------------------

    async def _fetch(self, wanted: Wanted) -> bytes:
        """The bytes of a file: its size is looked at first, and a network that fails gets three tries."""
        most = settings.TELEGRAM_FILES_MAX_MB * MEGABYTE
        if wanted.size > most:
            raise NotBrought("too_large")
        for pause in PAUSES:
            try:
                async with asyncio.timeout(FETCH_SECONDS_MAX):
                    return await self._download(wanted, most)
            except TelegramBadRequest as error:
                raise NotBrought("too_large" if "too big" in error.message else "unfetched") from error
            except (TelegramNetworkError, TelegramServerError, aiohttp.ClientError, TimeoutError) as error:
                log.warning("file.away", reason=f"{type(error).__name__}: {error}"[:200], again_in=pause)
            except (TelegramAPIError, OSError) as error:
                raise NotBrought("unfetched") from error
            if pause is not None:
                await asyncio.sleep(pause)
        raise NotBrought("unfetched")

    async def _download(self, wanted: Wanted, most: int) -> bytes:
        file = await self._bot.get_file(wanted.file_id)
        if (file.file_size or 0) > most:
            raise NotBrought("too_large")
        path = file.file_path or ""
        if Path(path).is_absolute() and not settings.TELEGRAM_API_URL.startswith(CLOUD):
            # A Bot API server of one's own, started with --local, names a file on a disk both can see.
            return await asyncio.to_thread(Path(path).read_bytes)
        body = await self._bot.download_file(path, timeout=FETCH_SECONDS_MAX)
        assert body is not None, "without a destination it comes in memory"
        return body.read()

    # Heard -----------------------------------------------------------------------------------------

    async def _listen(self, wanted: Wanted, content: bytes, mime: str, errand: "_Errand") -> list[Piece]:
        """What was said in a recording, as the model is told it; raises NotBrought where that was all of it."""
        try:
            return [await self._hear(Recording(content, mime, wanted.seconds), errand)]
        except NotHeard as silence:
            if not wanted.must_hear:
                return []  # music without words, or nobody to listen: it stays a file
            raise NotBrought(silence.key) from silence

    async def _hear(self, recording: Recording, errand: "_Errand") -> Text:
        if self._transcriber is None:
            raise NotHeard("nobody_listens")
        if (
            recording.seconds > self._transcriber.seconds_max
            or len(recording.content) > self._transcriber.bytes_max
        ):
            raise NotHeard("too_long")
        key = f"transcribe:{errand.inbound.chat_id}:{errand.inbound.message_id}"
        transcript = await transcribe(errand.who.user_id, key, recording, self._transcriber)
        if not transcript.text:
            raise NotHeard("silent")
        if errand.who.transcripts and transcript.told_at is None:
            await errand.show(transcript.text)
            await patiently(tell)(key)
        length = clock(recording.seconds)
        return Text(f"[Spoken, {length}; already transcribed, do not transcribe it again]\n{transcript.text}")


@dataclass(frozen=True, slots=True)
class _Errand:
    """For whom a file is brought, and where to say what came of it."""

    inbound: Inbound
    who: Listener
    to: Destination

    async def say(self, key: str, wanted: Wanted) -> None:
        """Tell the person why a file was not taken."""
        context = {"key": key, "name": wanted.name, "limit": settings.TELEGRAM_FILES_MAX_MB}
        words = say("file_failed", self.who.language, **context)
        if key not in ABOUT_MONEY or self.inbound.chat_kind == "private":
            await self._send(*plain(words))
            return
        try:
            await privately(self.to, self.inbound.sender.telegram_id, Words(words), self.who.language)
        except Unreachable as gone:
            log.info("chat.unreachable", chat=self.to.chat_id, reason=str(gone))

    async def show(self, words: str) -> None:
        """Show what was heard, folded: long speech would push the answer off the screen."""
        heading = f"{say('heard', self.who.language)}\n"
        start = utf16_length(heading)
        for part in plain(words, MESSAGE_UNITS_MAX - HEADING_UNITS):
            quote = Entity("expandable_blockquote", start, part.units)
            await self._send(Rendered(heading + part.text, (quote,), heading + part.source))

    async def _send(self, *parts: Rendered) -> None:
        try:
            for part in parts:
                await self.to.text(part)
        except Unreachable as gone:  # the burst finds out for itself
            log.info("chat.unreachable", chat=self.to.chat_id, reason=str(gone))
