"""How a call arrives, and what is refused before it is carried out."""

import json
from io import BytesIO
from typing import Any

import aiohttp
import pytest
from aiogram import Bot
from aiogram.exceptions import TelegramNotFound, TelegramUnauthorizedError

from telegram_bot.playground import Person, Playground
from tests.playground.conftest import ANNA, Ask

ENTITIES = [{"type": "bold", "offset": 0, "length": 2}]


@pytest.mark.parametrize("way", ["json", "urlencoded", "multipart", "query"])
async def test_a_call_may_come_in_every_form(
    telegram: Playground, http: aiohttp.ClientSession, anna: Person, way: str
):
    form = {"chat_id": str(ANNA), "text": "12", "entities": json.dumps(ENTITIES)}
    body: dict[str, Any] = {"params": form}
    if way == "json":
        body = {"json": {"chat_id": ANNA, "text": "12", "entities": ENTITIES}}
    elif way == "urlencoded":
        body = {"data": form}
    elif way == "multipart":
        parts = aiohttp.FormData(form)
        parts.add_field("unused", b"x", filename="x.bin")
        body = {"data": parts}
    async with http.post(f"/bot{telegram.token}/SENDmessage", **body) as response:
        answer = await response.json()
    assert answer["ok"], answer
    assert anna.messages[-1]["text"] == "12"
    assert anna.messages[-1]["entities"] == ENTITIES


async def test_another_token_is_unauthorized(telegram: Playground, http: aiohttp.ClientSession):
    async with http.get("/bot1000:wrong/getMe") as response:
        assert response.status == 401
        assert await response.json() == {"ok": False, "error_code": 401, "description": "Unauthorized"}


async def test_aiogram_reads_the_refusals(telegram: Playground, bot: Bot):
    token, telegram.state.token = telegram.state.token, "1000:other"
    with pytest.raises(TelegramUnauthorizedError):
        await bot.get_me()
    telegram.state.token = token
    with pytest.raises(TelegramNotFound):
        await bot.send_dice(ANNA)


@pytest.mark.parametrize(
    ("method", "arguments", "words"),
    [
        ("sendDice", {"chat_id": ANNA}, "Not Found: method not found"),
        ("noSuchMethod", {}, "Not Found: method not found"),
        ("sendMessage", {"text": "x"}, "Bad Request: chat_id is empty"),
        ("sendMessage", {"chat_id": "", "text": "x"}, "Bad Request: chat_id is empty"),
        ("sendMessage", {"chat_id": ANNA}, "Bad Request: message text is empty"),
        ("sendMessage", {"chat_id": 5, "text": "x"}, "Bad Request: chat not found"),
        ("sendMessage", {"chat_id": "@someone", "text": "x"}, "Bad Request: chat not found"),
        ("sendMessageDraft", {"chat_id": "@someone", "draft_id": 1}, "Bad Request: chat not found"),
        (
            "sendMessage",
            {"chat_id": ANNA, "text": "x", "txet": "y"},
            "Bad Request: sendMessage has no parameter 'txet'",
        ),
        (
            "sendMessage",
            {"chat_id": ANNA, "text": "x", "link_preview_options": {"disabled": True}},
            "Bad Request: sendMessage has no parameter 'link_preview_options.disabled'",
        ),
        (
            "sendMessage",
            {"chat_id": ANNA, "text": "x", "reply_markup": "{"},
            "Bad Request: can't parse reply keyboard markup JSON object",
        ),
        (
            "sendMessage",
            {"chat_id": ANNA, "text": "x", "message_thread_id": 7},
            "Bad Request: message thread not found",
        ),
        (
            "sendMessage",
            {"chat_id": ANNA, "text": "x", "business_connection_id": "b"},
            "Bad Request: this stand-in does not support business_connection_id",
        ),
        ("sendPhoto", {"chat_id": ANNA}, "Bad Request: there is no photo in the request"),
        (
            "sendChatAction",
            {"chat_id": ANNA, "action": "dance"},
            "Bad Request: wrong parameter action in request",
        ),
    ],
)
async def test_a_wrong_call_is_refused_in_telegrams_words(
    ask: Ask, anna: Person, method: str, arguments: dict[str, Any], words: str
):
    answer = await ask(method, **arguments)
    assert answer == {"ok": False, "error_code": 404 if "Not Found" in words else 400, "description": words}
    assert anna.messages == []


async def test_a_chat_is_unknown_until_its_person_writes(telegram: Playground, ask: Ask):
    stranger = telegram.person(555)
    assert (await ask("sendMessage", chat_id=555, text="x"))["description"] == "Bad Request: chat not found"
    await stranger.send("/start")
    assert (await ask("sendMessage", chat_id=555, text="x"))["ok"]


async def test_a_body_that_is_no_json_is_refused(telegram: Playground, http: aiohttp.ClientSession):
    headers = {"Content-Type": "application/json"}
    for body in ("{", "[]"):
        async with http.post(f"/bot{telegram.token}/sendMessage", data=body, headers=headers) as response:
            assert response.status == 400


async def test_a_body_above_the_limit_is_refused(telegram: Playground, http: aiohttp.ClientSession):
    form = aiohttp.FormData({"chat_id": str(ANNA)})
    form.add_field("document", BytesIO(b"x" * (50 * 1024 * 1024 + 1)), filename="big.bin")
    async with http.post(f"/bot{telegram.token}/sendDocument", data=form) as response:
        assert response.status == 413
        assert (await response.json())["description"] == "Request Entity Too Large"


async def test_every_call_is_written_down(telegram: Playground, http: aiohttp.ClientSession, ask: Ask):
    await ask("sendMessage", chat_id=ANNA, text="one")
    await ask("sendMessage", chat_id=5, text="two")
    first, second = telegram.calls
    assert (first.n, first.method, first.chat_id, first.status) == (1, "sendMessage", ANNA, 200)
    assert first.params == {"chat_id": ANNA, "text": "one"}
    assert (second.status, second.description) == (400, "Bad Request: chat not found")
    async with http.get("/control/calls", params={"since": "1"}) as response:
        (call,) = await response.json()
    assert (call["n"], call["status"]) == (2, 400)
