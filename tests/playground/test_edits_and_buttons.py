"""Messages that change or go, and buttons that are pressed."""

from typing import Any

import pytest
from aiogram import Bot

from telegram_bot.playground import Impossible, Person, Playground
from telegram_bot.playground.shapes import Lifetimes
from tests.playground.conftest import ANNA, Ask, bot_of

Json = dict[str, Any]


def keyboard(**button: Any) -> Json:
    return {"inline_keyboard": [[{"text": "Go", **button}]]}


async def posted(ask: Ask, text: str = "text", **arguments: Any) -> int:
    answer = await ask("sendMessage", chat_id=ANNA, text=text, **arguments)
    message_id: int = answer["result"]["message_id"]
    return message_id


async def refusal(ask: Ask, method: str, **arguments: Any) -> str:
    answer = await ask(method, **{"chat_id": ANNA} | arguments)
    words: str = answer["description"]
    return words


async def test_an_edit_changes_the_message_in_its_place(ask: Ask, anna: Person):
    message_id = await posted(ask, reply_markup=keyboard(callback_data="x"))
    answer = await ask("editMessageText", chat_id=ANNA, message_id=message_id, text="new")
    assert answer["result"]["text"] == "new"
    assert "edit_date" in answer["result"]
    assert "reply_markup" not in answer["result"]
    assert [message["text"] for message in anna.messages] == ["new"]


async def test_an_edit_that_changes_nothing_is_refused(ask: Ask):
    message_id = await posted(ask, reply_markup=keyboard(callback_data="x"))
    same = {"message_id": message_id, "text": "text", "reply_markup": keyboard(callback_data="x")}
    assert (await refusal(ask, "editMessageText", **same)).startswith(
        "Bad Request: message is not modified: "
    )
    assert (await ask("editMessageText", chat_id=ANNA, message_id=message_id, text="text"))["ok"]
    assert (await refusal(ask, "editMessageReplyMarkup", message_id=message_id)).startswith(
        "Bad Request: message is not modified"
    )


async def test_only_a_text_of_the_bots_own_can_be_edited(ask: Ask, anna: Person):
    theirs = (await anna.send("mine"))["message_id"]
    gone = await posted(ask)
    await ask("deleteMessage", chat_id=ANNA, message_id=gone)
    assert await refusal(ask, "editMessageText", message_id=theirs, text="x") == (
        "Bad Request: message can't be edited"
    )
    assert await refusal(ask, "editMessageText", message_id=gone, text="x") == (
        "Bad Request: message to edit not found"
    )
    assert (
        await refusal(ask, "editMessageText", text="x") == "Bad Request: message identifier is not specified"
    )


async def test_captions_and_keyboards_are_edited_alone(ask: Ask):
    message_id = await posted(ask)
    assert await refusal(ask, "editMessageCaption", message_id=message_id, caption="x") == (
        "Bad Request: there is no caption in the message to edit"
    )
    answer = await ask(
        "editMessageReplyMarkup", chat_id=ANNA, message_id=message_id, reply_markup=keyboard(url="http://a.b")
    )
    assert answer["result"]["reply_markup"] == keyboard(url="http://a.b")


async def test_deleted_messages_are_gone(ask: Ask, anna: Person):
    mine, other = await posted(ask), await posted(ask)
    theirs = (await anna.send("theirs"))["message_id"]
    assert (await ask("deleteMessage", chat_id=ANNA, message_id=theirs))["ok"]
    assert (await ask("deleteMessages", chat_id=ANNA, message_ids=[mine, other, 1]))["ok"]
    assert anna.messages == []
    assert await refusal(ask, "deleteMessage", message_id=mine) == "Bad Request: message to delete not found"
    many = list(range(1, 102))
    assert await refusal(ask, "deleteMessages", message_ids=many) == (
        "Bad Request: too many message identifiers specified"
    )


async def test_an_old_message_cannot_be_deleted(ask: Ask, anna: Person):
    message_id = await posted(ask)
    anna.messages[0]["date"] -= 49 * 3600
    assert await refusal(ask, "deleteMessage", message_id=message_id) == (
        "Bad Request: message can't be deleted for everyone"
    )


@pytest.mark.parametrize(
    ("button", "words"),
    [
        ({"callback_data": ""}, "BUTTON_DATA_INVALID"),
        ({"callback_data": "x" * 65}, "BUTTON_DATA_INVALID"),
        ({"callback_data": "ж" * 33}, "BUTTON_DATA_INVALID"),
        ({}, "Text buttons are unallowed in the inline keyboard"),
        ({"callback_data": "x", "url": "http://a.b"}, "exactly one of callback_data, url may be used"),
        ({"url": "javascript:alert(1)"}, "Wrong HTTP URL"),
        ({"copy_text": {"text": "x" * 257}}, "BUTTON_COPY_TEXT_INVALID"),
        ({"callback_data": "x", "style": "loud"}, "invalid button style specified"),
        ({"callback_data": "x", "text": " "}, "Text must be non-empty"),
        ({"callback_dat": "x"}, "has no parameter 'reply_markup.inline_keyboard.callback_dat'"),
    ],
)
async def test_a_wrong_button_is_refused(ask: Ask, anna: Person, button: Json, words: str):
    refused = await refusal(ask, "sendMessage", text="x", reply_markup=keyboard(**button))
    assert refused.startswith("Bad Request: ")
    assert words in refused
    assert anna.messages == []


async def test_data_of_64_bytes_fits_a_button(ask: Ask):
    await posted(ask, reply_markup=keyboard(callback_data="ж" * 32))


async def test_a_keyboard_has_at_most_a_hundred_buttons(ask: Ask):
    button = {"text": "x", "callback_data": "x"}
    full = {"inline_keyboard": [[button] * 8] * 12 + [[button] * 4]}
    await posted(ask, reply_markup=full)
    over = {"inline_keyboard": [*full["inline_keyboard"], [button]]}
    assert (
        await refusal(ask, "sendMessage", text="x", reply_markup=over) == "Bad Request: REPLY_MARKUP_TOO_LONG"
    )


async def test_a_pressed_button_is_answered_once(bot: Bot, ask: Ask, anna: Person):
    message_id = await posted(ask, reply_markup=keyboard(callback_data="go"))
    query_id = await anna.press(message_id, "go")
    (update,) = await bot.get_updates()
    query = update.callback_query
    assert query is not None
    assert (query.id, query.data, query.from_user.id) == (query_id, "go", ANNA)
    assert query.message is not None
    assert query.message.message_id == message_id
    assert await bot.answer_callback_query(query.id, text="Done", show_alert=True)
    assert anna.answers == [{"type": "answer", "text": "Done", "show_alert": True}]
    assert await refusal(ask, "answerCallbackQuery", chat_id=None, callback_query_id=query.id) == (
        "Bad Request: answerCallbackQuery has no parameter 'chat_id'"
    )
    again = await ask("answerCallbackQuery", callback_query_id=query.id)
    assert again["description"] == (
        "Bad Request: query is too old and response timeout expired or query ID is invalid"
    )


async def test_an_answer_that_comes_too_late_is_refused():
    async with Playground.started(lifetimes=Lifetimes(query=0)) as telegram, bot_of(telegram) as bot:
        anna = telegram.person(ANNA)
        sent = await anna.send("x")
        query_id = await anna.press(sent["message_id"], "x")
        with pytest.raises(Exception, match="query is too old"):
            await bot.answer_callback_query(query_id)


async def test_an_answer_has_up_to_200_characters(ask: Ask, anna: Person):
    query_id = await anna.press((await anna.send("x"))["message_id"], "x")
    answer = await ask("answerCallbackQuery", callback_query_id=query_id, text="x" * 201)
    assert answer["description"] == "Bad Request: MESSAGE_TOO_LONG"


async def test_a_button_of_no_message_cannot_be_pressed(anna: Person):
    with pytest.raises(Impossible):
        await anna.press(1, "x")
