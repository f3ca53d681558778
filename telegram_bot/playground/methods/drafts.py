"""sendMessageDraft: the preview that grows while a message is being written."""

from __future__ import annotations

from aiogram.methods import SendMessageDraft

from telegram_bot.playground import utf16
from telegram_bot.playground.errors import bad_request
from telegram_bot.playground.formatting import formatted
from telegram_bot.playground.methods.registry import Context, method
from telegram_bot.playground.state import Draft


@method(SendMessageDraft)
async def send_message_draft(context: Context, call: SendMessageDraft) -> bool:
    chat = context.state.private(call.chat_id)
    check_draft_id(call.draft_id)
    chat.check_topic(call.message_thread_id)
    content = formatted(call.text or "", call.parse_mode, call.entities)
    if utf16.length(content.text) > utf16.MESSAGE_MAX:
        raise bad_request("message is too long")
    draft = Draft(
        call.draft_id,
        content,
        topic=call.message_thread_id,
        can_stop=bool(call.can_stop),
        keep_on_stop=bool(call.keep_on_stop),
    )
    context.state.show_draft(chat, draft)
    return True


def check_draft_id(draft_id: int) -> None:
    if draft_id == 0:
        raise bad_request("RANDOM_ID_INVALID")
