"""An answer that grows where there are no drafts: in a group, one message is sent and then edited."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

import structlog
from aiogram.exceptions import (
    ClientDecodeError,
    TelegramAPIError,
    TelegramBadRequest,
    TelegramForbiddenError,
    TelegramMigrateToChat,
    TelegramNetworkError,
    TelegramNotFound,
    TelegramServerError,
)
from aiogram.methods import (
    DeleteMessage,
    EditMessageText,
    SendChatAction,
    SendMessage,
    SendRichMessage,
    TelegramMethod,
)
from aiogram.types import InlineKeyboardMarkup, InputRichMessage, Message, MessageEntity, ReplyParameters

from telegram_bot.gate import Banned, EditFrame
from telegram_bot.outgoing import NO_PREVIEW, Destination, Unreachable, raise_if_gone

log = structlog.get_logger(__name__)

EDIT_SECONDS = 3.0  # a group takes about 20 messages a minute, edits among them
TYPING_SECONDS = 4.0  # Telegram shows "typing…" for five
FOREVER = 3600.0
NOT_MODIFIED = "message is not modified"
# What Telegram says of a message that was deleted, or that nobody may edit any more.
NOT_EDITABLE = (
    "message to edit not found",
    "message can't be edited",
    "message_edit_time_expired",
    "message_id_invalid",
)


@dataclass(slots=True)
class Growth:
    """What a chat has seen so far of an answer.

    `note` remembers the growing message in the turn, so that a crash leaves no half of an answer behind.
    """

    message: int | None
    note: Callable[[int], Awaitable[None]]
    question: int | None  # the first message is a reply to it
    keyboard: InlineKeyboardMarkup  # Stop


@dataclass(frozen=True, slots=True)
class GroupDestination(Destination):
    """A group, or one topic of it. Whatever message of the answer comes next takes the growing one's place."""

    growth: Growth = field(kw_only=True)

    @property
    def frame_seconds(self) -> float:
        return EDIT_SECONDS

    @property
    def keep_alive_seconds(self) -> float:
        return TYPING_SECONDS if self.growth.message is None else FOREVER

    @property
    def draws_rich(self) -> bool:
        """An edit may be rich wherever a message may."""
        return self.takes_rich

    @property
    def draws_drafts(self) -> bool:
        return False

    async def frame(self, draft_id: int, text: str, entities: list[MessageEntity]) -> bool:
        """Show the answer as it stands; "typing…" until there is something to read. False: try it again."""
        first = edit = None
        if text:
            first = self._new(text, entities, self.growth.keyboard)
            edit = self._edit(EditFrame, self.growth.keyboard, text=text, entities=entities)
        try:
            return await self._grow(first, edit)
        except TelegramBadRequest as error:
            log.warning("frame.refused", chat=self.chat_id, reason=error.message)
            return True  # the same words would be refused again

    async def rich_frame(self, draft_id: int, message: InputRichMessage) -> bool:
        """The same for an answer that needs a rich message; one that is refused is the last one for a while."""
        first = self._new_rich(message, self.growth.keyboard)
        edit = self._edit(EditFrame, self.growth.keyboard, rich_message=message)
        try:
            return await self._grow(first, edit)
        except TelegramBadRequest as error:
            self._refused(error)
            return False

    async def _grow(self, first: SendMessage | SendRichMessage | None, edit: EditMessageText | None) -> bool:
        """Send the growing message or edit it; without either, say that one is coming."""
        try:
            if first is None or edit is None:
                await self.bot(
                    SendChatAction(chat_id=self.chat_id, message_thread_id=self.topic, action="typing")
                )
            elif self.growth.message is None:
                self.growth.message = await self._deliver(first)
                await self.growth.note(self.growth.message)
            else:
                await self.bot(edit)
        except (TelegramForbiddenError, TelegramNotFound) as error:
            raise Unreachable(error.message) from error
        except TelegramBadRequest as error:
            if NOT_MODIFIED in error.message:
                return True
            if _is_lost(error):
                self.growth.message = None
                return False
            raise_if_gone(error)
            raise
        except (
            TelegramMigrateToChat
        ):  # what grew stayed in the old group; its next part is sent to the new one
            self.growth.message = None
            return False
        except (Banned, TelegramNetworkError, TelegramServerError, ClientDecodeError):
            return False
        return True

    async def tidy(self) -> None:
        """The turn is over: nothing that only showed its progress stays."""
        if self.growth.message is None:
            return
        gone, self.growth.message = self.growth.message, None
        try:
            await self.bot(DeleteMessage(chat_id=self.chat_id, message_id=gone))
        except TelegramAPIError as error:  # somebody was quicker, or we may not: it is only a label
            log.info("growing.not_deleted", chat=self.chat_id, reason=error.message)

    async def _deliver(self, method: TelegramMethod[Message]) -> int:
        growing = self.growth.message
        if growing is not None and isinstance(method, SendMessage | SendRichMessage):
            if await self._complete(growing, method):
                return growing
        elif growing is not None:
            await self.tidy()  # a file stands behind the words before it; a label has no words
        if self.growth.question is not None:
            place = ReplyParameters(message_id=self.growth.question, allow_sending_without_reply=True)
            method = method.model_copy(update={"reply_parameters": place})
            self.growth.question = None
        return await Destination._deliver(self, method)

    async def _complete(self, growing: int, method: SendMessage | SendRichMessage) -> bool:
        """Make the growing message the one that stays; False when it is not there any more."""
        self.growth.message = None
        keyboard = method.reply_markup if isinstance(method.reply_markup, InlineKeyboardMarkup) else None
        if isinstance(method, SendMessage):
            edit = self._edit(
                EditMessageText, keyboard, at=growing, text=method.text, entities=method.entities
            )
        else:
            edit = self._edit(EditMessageText, keyboard, at=growing, rich_message=method.rich_message)
        try:
            await Destination._deliver(self, edit)  # type: ignore[arg-type]  # of a chat's message it gives the message
        except TelegramBadRequest as error:
            if NOT_MODIFIED in error.message:
                return True
            if _is_lost(error):
                return False
            self.growth.message = growing  # the caller tries again with plainer words
            raise
        return True

    def _edit(
        self,
        kind: type[EditMessageText],
        keyboard: InlineKeyboardMarkup | None,
        *,
        at: int | None = None,
        text: str | None = None,
        entities: Sequence[MessageEntity] | None = None,
        rich_message: InputRichMessage | None = None,
    ) -> EditMessageText:
        """An edit of the growing message, or of the one `at` this number: to words, or to a rich message."""
        return kind(
            chat_id=self.chat_id,
            message_id=at or self.growth.message,
            text=text,
            rich_message=rich_message,
            entities=list(entities or ()) or None,
            parse_mode=None,
            link_preview_options=NO_PREVIEW if rich_message is None else None,
            reply_markup=keyboard,
        )


def _is_lost(error: TelegramBadRequest) -> bool:
    return any(words in error.message.lower() for words in NOT_EDITABLE)
