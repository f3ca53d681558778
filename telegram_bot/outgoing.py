"""The one way out: everything the bot says in a chat goes through a Destination."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import structlog
from aiogram import Bot
from aiogram.exceptions import (
    ClientDecodeError,
    TelegramBadRequest,
    TelegramEntityTooLarge,
    TelegramForbiddenError,
    TelegramMigrateToChat,
    TelegramNetworkError,
    TelegramNotFound,
    TelegramServerError,
)
from aiogram.methods import (
    SendAnimation,
    SendAudio,
    SendDocument,
    SendInvoice,
    SendMessage,
    SendMessageDraft,
    SendPhoto,
    SendRichMessage,
    SendRichMessageDraft,
    SendVideo,
    SendVoice,
    TelegramMethod,
)
from aiogram.types import (
    BufferedInputFile,
    EphemeralMessageParameters,
    ForceReply,
    InlineKeyboardMarkup,
    InputRichMessage,
    LinkPreviewOptions,
    Message,
    MessageEntity,
    ReplyParameters,
)

from conversations.parts import Delivery
from telegram_bot.gate import Banned
from telegram_bot.latch import RichLatch
from telegram_bot.rendering import Rendered, plain, render, split
from telegram_bot.rendering.composing import Part, Rich

log = structlog.get_logger(__name__)

NO_PREVIEW = LinkPreviewOptions(is_disabled=True)  # a preview would fetch what an injected page made us write
# Between tries when Telegram cannot be reached; then the last.
RETRY_SECONDS = (1.0, 2.0, 4.0, 8.0, 15.0, 30.0)
PHOTO_BYTES_MAX = 10 * 1024 * 1024  # Bot API, sendPhoto
PLACEHOLDER_MAX = 64  # ForceReply.input_field_placeholder: "1-64 characters"
PHOTO_TYPES = frozenset({"image/png", "image/jpeg", "image/webp"})
AUDIO_TYPES = frozenset({"audio/mpeg", "audio/mp4", "audio/x-m4a"})  # sendAudio: ".MP3 or .M4A"
CAPTION_UNITS_MAX = 1024  # UTF-16 code units, "after entities parsing"
FRAME_SECONDS = 1.0  # faster was answered with bans in production
KEEP_ALIVE_SECONDS = 15.0  # Telegram lets a draft fade after 30
RICH = (SendRichMessage, SendRichMessageDraft)
# What Telegram says when there is nobody left to send to.
GONE = (
    "chat not found",
    "user is deactivated",
    "group chat was deleted",
    "bot was kicked",
)


# And what it says when only this one topic is gone or closed.
PLACE_GONE = ("thread not found", "topic_deleted", "topic_closed", "topic_id_invalid")
# A group that became a supergroup has no topics yet, and its old messages have other numbers.
NOT_THERE = {"message_thread_id": None, "reply_parameters": None}


class Unreachable(Exception):
    """Nothing can be sent there any more: blocked, deleted, kicked. No retry, no word into the void."""


class PlaceGone(Unreachable):
    """The same for one topic only; the rest of its chat is as it was."""


@dataclass(frozen=True, slots=True)
class Words:
    """A sentence of our own below the answer."""

    text: str
    keyboard: InlineKeyboardMarkup | None = None


@dataclass(frozen=True, slots=True)
class Destination:
    """A chat, or one topic of it."""

    bot: Bot
    chat_id: int
    topic: int | None = None
    latch: RichLatch = field(default_factory=RichLatch)

    @property
    def frame_seconds(self) -> float:
        """The pause between two frames of a growing answer."""
        return FRAME_SECONDS

    @property
    def keep_alive_seconds(self) -> float:
        """How long a frame lasts without another."""
        return KEEP_ALIVE_SECONDS

    @property
    def takes_rich(self) -> bool:
        """Whether a rich message is worth a try; without a chat's number there is nowhere to send one to."""
        return bool(self.chat_id) and not self.latch.is_shut(self.chat_id)

    @property
    def draws_rich(self) -> bool:
        """Whether a rich frame is: only private chats, whose numbers are positive, have drafts."""
        return self.chat_id > 0 and self.takes_rich

    @property
    def draws_drafts(self) -> bool:
        """Whether a frame is a draft, which alone may hold Telegram's own sign of thinking."""
        return True

    async def frame(self, draft_id: int, text: str, entities: list[MessageEntity]) -> bool:
        """Show a draft as it stands. False when it should be tried again: Telegram was away, or banned the chat.

        A frame that Telegram refuses would be refused again: it is passed over until there are other words.
        """
        method = SendMessageDraft(
            chat_id=self.chat_id,
            message_thread_id=self.topic,
            draft_id=draft_id,
            text=text,
            entities=entities or None,
            parse_mode=None,
            can_stop=True,
        )
        try:
            return await self._show(method)
        except TelegramBadRequest as error:
            log.warning("draft.refused", chat=self.chat_id, reason=error.message)
            return True

    async def rich_frame(self, draft_id: int, message: InputRichMessage) -> bool:
        """The same for a rich draft; one that is refused is the last one there for a while."""
        method = SendRichMessageDraft(
            chat_id=self.chat_id,
            message_thread_id=self.topic,
            draft_id=draft_id,
            rich_message=message,
            can_stop=True,
        )
        try:
            return await self._show(method)
        except TelegramBadRequest as error:
            self._refused(error)
            return False

    async def _show(self, method: SendMessageDraft | SendRichMessageDraft) -> bool:
        try:
            await self.bot(method)
        except (TelegramForbiddenError, TelegramNotFound, TelegramBadRequest) as error:
            raise _refusal(method, error) from error
        except (Banned, TelegramNetworkError, TelegramServerError, ClientDecodeError):
            return False
        return True

    async def part(self, part: Part, *, keyboard: InlineKeyboardMarkup | None = None) -> list[int]:
        """Send one part of an answer. A rich one that Telegram refuses goes classic, without the buttons below it."""
        if isinstance(part, Rendered):
            return await self.text(part, keyboard=keyboard)
        if self.takes_rich:
            try:
                return [await self._rich(part, keyboard)]
            except TelegramBadRequest as error:
                self._refused(error)
        return [sent for piece in split(part.source) for sent in await self.text(piece)]

    async def _rich(self, part: Rich, keyboard: InlineKeyboardMarkup | None) -> int:
        return await self._deliver(self._new_rich(part.message, keyboard))

    def _new_rich(self, message: InputRichMessage, keyboard: InlineKeyboardMarkup | None) -> SendRichMessage:
        return SendRichMessage(
            chat_id=self.chat_id,
            message_thread_id=self.topic,
            rich_message=message,
            reply_markup=keyboard,
        )

    def _refused(self, error: TelegramBadRequest) -> None:
        log.warning("rich.refused", chat=self.chat_id, reason=error.message)
        self.latch.shut(self.chat_id)

    async def text(self, part: Rendered, *, keyboard: InlineKeyboardMarkup | None = None) -> list[int]:
        """Send one message that stays; entities that Telegram will not take cost the styling, never the words."""
        try:
            return [await self._message(part.text, entities_of(part), keyboard)]
        except TelegramBadRequest as error:
            log.warning("message.refused", chat=self.chat_id, reason=error.message)
        try:
            return [await self._message(piece.text, [], keyboard) for piece in plain(part.source)]
        except TelegramBadRequest as error:  # nothing is left to try; the rest of the answer goes on
            log.error("message.lost", chat=self.chat_id, reason=error.message)
            return []

    async def say(self, words: str, *, keyboard: InlineKeyboardMarkup | None = None) -> list[int]:
        """Send words of our own, in Markdown."""
        sent: list[int] = []
        parts = split(words) or (render("…"),)
        for number, part in enumerate(parts, start=1):
            sent += await self.text(part, keyboard=keyboard if number == len(parts) else None)
        return sent

    async def ask(self, words: str, placeholder: str) -> None:
        """Ask for words that come as a reply to this message; the app opens the reply by itself."""
        (part,) = split(words)
        method = SendMessage(
            chat_id=self.chat_id,
            message_thread_id=self.topic,
            text=part.text,
            entities=entities_of(part) or None,
            parse_mode=None,
            link_preview_options=NO_PREVIEW,
            reply_markup=ForceReply(force_reply=True, input_field_placeholder=placeholder[:PLACEHOLDER_MAX]),
        )
        await self._deliver(method)

    async def whisper(self, words: Words, person: int, *, to_whisper: int | None = None) -> bool:
        """Send an ephemeral message, which one member of a group sees; False when Telegram takes none here.

        It takes them from administrators, and as the answer to an ephemeral message.
        """
        (part, *rest) = split(words.text)
        if rest:
            return False  # longer than one message
        method = SendMessage(
            chat_id=self.chat_id,
            message_thread_id=self.topic,
            text=part.text,
            entities=entities_of(part) or None,
            parse_mode=None,
            link_preview_options=NO_PREVIEW,
            reply_markup=words.keyboard,
            ephemeral_message_parameters=EphemeralMessageParameters(receiver_user_id=person),
            reply_parameters=ReplyParameters(ephemeral_message_id=to_whisper) if to_whisper else None,
        )
        try:
            await Destination._deliver(self, method)
        except TelegramBadRequest as error:
            log.info("whisper.refused", chat=self.chat_id, reason=error.message)
            return False
        return True

    async def file(self, delivery: Delivery, content: bytes) -> list[int]:
        """Send a file as what it is where Telegram takes it so, else as a document; a caption is Markdown.

        A caption longer than Telegram's is a message of its own below the file.
        """
        words = render(delivery.caption)
        fits = words.units <= CAPTION_UNITS_MAX
        below = (
            {"caption": words.text or None, "caption_entities": entities_of(words) or None} if fits else {}
        )
        upload = BufferedInputFile(content, filename=delivery.file.name)
        place = {"chat_id": self.chat_id, "message_thread_id": self.topic, "parse_mode": None, **below}
        sent: list[int] = []
        for method in _ways(delivery, len(content), upload, place):
            try:
                sent = [await self._deliver(method)]
                break
            except TelegramBadRequest as error:  # too large, too long, or no picture after all
                log.info("file.refused", chat=self.chat_id, reason=error.message)
        else:
            log.error("file.lost", chat=self.chat_id)
        return sent if fits else sent + await self.say(delivery.caption)

    async def picture(
        self, content: bytes, words: str, *, keyboard: InlineKeyboardMarkup | None = None
    ) -> None:
        """Send a picture of our own with its words below; when it is no picture, the words alone."""
        caption = render(words)
        photo = SendPhoto(
            chat_id=self.chat_id,
            message_thread_id=self.topic,
            photo=BufferedInputFile(content, filename="picture.png"),
            caption=caption.text,
            caption_entities=entities_of(caption) or None,
            parse_mode=None,
            reply_markup=keyboard,
        )
        try:
            await self._deliver(photo)
        except TelegramBadRequest as error:
            log.warning("photo.refused", chat=self.chat_id, reason=error.message)
            await self.say(words, keyboard=keyboard)

    async def invoice(self, invoice: SendInvoice) -> None:
        """Send what Telegram makes a Pay button of."""
        await self._deliver(invoice)

    async def _message(
        self, text: str, entities: list[MessageEntity], keyboard: InlineKeyboardMarkup | None
    ) -> int:
        return await self._deliver(self._new(text, entities, keyboard))

    def _new(
        self, text: str, entities: list[MessageEntity], keyboard: InlineKeyboardMarkup | None
    ) -> SendMessage:
        return SendMessage(
            chat_id=self.chat_id,
            message_thread_id=self.topic,
            text=text,
            entities=entities or None,
            parse_mode=None,
            link_preview_options=NO_PREVIEW,
            reply_markup=keyboard,
        )

    async def _deliver(self, method: TelegramMethod[Message]) -> int:
        """Send what must arrive: again and again while Telegram cannot be reached. Returns the message's id.

        Bot API has no idempotency key: an answer lost on the way back is sent twice rather than never.
        """
        tries = 0
        while True:
            try:
                return (await self.bot(method)).message_id
            except (TelegramForbiddenError, TelegramNotFound, TelegramBadRequest) as error:
                raise _refusal(method, error) from error
            except (
                TelegramMigrateToChat
            ) as error:  # its update is on its way; until then each call is told so
                method = method.model_copy(update={"chat_id": error.migrate_to_chat_id, **NOT_THERE})
            except TelegramEntityTooLarge as error:
                raise TelegramBadRequest(method, error.message) from error
            except (TelegramNetworkError, TelegramServerError, ClientDecodeError) as error:
                pause = RETRY_SECONDS[min(tries, len(RETRY_SECONDS) - 1)]
                log.warning("telegram.away", chat=self.chat_id, reason=str(error)[:200], again_in=pause)
                await asyncio.sleep(pause)
                tries += 1


def _ways(
    delivery: Delivery, size: int, upload: BufferedInputFile, place: dict[str, Any]
) -> Iterator[TelegramMethod[Message]]:
    """The methods to try for a file, one after the other; the last one takes everything."""
    mime, mode = delivery.file.mime, delivery.mode
    if mode != "document":
        if mime in PHOTO_TYPES and size <= PHOTO_BYTES_MAX:
            yield SendPhoto(photo=upload, **place)
        elif mime == "image/gif":  # a photo would stand still
            yield SendAnimation(animation=upload, **place)
        elif mime in AUDIO_TYPES:
            yield SendAudio(audio=upload, **place)
        elif mime == "audio/ogg":
            yield SendVoice(voice=upload, **place)
        elif mime == "video/mp4":
            yield SendVideo(video=upload, **place)
    yield SendDocument(document=upload, disable_content_type_detection=mode == "document" or None, **place)


def entities_of(rendered: Rendered) -> list[MessageEntity]:
    """A rendering's styling as Telegram takes it."""
    return [MessageEntity.model_validate(entity.as_dict()) for entity in rendered.entities]


def raise_if_gone(error: TelegramBadRequest) -> None:
    """Raise Unreachable when Telegram says that there is nobody left to send to."""
    if gone := _gone(error):
        raise gone from error


def _gone(error: TelegramBadRequest) -> Unreachable | None:
    said = error.message.lower()
    if any(words in said for words in PLACE_GONE):
        return PlaceGone(error.message)
    return Unreachable(error.message) if any(words in said for words in GONE) else None


def _refusal(
    method: TelegramMethod[Any], error: TelegramForbiddenError | TelegramNotFound | TelegramBadRequest
) -> Unreachable | TelegramBadRequest:
    """What a refusal means: nobody is there any more, or only this will not do."""
    if isinstance(error, TelegramNotFound) and isinstance(method, RICH):
        old_server: TelegramMethod[Any] = method  # older than rich messages
        return TelegramBadRequest(old_server, error.message)
    if not isinstance(error, TelegramBadRequest):
        return Unreachable(error.message)
    return _gone(error) or error
