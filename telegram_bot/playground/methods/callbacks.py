"""answerCallbackQuery."""

from __future__ import annotations

from typing import Final

from aiogram.methods import AnswerCallbackQuery

from telegram_bot.playground import utf16
from telegram_bot.playground.errors import bad_request
from telegram_bot.playground.methods.registry import Context, method
from telegram_bot.playground.shapes import Json

ANSWER_MAX: Final = 200  # answerCallbackQuery: "0-200 characters"


@method(AnswerCallbackQuery)
async def answer_callback_query(context: Context, call: AnswerCallbackQuery) -> bool:
    text = call.text or ""
    if utf16.length(text) > ANSWER_MAX:
        raise bad_request("MESSAGE_TOO_LONG")
    query = context.state.close_query(call.callback_query_id)
    answer: Json = {"type": "answer", "text": text, "show_alert": bool(call.show_alert)}
    query.chat.answer(query.presser, answer)
    return True
