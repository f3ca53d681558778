"""getUpdates: what is confirmed, what is kept, and who may ask."""

import asyncio

import pytest
from aiogram import Bot
from aiogram.exceptions import TelegramConflictError

from telegram_bot.playground import Person, Playground
from telegram_bot.playground.shapes import Lifetimes
from tests.playground.conftest import ANNA, Ask, bot_of, until


async def texts(bot: Bot, **arguments: int | None) -> list[str | None]:
    return [update.message.text for update in await bot.get_updates(**arguments) if update.message]


async def until_polling(telegram: Playground) -> None:
    await until(lambda: telegram.state.updates.is_polled, "a getUpdates that waits")


async def test_an_update_comes_again_until_a_higher_offset_confirms_it(bot: Bot, anna: Person):
    await anna.send("one")
    await anna.send("two")
    first, second = await bot.get_updates()
    assert second.update_id == first.update_id + 1
    assert await texts(bot) == ["one", "two"]
    assert await texts(bot, offset=first.update_id) == ["one", "two"]
    assert await texts(bot, offset=second.update_id) == ["two"]
    assert await texts(bot) == ["two"]
    assert await texts(bot, offset=second.update_id + 1) == []
    assert await texts(bot) == []


async def test_a_negative_offset_keeps_only_the_end_of_the_queue(bot: Bot, anna: Person):
    for text in ("one", "two", "three"):
        await anna.send(text)
    assert await texts(bot, offset=-1) == ["three"]
    assert await texts(bot) == ["three"]


@pytest.mark.parametrize(("limit", "count"), [(1, 1), (0, 1), (1000, 100), (None, 100)])
async def test_an_answer_has_between_one_and_a_hundred_updates(
    bot: Bot, anna: Person, limit: int | None, count: int
):
    for number in range(101):
        await anna.send(f"{number}")
    assert len(await bot.get_updates(limit=limit)) == count


async def test_a_long_poll_ends_with_the_first_update(telegram: Playground, bot: Bot, anna: Person):
    waiting = asyncio.create_task(texts(bot, timeout=30))
    await until_polling(telegram)
    await anna.send("hello")
    async with asyncio.timeout(5):
        assert await waiting == ["hello"]


async def test_a_long_poll_ends_empty_when_nothing_happens(bot: Bot):
    assert await texts(bot, timeout=1) == []


async def test_a_second_poller_ends_the_first_one(telegram: Playground, bot: Bot, anna: Person):
    first = asyncio.create_task(bot.get_updates(timeout=30))
    await until_polling(telegram)
    await bot.get_updates()
    with pytest.raises(TelegramConflictError) as refused:
        await first
    assert "terminated by other getUpdates request; make sure that only one bot" in refused.value.message


async def test_the_wanted_kinds_are_remembered(bot: Bot, anna: Person):
    await bot.get_updates(allowed_updates=["my_chat_member"])
    await anna.send("not wanted")
    await bot.get_updates()
    await anna.send("not wanted either")
    await anna.block()
    (update,) = await bot.get_updates()
    assert update.event_type == "my_chat_member"


async def test_an_empty_list_of_kinds_means_the_usual_ones(bot: Bot, anna: Person):
    await bot.get_updates(allowed_updates=["my_chat_member"])
    await bot.get_updates(allowed_updates=[])
    await anna.send("hello")
    assert await texts(bot) == ["hello"]


async def test_what_nobody_fetched_in_time_is_gone(anna: Person):
    async with Playground.started(lifetimes=Lifetimes(update=0.05, query=30)) as telegram:
        await telegram.person(ANNA).send("too late")
        await asyncio.sleep(0.06)
        async with bot_of(telegram) as bot:
            assert await bot.get_updates() == []


async def test_a_pressed_button_expires_sooner_than_a_message():
    async with Playground.started(lifetimes=Lifetimes(query=0.05)) as telegram, bot_of(telegram) as bot:
        anna = telegram.person(ANNA)
        sent = await anna.send("hello")
        await anna.press(sent["message_id"], "x")
        await asyncio.sleep(0.06)
        assert [update.event_type for update in await bot.get_updates()] == ["message"]


async def test_ids_never_repeat_after_a_restart():
    seen = []
    for _ in range(2):
        async with Playground.started() as telegram, bot_of(telegram) as bot:
            sent = await telegram.person(ANNA).send("hello")
            (update,) = await bot.get_updates()
            seen.append((update.update_id, sent["message_id"]))
        await asyncio.sleep(0.11)  # ten ids a second
    assert seen[0][0] < seen[1][0]
    assert seen[0][1] < seen[1][1]


async def test_any_update_can_be_queued_as_it_is(bot: Bot, ask: Ask, http):
    async with http.post("/control/updates", json={"message": {"broken": True}}) as response:
        given = await response.json()
    async with http.post("/control/updates", json={"update_id": 5, "nonsense": 1}) as response:
        assert await response.json() == {"update_id": 5}
    answer = await ask("getUpdates")
    assert answer["result"] == [
        {"update_id": given["update_id"], "message": {"broken": True}},
        {"update_id": 5, "nonsense": 1},
    ]


async def test_a_message_is_queued_as_it_was_then(bot: Bot, anna: Person):
    sent = await anna.send("before")
    await anna.edit(sent["message_id"], "after")
    first, second = await bot.get_updates()
    assert first.message is not None
    assert first.message.text == "before"
    assert second.edited_message is not None
    assert second.edited_message.text == "after"
