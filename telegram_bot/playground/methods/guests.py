"""answerGuestQuery: the one answer of a bot in a chat it is no member of."""

from __future__ import annotations

import secrets

from aiogram.methods import AnswerGuestQuery
from aiogram.types import InlineQueryResultArticle, InputTextMessageContent

from telegram_bot.playground.errors import bad_request
from telegram_bot.playground.formatting import message_text
from telegram_bot.playground.keyboards import checked_markup
from telegram_bot.playground.methods.messages import text_fields
from telegram_bot.playground.methods.registry import Context, method
from telegram_bot.playground.shapes import Json


@method(AnswerGuestQuery)
async def answer_guest_query(context: Context, call: AnswerGuestQuery) -> Json:
    state = context.state
    guest = state.guests.get(call.guest_query_id)
    if guest is None:
        raise bad_request("query is too old and response timeout expired or query ID is invalid")
    result = call.result
    if not isinstance(result, InlineQueryResultArticle) or not isinstance(
        result.input_message_content, InputTextMessageContent
    ):
        raise bad_request("this stand-in takes an article with a text as a guest's answer")
    said = result.input_message_content
    content = message_text(said.message_text, said.parse_mode, said.entities)
    chat, asker, question = state.guests.pop(call.guest_query_id)
    fields = text_fields(content, said.link_preview_options, False) | checked_markup(result.reply_markup)
    fields["guest_bot_caller_user"] = chat.people[asker].user()
    fields["reply_to_message"] = {key: value for key, value in question.items() if key != "reply_to_message"}
    message = state.post(chat, state.bot, fields | chat.placed(question.get("message_thread_id")))
    inline_message_id = secrets.token_urlsafe(20)
    state.inline_messages[inline_message_id] = (chat, message["message_id"])
    return {"inline_message_id": inline_message_id}
