"""An answer given as a guest: one message, known only by its inline id, in a chat the bot is not in."""

import asyncio
from dataclasses import dataclass, field

import structlog
from aiogram.exceptions import (
    ClientDecodeError,
    TelegramBadRequest,
    TelegramForbiddenError,
    TelegramNetworkError,
    TelegramNotFound,
    TelegramServerError,
)
from aiogram.methods import EditMessageText, SendMessage, TelegramMethod
from aiogram.types import InlineKeyboardMarkup, Message, MessageEntity

from telegram_bot.gate import Banned, EditFrame
from telegram_bot.growing import EDIT_SECONDS, FOREVER, NOT_MODIFIED
from telegram_bot.outgoing import NO_PREVIEW, RETRY_SECONDS, Destination, PlaceGone

log = structlog.get_logger(__name__)

NOWHERE = 0  # as a chat's id: whatever is sent by it is refused, and nothing may be sent by it
REST = "rest_"  # of a deep link: the turn whose whole answer the person wants to read in private
MESSAGE_UNITS_MAX = 4096  # UTF-16 units; Bot API, editMessageText
GAP = "\n\n"


@dataclass(slots=True)
class Page:
    """What stands in the one message so far."""

    text: str = ""
    entities: list[MessageEntity] = field(default_factory=list)
    keyboard: InlineKeyboardMarkup | None = None  # of the sentence at the end
    is_cut: bool = False  # there is more than fits, or a file

    def with_more(self, text: str, entities: list[MessageEntity]) -> "Page | None":
        """The page and this below it; None when that does not fit."""
        offset = _units(self.text + GAP) if self.text else 0
        whole = self.text + GAP + text if self.text else text
        if self.is_cut or _units(whole) > MESSAGE_UNITS_MAX:
            return None
        moved = [entity.model_copy(update={"offset": entity.offset + offset}) for entity in entities]
        return Page(whole, [*self.entities, *moved], self.keyboard)


@dataclass(frozen=True, slots=True)
class GuestDestination(Destination):
    """The guest's message. Every other method of Telegram would answer PEER_ID_INVALID there."""

    inline: str = field(kw_only=True)
    rest: InlineKeyboardMarkup = field(kw_only=True)  # the way to the whole answer
    pages: list[Page] = field(
        default_factory=lambda: [Page()], kw_only=True
    )  # as it grew; the last one stands

    @property
    def frame_seconds(self) -> float:
        return EDIT_SECONDS

    @property
    def keep_alive_seconds(self) -> float:
        return FOREVER

    async def frame(self, draft_id: int, text: str, entities: list[MessageEntity]) -> bool:
        """Show the answer as it stands; until there are words, the stub says that it is coming."""
        page = self.pages[-1].with_more(text, entities) if text else None
        if page is None:
            return True
        try:
            await self.bot(self._edit(EditFrame, page))
        except TelegramBadRequest as error:
            _raise_if_gone(error)
            if NOT_MODIFIED not in error.message:
                log.warning("frame.refused", reason=error.message)
            return True  # the same words would be refused again
        except (Banned, TelegramNetworkError, TelegramServerError, ClientDecodeError):
            return False
        return True

    async def _deliver(self, method: TelegramMethod[Message]) -> int:
        """Put what would be a message of its own into the one there is."""
        before = self.pages[-1]
        page = None
        if isinstance(method, SendMessage):
            page = before.with_more(method.text, method.entities or [])
        if page is None:  # too long, or a file: it is read in private
            page = Page(before.text, before.entities, before.keyboard, is_cut=True)
        if isinstance(method, SendMessage) and isinstance(method.reply_markup, InlineKeyboardMarkup):
            page.keyboard = method.reply_markup
        if not page.text:  # nothing but a file so far: the stub stands a little longer
            self.pages.append(page)
            return NOWHERE
        await self._insist(page)
        self.pages.append(page)
        return NOWHERE

    async def _insist(self, page: Page) -> None:
        tries = 0
        while True:
            try:
                await self.bot(self._edit(EditMessageText, page))
            except TelegramBadRequest as error:
                _raise_if_gone(error)
                if NOT_MODIFIED not in error.message:
                    raise
                return
            except (TelegramForbiddenError, TelegramNotFound) as error:
                raise PlaceGone(error.message) from error
            except (TelegramNetworkError, TelegramServerError, ClientDecodeError) as error:
                pause = RETRY_SECONDS[min(tries, len(RETRY_SECONDS) - 1)]
                log.warning("telegram.away", reason=str(error)[:200], again_in=pause)
                await asyncio.sleep(pause)
                tries += 1
            else:
                return

    def _edit(self, kind: type[EditMessageText], page: Page) -> EditMessageText:
        return kind(
            inline_message_id=self.inline,
            text=page.text,
            entities=page.entities or None,
            parse_mode=None,
            link_preview_options=NO_PREVIEW,
            reply_markup=page.keyboard or (self.rest if page.is_cut else None),
        )


def _raise_if_gone(error: TelegramBadRequest) -> None:
    if "message_id_invalid" in error.message.lower() or "not found" in error.message.lower():
        raise PlaceGone(error.message) from error


def _units(text: str) -> int:
    return len(text.encode("utf-16-le")) // 2
