"""The people's side: what the chat page reads and does, and what tests wait for."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiogram import Bot
from aiogram.types import BotCommand

from telegram_bot.playground import Impossible, Person, Playground, utf16
from tests.playground.conftest import ANNA, Ask
from tests.playground.pictures import png

Json = dict[str, Any]


class Events:
    """The server-sent events of one chat, as a page reads them."""

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self.response = response

    async def next(self) -> Json:
        async with asyncio.timeout(5):
            while not (line := await self.response.content.readline()).startswith(b"data: "):
                assert line, "the stream has ended"
        event: Json = json.loads(line.removeprefix(b"data: "))
        return event


@asynccontextmanager
async def events_of(http: aiohttp.ClientSession, person: int) -> AsyncIterator[Events]:
    async with http.get(f"/people/{person}/events", params={"chat": str(person)}) as response:
        assert response.content_type == "text/event-stream"
        yield Events(response)


async def act(http: aiohttp.ClientSession, action: str, **body: Any) -> Json:
    async with http.post(f"/people/{ANNA}/{action}", json={"chat": ANNA, **body}) as response:
        assert response.status == 200, await response.text()
        answer: Json = await response.json()
        return answer


async def test_there_are_several_people_to_speak_as(http: aiohttp.ClientSession):
    async with http.get("/people/") as response:
        people = await response.json()
    assert [(person["id"], person["first_name"], person["language_code"]) for person in people] == [
        (1001, "Anna", "en"),
        (1002, "Boris", "ru"),
        (1003, "Chen", "en"),
        (1004, "Dalia", "ar"),
    ]
    async with http.get("/people/1002/chats") as response:
        assert await response.json() == [
            {"id": 1002, "type": "private", "title": "Starling", "unread": 0, "last": None}
        ]


async def test_a_page_begins_with_all_there_is(bot: Bot, http: aiohttp.ClientSession, anna: Person):
    await anna.send("hello")
    await bot.send_message_draft(ANNA, 7, text="Hi", can_stop=True)
    await bot.set_my_commands([BotCommand(command="new", description="A new thread")])
    async with events_of(http, ANNA) as events:
        snapshot = await events.next()
    assert snapshot["type"] == "snapshot"
    assert snapshot["bot"] == {
        "first_name": "Starling",
        "username": "starling_bot",
        "commands": [{"command": "new", "description": "A new thread"}],
    }
    assert [message["text"] for message in snapshot["messages"]] == ["hello"]
    (draft,) = snapshot["drafts"]
    assert draft == {"draft_id": 7, "text": "Hi", "entities": [], "can_stop": True, "expires_in": 30}


async def test_commands_in_the_persons_language_come_first(bot: Bot, http: aiohttp.ClientSession):
    await bot.set_my_commands([BotCommand(command="new", description="A new thread")])
    await bot.set_my_commands([BotCommand(command="new", description="Новая беседа")], language_code="ru")
    async with events_of(http, 1002) as events:
        assert (await events.next())["bot"]["commands"][0]["description"] == "Новая беседа"


async def test_everything_that_happens_is_seen_live(bot: Bot, http: aiohttp.ClientSession):
    async with events_of(http, ANNA) as events:
        await events.next()
        sent = await act(http, "send", text="hello")
        seen = await events.next()
        assert (seen["type"], seen["message"]["message_id"]) == ("message", sent["message_id"])
        await bot.send_chat_action(ANNA, "typing")
        assert await events.next() == {"type": "typing", "action": "typing"}
        await bot.send_message_draft(ANNA, 7, text="H")
        assert (await events.next())["draft"]["text"] == "H"
        answer = await bot.send_message(ANNA, "Hi")
        assert (await events.next())["message"]["text"] == "Hi"
        assert await events.next() == {"type": "draft_end", "draft_id": 7}
        await bot.edit_message_text("Hello", chat_id=ANNA, message_id=answer.message_id)
        assert (await events.next())["type"] == "edit"
        query = await act(http, "press", message_id=answer.message_id, data="x")
        await bot.answer_callback_query(query["id"], text="Done")
        assert await events.next() == {"type": "answer", "text": "Done", "show_alert": False}
        await bot.delete_message(ANNA, answer.message_id)
        assert await events.next() == {"type": "delete", "message_id": answer.message_id}


async def test_an_open_page_does_not_hold_up_the_end(http: aiohttp.ClientSession):
    async with Playground.started() as telegram, aiohttp.ClientSession(telegram.url) as page:
        response = await page.get(f"/people/{ANNA}/events")
        events = Events(response)
        await events.next()
        async with asyncio.timeout(5):
            await telegram.close()
            assert await response.content.read() == b"\n"


async def test_a_person_stops_edits_and_blocks_from_the_page(
    bot: Bot, http: aiohttp.ClientSession, anna: Person
):
    sent = await act(http, "send", text="hello")
    await act(http, "edit", message_id=sent["message_id"], text="bye")
    await bot.send_message_draft(ANNA, 7, text="H", can_stop=True)
    await act(http, "stop", draft_id=7)
    await act(http, "block", blocked=True)
    kinds = [update.event_type for update in await bot.get_updates()]
    assert kinds == ["message", "edited_message", "stopped_message_generation", "my_chat_member"]


async def test_a_file_is_sent_from_the_page(http: aiohttp.ClientSession, anna: Person):
    form = aiohttp.FormData({"chat": str(ANNA), "caption": "look"})
    form.add_field("file", png(30, 20), filename="a.png", content_type="image/png")
    async with http.post(f"/people/{ANNA}/send", data=form) as response:
        assert response.status == 200
    (message,) = anna.messages
    assert (message["photo"][0]["width"], message["caption"]) == (30, "look")


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/people/77/send", {"text": "x"}, 404),
        (f"/people/{ANNA}/send", {"text": " "}, 400),
        (f"/people/{ANNA}/send", {"text": 5}, 400),
        (f"/people/{ANNA}/send", [], 400),
        (f"/people/{ANNA}/send", {"text": "\ud83d"}, 400),
        (f"/people/{ANNA}/press", {"message_id": 1, "data": "x"}, 400),
        (f"/people/{ANNA}/press", {"message_id": "1", "data": "x"}, 400),
        (f"/people/{ANNA}/stop", {"draft_id": 1}, 400),
        (f"/people/{ANNA}/edit", {"message_id": 1, "text": "x"}, 400),
    ],
)
async def test_the_impossible_is_refused_in_words(
    http: aiohttp.ClientSession, path: str, body: Any, status: int
):
    async with http.post(path, json=body) as response:
        assert response.status == status
        assert await response.text()


async def test_a_text_is_received_with_its_command_marked(bot: Bot, anna: Person):
    await anna.send("/start now")
    (update,) = await bot.get_updates()
    assert update.message is not None
    assert update.message.entities is not None
    assert [(entity.type, entity.length) for entity in update.message.entities] == [("bot_command", 6)]


async def test_a_long_paste_arrives_in_pieces_and_loses_only_white_space(bot: Bot, anna: Person):
    lines = [f"{number} " + "слово 😀 " * 30 for number in range(100)]
    text = "\n".join(lines)
    last = await anna.send(text)
    pieces = [message["text"] for message in anna.messages]
    assert len(pieces) > 5
    assert anna.messages[-1]["message_id"] == last["message_id"]
    assert all(utf16.length(piece) <= 4096 for piece in pieces)
    assert " ".join(" ".join(pieces).split()) == " ".join(text.split())
    assert len(await bot.get_updates()) == len(pieces)


async def test_a_paste_is_cut_where_the_apps_cut_it():
    assert utf16.paste("a" * 4096) == ["a" * 4096]
    assert utf16.paste("a" * 4000 + "\n" + "b" * 4096) == ["a" * 4000, "b" * 4096]
    assert utf16.paste("a" * 4000 + " " + "b" * 100) == ["a" * 4000, "b" * 100]
    assert utf16.paste("a" * 5000) == ["a" * 4096, "a" * 904]
    assert utf16.paste("a" + "😀" * 2048) == ["a" + "😀" * 2047, "😀"]
    assert utf16.paste("  \n ") == []


async def test_waiting_ends_with_the_first_message_that_fits(bot: Bot, anna: Person):
    old = await bot.send_message(ANNA, "answer 1")

    async def later() -> None:
        await bot.send_message(ANNA, "other")
        await bot.send_message(ANNA, "answer 2")

    task = asyncio.create_task(later())
    found = await anna.wait_for(lambda message: "answer" in message["text"], 5, after=old.message_id)
    assert found["text"] == "answer 2"
    await task


async def test_waiting_in_vain_tells_the_story(ask: Ask, anna: Person):
    await anna.send("question")
    await ask("sendMessageDraft", chat_id=ANNA, draft_id=1, text="half")
    with pytest.raises(AssertionError, match=r"(?s)Anna: 'question'.*draft: 'half'"):
        await anna.wait_for(lambda message: "answer" in message["text"], 0.05)


async def test_who_blocked_the_bot_cannot_write_to_it(anna: Person):
    await anna.block()
    with pytest.raises(Impossible):
        await anna.send("hello")


async def test_the_chat_page_and_its_parts_are_served(tmp_path: Path):
    (tmp_path / "index.html").write_text("<p>chat</p>")
    (tmp_path / "app.js").write_text("1")
    async with Playground.started(pages=tmp_path) as telegram, aiohttp.ClientSession(telegram.url) as page:
        async with page.get("/") as response:
            assert (response.content_type, await response.text()) == ("text/html", "<p>chat</p>")
        async with page.get("/static/app.js") as response:
            assert await response.text() == "1"
        async with page.get("/static/%2e%2e/%2e%2e/etc/passwd") as response:
            assert response.status == 404


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Host": "localhost:8081"}, 200),
        ({"Host": "[::1]:8081"}, 200),
        ({"Host": "evil.example"}, 403),
        ({"Host": "127.0.0.1.evil.example"}, 403),
        ({"Host": "localhost:8081", "Origin": "http://localhost:8081"}, 200),
        ({"Origin": "https://evil.example"}, 403),
        ({"Host": "localhost:8081", "Origin": "http://localhost:3000"}, 403),
        ({"Origin": "null"}, 403),
    ],
)
async def test_only_this_machines_own_pages_are_answered(
    http: aiohttp.ClientSession, headers: dict[str, str], status: int
):
    for path in ("/", "/people/", "/control/calls"):
        async with http.get(path, headers=headers) as response:
            assert response.status == status


async def test_the_playground_listens_on_loopback_only(telegram: Playground):
    assert telegram.url.startswith("http://127.0.0.1:")
