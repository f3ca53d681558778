"""Calls that fail on purpose."""

from typing import Any

import aiohttp
import pytest
from aiogram import Bot
from aiogram.exceptions import (
    TelegramForbiddenError,
    TelegramNetworkError,
    TelegramRetryAfter,
    TelegramServerError,
)

from telegram_bot.playground import Person, Playground
from tests.playground.conftest import ANNA, Ask, bot_of


async def control(http: aiohttp.ClientSession, action: str, **body: Any) -> None:
    async with http.post(f"/control/{action}", json=body) as response:
        assert response.status == 200, await response.text()


async def test_flood_control_refuses_one_chat_until_it_ends(bot: Bot, http: aiohttp.ClientSession):
    await control(http, "flood", chat=ANNA, seconds=30, methods=None)
    with pytest.raises(TelegramRetryAfter) as refused:
        await bot.send_message(ANNA, "x")
    assert refused.value.retry_after in (29, 30)
    assert "Too Many Requests: retry after" in refused.value.message
    await bot.send_message(1002, "x")
    await control(http, "flood", chat=ANNA, seconds=0)
    await bot.send_message(ANNA, "x")


async def test_flood_control_may_be_on_some_methods_only(bot: Bot, http: aiohttp.ClientSession):
    await control(http, "flood", chat=ANNA, seconds=30, methods=["sendMessageDraft"])
    await bot.send_message(ANNA, "x")
    with pytest.raises(TelegramRetryAfter):
        await bot.send_message_draft(ANNA, 1, text="x")


async def test_a_method_fails_as_often_as_asked(bot: Bot, http: aiohttp.ClientSession, anna: Person):
    await control(
        http, "fail", method="sendMessage", times=2, status=500, description="Internal Server Error"
    )
    for _ in range(2):
        with pytest.raises(TelegramServerError):
            await bot.send_message(ANNA, "x")
    assert anna.messages == []
    await bot.send_message(ANNA, "x")


async def test_a_failure_may_name_its_retry_after(bot: Bot, http: aiohttp.ClientSession):
    await control(
        http, "fail", method="sendMessage", status=429, description="Too Many Requests", retry_after=7
    )
    with pytest.raises(TelegramRetryAfter) as refused:
        await bot.send_message(ANNA, "x")
    assert refused.value.retry_after == 7


async def test_a_dropped_connection_hides_that_the_call_was_carried_out(
    telegram: Playground, bot: Bot, http: aiohttp.ClientSession, anna: Person
):
    await control(http, "fail", method="sendMessage", status=0)
    with pytest.raises(TelegramNetworkError):
        await bot.send_message(ANNA, "sent all the same")
    assert [message["text"] for message in anna.messages] == ["sent all the same"]
    assert telegram.calls[-1].status == 0


@pytest.mark.parametrize(
    ("action", "body"),
    [
        ("flood", {"chat": ANNA}),
        ("flood", {"chat": "a", "seconds": 1}),
        ("fail", {"method": "x"}),
        ("fail", []),
    ],
)
async def test_a_wrong_order_is_refused(http: aiohttp.ClientSession, action: str, body: Any):
    async with http.post(f"/control/{action}", json=body) as response:
        assert response.status == 400


async def test_a_person_who_blocked_the_bot_gets_nothing(bot: Bot, ask: Ask, anna: Person):
    await anna.block()
    for method, arguments in (
        ("sendMessage", {"text": "x"}),
        ("sendMessageDraft", {"draft_id": 1, "text": "x"}),
        ("sendChatAction", {"action": "typing"}),
    ):
        answer = await ask(method, chat_id=ANNA, **arguments)
        assert (answer["error_code"], answer["description"]) == (
            403,
            "Forbidden: bot was blocked by the user",
        )
    with pytest.raises(TelegramForbiddenError):
        await bot.send_message(ANNA, "x")
    await anna.block(blocked=False)
    await bot.send_message(ANNA, "x")
    blocked, unblocked = [update.my_chat_member for update in await bot.get_updates()]
    assert blocked is not None
    assert unblocked is not None
    assert (blocked.new_chat_member.status, unblocked.new_chat_member.status) == ("kicked", "member")


async def test_the_pace_allows_a_burst_and_then_asks_to_wait():
    async with Playground.started(pace=True) as telegram, bot_of(telegram) as bot:
        for _ in range(20):
            await bot.send_message(ANNA, "x")
        with pytest.raises(TelegramRetryAfter) as refused:
            await bot.send_message(ANNA, "x")
        assert refused.value.retry_after >= 3
        await bot.send_message(1002, "another chat")
        await bot.send_chat_action(ANNA, "typing")


async def test_the_pace_of_all_chats_together_is_limited_too():
    async with Playground.started(pace=True) as telegram, bot_of(telegram) as bot:
        people = [telegram.person(2000 + number) for number in range(100)]
        for person in people:
            await person.send("/start")
        refusals = 0
        for person in people * 2:
            try:
                await bot.send_message(person.id, "x")
            except TelegramRetryAfter:
                refusals += 1
        assert refusals > 0


async def test_without_the_pace_nothing_is_limited(bot: Bot):
    for _ in range(40):
        await bot.send_message(ANNA, "x")
