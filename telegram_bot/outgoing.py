"""The one way out: everything the bot says in a chat goes through a Destination."""

import asyncio
from dataclasses import dataclass
from typing import TypeAlias

import structlog
from aiogram import Bot
from aiogram.exceptions import (
    ClientDecodeError,
    TelegramBadRequest,
    TelegramEntityTooLarge,
    TelegramForbiddenError,
    TelegramNetworkError,
    TelegramNotFound,
    TelegramServerError,
)
from aiogram.methods import (
    SendDocument,
    SendInvoice,
    SendMessage,
    SendMessageDraft,
    SendPhoto,
    TelegramMethod,
)
from aiogram.types import (
    BufferedInputFile,
    ForceReply,
    InlineKeyboardMarkup,
    LabeledPrice,
    LinkPreviewOptions,
    Message,
    MessageEntity,
)

from billing.stars import CURRENCY
from telegram_bot.gate import Banned
from telegram_bot.rendering import Rendered, plain, render, split

log = structlog.get_logger(__name__)

NO_PREVIEW = LinkPreviewOptions(is_disabled=True)  # a preview would fetch what an injected page made us write
RETRY_SECONDS = (
    1.0,
    2.0,
    4.0,
    8.0,
    15.0,
    30.0,
)  # between tries when Telegram cannot be reached; then the last
PHOTO_BYTES_MAX = 10 * 1024 * 1024  # Bot API, sendPhoto
PHOTO_TYPES = frozenset({"image/png", "image/jpeg", "image/webp"})
# What Telegram says when there is nobody left to send to.
GONE = (
    "chat not found",
    "thread not found",
    "user is deactivated",
    "group chat was deleted",
    "bot was kicked",
)


Keyboard: TypeAlias = InlineKeyboardMarkup | ForceReply


class Unreachable(Exception):
    """Nothing can be sent there any more: blocked, deleted, kicked. No retry, no word into the void."""


@dataclass(frozen=True, slots=True)
class Bill:
    """What an invoice says, in Stars."""

    title: str
    description: str
    payload: str
    stars: int

    @property
    def prices(self) -> list[LabeledPrice]:
        return [LabeledPrice(label=self.title, amount=self.stars)]


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

    async def frame(self, draft_id: int, text: str, entities: list[MessageEntity]) -> bool:
        """Show a draft as it stands. False when this frame was not shown; the next one is made afresh."""
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
            await self.bot(method)
        except (TelegramForbiddenError, TelegramNotFound) as error:
            raise Unreachable(error.message) from error
        except TelegramBadRequest as error:
            if _gone(error):
                raise Unreachable(error.message) from error
            log.warning("draft.refused", chat=self.chat_id, reason=error.message)
            return False
        except (Banned, TelegramNetworkError, TelegramServerError, ClientDecodeError):
            return False
        return True

    async def text(self, part: Rendered, *, keyboard: Keyboard | None = None) -> list[int]:
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

    async def say(self, words: str, *, keyboard: Keyboard | None = None) -> list[int]:
        """Send words of our own, in Markdown."""
        sent: list[int] = []
        parts = split(words) or (render("…"),)
        for number, part in enumerate(parts, start=1):
            sent += await self.text(part, keyboard=keyboard if number == len(parts) else None)
        return sent

    async def file(self, name: str, mime: str, content: bytes) -> list[int]:
        """Send a file: as a photo where Telegram takes one, else as a document."""
        upload = BufferedInputFile(content, filename=name)
        if mime in PHOTO_TYPES and len(content) <= PHOTO_BYTES_MAX:
            try:
                photo = SendPhoto(chat_id=self.chat_id, message_thread_id=self.topic, photo=upload)
                return [await self._deliver(photo)]
            except TelegramBadRequest as error:  # too large, too long, or no picture after all
                log.info("photo.refused", chat=self.chat_id, reason=error.message)
        method = SendDocument(chat_id=self.chat_id, message_thread_id=self.topic, document=upload)
        try:
            return [await self._deliver(method)]
        except TelegramBadRequest as error:
            log.error("file.lost", chat=self.chat_id, reason=error.message)
            return []

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

    async def invoice(self, bill: Bill) -> None:
        """Send what Telegram makes a Pay button of."""
        await self._deliver(
            SendInvoice(
                chat_id=self.chat_id,
                message_thread_id=self.topic,
                title=bill.title,
                description=bill.description,
                payload=bill.payload,
                currency=CURRENCY,
                prices=bill.prices,
                provider_token="",
            )
        )

    async def _message(self, text: str, entities: list[MessageEntity], keyboard: Keyboard | None) -> int:
        method = SendMessage(
            chat_id=self.chat_id,
            message_thread_id=self.topic,
            text=text,
            entities=entities or None,
            parse_mode=None,
            link_preview_options=NO_PREVIEW,
            reply_markup=keyboard,
        )
        return await self._deliver(method)

    async def _deliver(self, method: TelegramMethod[Message]) -> int:
        """Send what must arrive: again and again while Telegram cannot be reached. Returns the message's id.

        Bot API has no idempotency key: an answer lost on the way back is sent twice rather than never.
        """
        tries = 0
        while True:
            try:
                return (await self.bot(method)).message_id
            except (TelegramForbiddenError, TelegramNotFound) as error:
                raise Unreachable(error.message) from error
            except TelegramBadRequest as error:
                if _gone(error):
                    raise Unreachable(error.message) from error
                raise
            except TelegramEntityTooLarge as error:
                raise TelegramBadRequest(method, error.message) from error
            except (TelegramNetworkError, TelegramServerError, ClientDecodeError) as error:
                pause = RETRY_SECONDS[min(tries, len(RETRY_SECONDS) - 1)]
                log.warning("telegram.away", chat=self.chat_id, reason=str(error)[:200], again_in=pause)
                await asyncio.sleep(pause)
                tries += 1


def entities_of(rendered: Rendered) -> list[MessageEntity]:
    """A rendering's styling as Telegram takes it."""
    return [MessageEntity.model_validate(entity.as_dict()) for entity in rendered.entities]


def _gone(error: TelegramBadRequest) -> bool:
    return any(words in error.message.lower() for words in GONE)
