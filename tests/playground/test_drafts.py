"""sendMessageDraft: a preview that grows, can be stopped, and never stays."""

import asyncio
from typing import Any

import pytest
from aiogram import Bot

from telegram_bot.playground import Impossible, Person, Playground
from telegram_bot.playground.shapes import Lifetimes
from tests.playground.conftest import ANNA, Ask, bot_of


async def draft(ask: Ask, draft_id: int, text: str, **arguments: Any) -> None:
    answer = await ask("sendMessageDraft", chat_id=ANNA, draft_id=draft_id, text=text, **arguments)
    assert answer == {"ok": True, "result": True}


async def test_a_draft_grows_and_makes_no_message(ask: Ask, anna: Person):
    for text in ("The", "The sky", "The sky is"):
        await draft(ask, 7, text)
    assert anna.draft is not None
    assert anna.draft["text"] == "The sky is"
    assert [frame["text"] for frame in anna.drafts] == ["The", "The sky", "The sky is"]
    assert anna.messages == []


async def test_a_draft_without_text_is_a_thinking_placeholder(bot: Bot, anna: Person):
    assert await bot.send_message_draft(ANNA, 7, text="")
    assert anna.draft is not None
    assert anna.draft["text"] == ""


async def test_another_draft_id_takes_the_place(ask: Ask, anna: Person):
    await draft(ask, 7, "one")
    await draft(ask, 8, "two")
    assert anna.draft is not None
    assert (anna.draft["draft_id"], anna.draft["text"]) == (8, "two")


async def test_the_message_that_stays_ends_the_draft(ask: Ask, anna: Person):
    await draft(ask, 7, "The sky")
    await ask("sendMessage", chat_id=ANNA, text="The sky is blue.")
    assert anna.draft is None


async def test_a_persons_message_does_not_end_the_draft(ask: Ask, anna: Person):
    await draft(ask, 7, "The sky")
    await anna.send("hurry")
    assert anna.draft is not None


async def test_a_draft_that_is_not_refreshed_disappears():
    async with Playground.started(lifetimes=Lifetimes(draft=0.2)) as telegram, bot_of(telegram) as bot:
        anna = telegram.person(ANNA)
        await bot.send_message_draft(ANNA, 7, text="soon gone")
        with telegram.state.chats[ANNA].listening() as events:
            async with asyncio.timeout(5):
                event = await events.get()
        assert event == {"type": "draft_end", "draft_id": 7}
        assert anna.draft is None


async def test_a_refreshed_draft_lives_on():
    async with Playground.started(lifetimes=Lifetimes(draft=0.4)) as telegram, bot_of(telegram) as bot:
        with telegram.state.chats[ANNA].listening() as events:
            for _ in range(5):
                await bot.send_message_draft(ANNA, 7, text="still there")
                await asyncio.sleep(0.15)
            kinds = {(await events.get() or {})["type"] for _ in range(events.qsize())}
        assert kinds == {"draft"}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"draft_id": 0, "text": "x"}, "Bad Request: RANDOM_ID_INVALID"),
        ({"draft_id": 1, "text": "x" * 4097}, "Bad Request: message is too long"),
        ({"draft_id": 1, "text": "<b>x", "parse_mode": "HTML"}, None),
        ({"text": "x"}, "Bad Request: parameter 'draft_id' of sendMessageDraft is required"),
        ({"chat_id": -100123, "draft_id": 1, "text": "x"}, "Bad Request: chat not found"),
    ],
)
async def test_a_wrong_draft_is_refused(ask: Ask, anna: Person, arguments: dict[str, Any], words: str | None):
    answer = await ask("sendMessageDraft", **{"chat_id": ANNA} | arguments)
    assert answer["error_code"] == 400
    assert words is None or answer["description"] == words
    assert anna.draft is None


async def test_stop_tells_the_bot_and_hides_what_comes_after(bot: Bot, ask: Ask, anna: Person):
    await draft(ask, 7, "The sky", can_stop=True)
    await anna.stop()
    assert anna.draft is None
    await draft(ask, 7, "The sky is", can_stop=True)
    assert anna.draft is None
    (update,) = await bot.get_updates()
    assert update.stopped_message_generation is not None
    assert update.stopped_message_generation.draft_id == 7
    assert update.stopped_message_generation.chat.id == ANNA


async def test_a_stopped_draft_may_stay_until_the_message(ask: Ask, anna: Person):
    await draft(ask, 7, "The sky", can_stop=True, keep_on_stop=True)
    await anna.stop(7)
    assert anna.draft is not None
    assert anna.draft["can_stop"] is False
    await ask("sendMessage", chat_id=ANNA, text="The sky")
    assert anna.draft is None


async def test_only_a_draft_that_can_stop_is_stopped(ask: Ask, anna: Person):
    with pytest.raises(Impossible):
        await anna.stop()
    await draft(ask, 7, "The sky")
    with pytest.raises(Impossible):
        await anna.stop()
    await draft(ask, 7, "The sky", can_stop=True)
    with pytest.raises(Impossible):
        await anna.stop(8)


async def test_hasty_drafts_are_counted_in_the_log(telegram: Playground, ask: Ask):
    for _ in range(3):
        await draft(ask, 7, "quick")
    assert [call.hasty for call in telegram.calls] == [0, 1, 2]
    await asyncio.sleep(0.31)
    await draft(ask, 7, "slow")
    assert telegram.calls[-1].hasty == 0
