"""Everything people send besides words: as the apps would let them, and over HTTP as the chat page does it."""

from collections.abc import AsyncIterator

import aiohttp
import pytest
from aiogram.types import Update

from telegram_bot.playground import Person, Playground, contents
from telegram_bot.playground.people import Impossible
from telegram_bot.playground.shapes import Upload
from tests.playground.pictures import OGG, png

ANNA = 1001
PICTURE = Upload("p.png", "image/png", png(64, 48))
PAPER = Upload("a.pdf", "application/pdf", b"%PDF-1.7")


@pytest.fixture
async def page(telegram: Playground) -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(telegram.url) as session:
        yield session


@pytest.fixture
def anna(telegram: Playground) -> Person:
    return telegram.person(ANNA)


async def test_every_content_is_a_message_of_the_bot_api(telegram: Playground, anna: Person):
    for content in (
        contents.contact("+47 1", "Odd", "Nansen"),
        contents.location(59.9, 10.7, live_seconds=60),
        contents.venue("Opera", "Oslo", 59.9, 10.7),
        contents.poll("Where?", ["here", "there"]),
        contents.dice("🎰"),
        {"text": "sent on"} | contents.from_channel("News", "Odd"),
        {"text": "sent on"} | contents.from_hidden("Somebody"),
    ):
        message = await anna.share(content)
        update = Update.model_validate({"update_id": 1, "message": message})
        assert update.message is not None
        kind = update.message.content_type
        assert kind in content


@pytest.mark.parametrize("count", [2, 10])
async def test_pictures_chosen_together_are_one_album(anna: Person, count: int):
    sent = await anna.send_files([PICTURE] * count, caption="All of them")
    assert len({message["media_group_id"] for message in sent}) == 1
    assert [message.get("caption") for message in sent] == ["All of them"] + [None] * (count - 1)


async def test_what_may_not_stand_in_one_album_is_sent_one_by_one_and_an_eleventh_alone(anna: Person):
    mixed = await anna.send_files([PICTURE, PAPER])
    assert not any("media_group_id" in message for message in mixed)
    eleven = await anna.send_files([PICTURE] * 11)
    assert ["media_group_id" in message for message in eleven] == [True] * 10 + [False]


async def test_a_quote_is_words_of_the_message_at_their_place_in_utf16(anna: Person):
    asked = await anna.send("🐦 birds and trees")
    answer = await anna.send("Which?", reply_to=asked["message_id"], quote="trees")
    assert answer["quote"] == {"text": "trees", "position": 13, "is_manual": True}
    with pytest.raises(contents.NotSendable):
        await anna.send("Which?", reply_to=asked["message_id"], quote="stones")


async def test_a_forward_keeps_its_first_sender_and_cannot_be_changed(anna: Person):
    said = await anna.send("Mine")
    once = await anna.forward(said["message_id"])
    twice = await anna.forward(once["message_id"])
    assert once["forward_origin"] == twice["forward_origin"]
    assert once["forward_origin"]["sender_user"]["id"] == ANNA
    with pytest.raises(Impossible):
        await anna.edit(once["message_id"], "Not mine")


async def test_a_caption_can_be_changed_and_taken_away(anna: Person):
    photo = await anna.send_file(PICTURE, caption="Before")
    assert (await anna.edit(photo["message_id"], "After"))["caption"] == "After"
    assert "caption" not in await anna.edit(photo["message_id"], "")


async def test_the_chat_page_sends_albums_recordings_quotes_forwards_and_places(
    telegram: Playground, anna: Person, page: aiohttp.ClientSession
):
    form = aiohttp.FormData({"caption": "Two"})
    for _ in range(2):
        form.add_field("file", PICTURE.body, filename="p.png", content_type="image/png")
    async with page.post(f"/people/{ANNA}/send", data=form) as response:
        assert len((await response.json())["message_ids"]) == 2
    voice = aiohttp.FormData({"kind": "voice", "duration": "7"})
    voice.add_field("file", OGG, filename="v.ogg", content_type="audio/ogg")
    async with page.post(f"/people/{ANNA}/send", data=voice) as response:
        number = (await response.json())["message_id"]
    assert anna.messages[-1]["voice"]["duration"] == 7
    async with page.post(f"/people/{ANNA}/forward", json={"message_id": number}) as response:
        assert response.status == 200
    assert "forward_origin" in anna.messages[-1]
    async with page.post(f"/people/{ANNA}/share", json={"kind": "dice", "emoji": "🎯"}) as response:
        assert response.status == 200
    for wrong in (
        {"kind": "bomb"},
        {"kind": "dice", "size": 2},
        {"kind": "location", "latitude": 99, "longitude": 0},
    ):
        async with page.post(f"/people/{ANNA}/share", json=wrong) as response:
            assert response.status == 400
