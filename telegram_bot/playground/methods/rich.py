"""sendRichMessage and sendRichMessageDraft."""

from __future__ import annotations

from aiogram.methods import SendRichMessage, SendRichMessageDraft

from telegram_bot.playground.methods.drafts import check_draft_id
from telegram_bot.playground.methods.messages import common_fields
from telegram_bot.playground.methods.registry import Context, method
from telegram_bot.playground.rich import rich_message, words_of_blocks
from telegram_bot.playground.shapes import FormattedText, Json
from telegram_bot.playground.state import Draft


@method(SendRichMessage)
async def send_rich_message(context: Context, call: SendRichMessage) -> Json:
    chat = context.state.writable(call.chat_id)
    common = common_fields(chat, call)
    rich = rich_message(call.rich_message, context.state.files, context.uploads)
    return context.state.post_from_bot(chat, {"rich_message": rich} | common)


@method(SendRichMessageDraft)
async def send_rich_message_draft(context: Context, call: SendRichMessageDraft) -> bool:
    chat = context.state.private(call.chat_id)
    check_draft_id(call.draft_id)
    chat.check_topic(call.message_thread_id)
    rich = rich_message(call.rich_message, context.state.files, context.uploads, is_draft=True)
    draft = Draft(
        call.draft_id,
        FormattedText(words_of_blocks(rich["blocks"])),
        topic=call.message_thread_id,
        can_stop=bool(call.can_stop),
        keep_on_stop=bool(call.keep_on_stop),
        rich_message=rich,
    )
    context.state.show_draft(chat, draft)
    return True
