"""The chat page's side of groups: which chats a person has, and what they see and do in each."""

import asyncio
import json
from typing import Any

import aiohttp
import pytest
from aiogram import Bot
from aiogram.types import EphemeralMessageParameters

from telegram_bot.playground import Person, Playground
from telegram_bot.playground.demo import BOOKS, HIKING, PHYSICS, furnish
from tests.playground.conftest import ANNA

BORIS, DALIA = 1002, 1004


@pytest.fixture
def furnished(telegram: Playground) -> Playground:
    furnish(telegram)
    return telegram


async def chats_of(http: aiohttp.ClientSession, person: int) -> dict[int, dict[str, Any]]:
    async with http.get(f"/people/{person}/chats") as response:
        return {chat["id"]: chat for chat in await response.json()}


async def snapshot(http: aiohttp.ClientSession, person: int, chat: int) -> dict[str, Any]:
    async with http.get(f"/people/{person}/events", params={"chat": str(chat)}) as response:
        assert response.status == 200
        async with asyncio.timeout(5):
            line = await response.content.readline()
    found: dict[str, Any] = json.loads(line.removeprefix(b"data: "))
    return found


async def test_a_person_has_their_own_chat_and_the_groups_they_are_in(
    furnished: Playground, http: aiohttp.ClientSession
):
    annas, dalias = await chats_of(http, ANNA), await chats_of(http, DALIA)
    assert list(annas) == [ANNA, HIKING, PHYSICS, BOOKS]
    assert list(dalias) == [DALIA, PHYSICS, BOOKS]
    assert [member["first_name"] for member in annas[HIKING]["members"]] == ["Anna", "Boris", "Chen"]
    assert [topic["name"] for topic in annas[PHYSICS]["topics"]] == ["Waves", "Optics"]
    assert (annas[HIKING]["bot"], annas[BOOKS]["bot"]) == ("member", "never")
    assert annas[HIKING]["last"]["from"]["id"] == ANNA


async def test_the_bot_is_told_nothing_of_what_was_there_before_it(furnished: Playground, bot: Bot):
    assert await bot.get_updates() == []


async def test_a_member_writes_into_a_topic_and_another_sees_it(
    furnished: Playground, http: aiohttp.ClientSession, bot: Bot
):
    topic = (await chats_of(http, ANNA))[PHYSICS]["topics"][0]["id"]
    body = {"chat": PHYSICS, "topic": topic, "text": "@starling_bot hello"}
    async with http.post(f"/people/{ANNA}/send", json=body) as response:
        assert response.status == 200, await response.text()
    seen = await snapshot(http, DALIA, PHYSICS)
    assert seen["messages"][-1]["message_thread_id"] == topic
    (update,) = await bot.get_updates()
    assert update.message is not None
    assert update.message.is_topic_message


async def test_who_is_not_in_a_group_sees_and_says_nothing_there(
    furnished: Playground, http: aiohttp.ClientSession
):
    async with http.get(f"/people/{DALIA}/events", params={"chat": str(HIKING)}) as response:
        assert response.status == 404
    async with http.post(f"/people/{DALIA}/send", json={"chat": HIKING, "text": "hi"}) as response:
        assert response.status == 404


async def test_a_whisper_is_on_one_page_only(furnished: Playground, http: aiohttp.ClientSession, bot: Bot):
    await bot.send_message(
        PHYSICS, "psst", ephemeral_message_parameters=EphemeralMessageParameters(receiver_user_id=ANNA)
    )
    assert "psst" in str(await snapshot(http, ANNA, PHYSICS))
    assert "psst" not in str(await snapshot(http, DALIA, PHYSICS))


async def test_topics_in_private_chats_are_switched_on_from_the_page(
    telegram: Playground, http: aiohttp.ClientSession, bot: Bot, anna: Person
):
    async with http.post(f"/people/{ANNA}/topic", json={"chat": ANNA}) as response:
        assert response.status == 400
    async with http.post("/control/abilities", json={"has_topics_enabled": True}) as response:
        assert response.status == 200
    assert (await bot.get_me()).has_topics_enabled
    async with http.post(f"/people/{ANNA}/topic", json={"chat": ANNA}) as response:
        topic = (await response.json())["id"]
    assert (await chats_of(http, ANNA))[ANNA]["topics"] == [{"id": topic, "name": "New topic"}]
    (update,) = await bot.get_updates()
    assert update.message is not None
    assert update.message.forum_topic_created is not None
    assert update.message.forum_topic_created.is_name_implicit


@pytest.mark.parametrize("body", [{"can_fly": True}, {"has_topics_enabled": "yes"}])
async def test_only_what_a_bot_has_is_switched(http: aiohttp.ClientSession, body: dict[str, Any]):
    async with http.post("/control/abilities", json=body) as response:
        assert response.status == 400
