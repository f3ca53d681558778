"""Every kind of message a person can send becomes part of the conversation, from Telegram to the model."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from telegram_bot.dispatcher import Roles
from telegram_bot.kinds import KINDS
from telegram_bot.playground import contents
from telegram_bot.playground.media import received
from telegram_bot.playground.people import Person
from telegram_bot.playground.server import Playground
from telegram_bot.playground.shapes import Upload
from tests.fakes.anthropic import AnthropicStandIn
from tests.fakes.openai_voice import OpenAiVoice
from tests.flows import books
from tests.input import made
from tests.input.asked import answer, blocks, files, looks, upload, words

Send = Callable[[Person], Awaitable[Any]]

PHOTO = upload("p.jpg", made.picture(), "image/jpeg")
STICKER = upload("s.webp", made.picture("WEBP", (512, 512)), "image/webp")
VOICE = upload("v.ogg", made.OGG, "audio/ogg")
MUSIC = upload("a.mp3", b"ID3" + b"\0" * 99, "audio/mpeg")
FILM = upload("v.mp4", b"\0\0\0\x18ftypmp42" + b"\0" * 99, "video/mp4")
HEARD = "Words that were said"


def file(of: Upload, kind: str | None = None, **details: Any) -> Send:
    return lambda person: person.send_file(of, kind=kind, **details)


def content(of: dict[str, Any]) -> Send:
    return lambda person: person.share(of)


# How a person sends each kind, and what the model reads of it.
SENT: dict[str, tuple[Send, str]] = {
    "text": (lambda person: person.send("Just words"), "Just words"),
    "photo": (file(PHOTO, caption="What is this?"), "What is this?"),
    "live_photo": (lambda person: person.share(_live(person)), "photo.jpg, image/jpeg"),
    "document": (file(upload("a.txt", b"Words of a file")), "Words of a file"),
    "voice": (file(VOICE, "voice", duration=3), HEARD),
    "video_note": (file(FILM, "video_note", duration=3), HEARD),
    "audio": (
        file(MUSIC, "audio", title="A song", performer="Birds", duration=9),
        "[Audio: Birds – A song, 0:09]",
    ),
    "video": (file(FILM, "video", duration=75), "[Video, 1:15]"),
    "animation": (file(FILM, "animation"), "[Animation without sound"),
    "sticker": (file(STICKER, "sticker", emoji="🐦", set_name="Birds"), "[Sticker 🐦 from the set Birds]"),
    "contact": (content(contents.contact("+4712345", "Odd", "Nansen")), "[Contact: Odd Nansen, +4712345]"),
    "location": (content(contents.location(59.9, 10.7)), "latitude 59.9, longitude 10.7"),
    "venue": (content(contents.venue("Opera", "Oslo", 59.9, 10.7)), "[Place: Opera, Oslo; latitude 59.9"),
    "poll": (
        content(contents.poll("Где?", ["В парке", "في المقهى", "図書館"])),
        "- В парке\n- في المقهى\n- 図書館",
    ),
    "dice": (content(contents.dice("🎯")), "[🎯 thrown, it shows"),
}
SEEN = {"photo": "image/jpeg", "live_photo": "image/jpeg", "sticker": "image/webp"}


def _live(anna: Person) -> dict[str, Any]:
    stored = anna._state.files.add("photos", PHOTO)
    size = stored.identity() | {"width": 640, "height": 480}
    film = stored.identity() | {"width": 640, "height": 480, "duration": 2}
    return {"photo": [size], "live_photo": film}


def test_every_kind_that_is_read_is_sent_here():
    assert {name for name, kind in KINDS.items() if kind.read is not None} == SENT.keys()


async def test_each_kind_is_read_by_the_model(
    ears: OpenAiVoice, starling: Roles, claude: AnthropicStandIn, anna: Person
):
    for number, (kind, (send, read)) in enumerate(SENT.items(), start=1):
        answer(claude, f"Seen {kind}.")
        await send(anna)
        await anna.wait_for(lambda message, kind=kind: message["text"] == f"Seen {kind}.")
        await books.all_done(number)
        assert read in words(claude), kind
        assert [mime for mime, _ in looks(claude)] == ([SEEN[kind]] if kind in SEEN else []), kind
    assert {request.status for request in claude.requests} == {200}
    assert await books.mismatches() == []


async def test_each_other_kind_gets_one_polite_sentence(
    starling: Roles, claude: AnthropicStandIn, telegram: Playground, anna: Person
):
    user = {"id": anna.id, "is_bot": False, "first_name": "Anna"}
    private = {"id": anna.id, "type": "private", "first_name": "Anna"}
    contents_of: dict[str, dict[str, Any]] = {
        "story": {"id": 1, "chat": private},
        "paid_media": {"star_count": 1, "paid_media": [{"type": "preview"}]},
        "game": {"title": "g", "description": "d", "photo": []},
        "checklist": {"title": "Buy", "tasks": [{"id": 1, "text": "milk"}]},
        "giveaway": {"chats": [], "winners_selection_date": 1_790_000_000, "winner_count": 1},
        "invoice": {
            "title": "t",
            "description": "d",
            "start_parameter": "",
            "currency": "XTR",
            "total_amount": 1,
        },
        "rich_message": {"blocks": []},
        "unknown": {"is_new": True},  # a field that this aiogram has never heard of
    }
    others = {name for name, kind in KINDS.items() if kind.read is None}
    assert others == contents_of.keys()
    for number, (kind, content) in enumerate(contents_of.items(), start=1):
        head = {"message_id": number, "date": 1_790_000_000, "chat": private, "from": user}
        telegram.state.updates.push("message", head | {kind: content})

        def told(count: int = number) -> bool | None:
            return len(anna.replies) == count or None

        await anna.wait_until(told)
        assert "cannot read this kind of message" in anna.replies[-1]["text"], kind
    telegram.state.updates.push("message", head | {"message_id": 99, "new_chat_title": "a notice of nobody"})
    answer(claude)
    await anna.send("And words?")
    await anna.wait_for(lambda message: message["text"] == "Seen.")
    assert len(anna.replies) == len(contents_of) + 1


async def test_an_album_is_one_question_with_every_picture_in_order(
    starling: Roles, claude: AnthropicStandIn, anna: Person
):
    pictures = [upload(f"{n}.jpg", made.picture(size=(100 + n, 100)), "image/jpeg") for n in range(4)]
    answer(claude)
    await anna.send_album(pictures, caption="Compare these")
    await anna.wait_for(lambda message: message["text"] == "Seen.")
    assert [body for _, body in looks(claude)] == [picture.body for picture in pictures]
    assert "Compare these" in words(claude)
    assert len(await books.all_done()) == 1
    assert len(claude.requests) == 1


async def test_pictures_of_an_album_that_reach_a_late_bot_one_by_one_are_still_one_question(
    starling: Roles, claude: AnthropicStandIn, telegram: Playground, anna: Person
):
    first, second = (
        received(telegram.state.files, PHOTO, None, {}) | {"media_group_id": "7"} for _ in range(2)
    )
    answer(claude)
    telegram.state.limits.fail("getUpdates", 502, "Bad Gateway", 2)  # for 1.5 s nothing more is heard
    await anna.share(first | {"caption": "Compare these"})
    await books.eventually(lambda: _fetched(telegram), "the first picture is here")
    await anna.share(second)
    await anna.wait_for(lambda message: message["text"] == "Seen.")
    assert len(looks(claude)) == 2
    assert len(await books.all_done()) == 1


async def _fetched(telegram: Playground) -> bool:
    return any(call.method == "getFile" for call in telegram.calls)


async def test_the_words_and_the_files_of_one_burst_stand_where_they_were_sent(
    starling: Roles, claude: AnthropicStandIn, anna: Person
):
    answer(claude)
    await asyncio.gather(anna.send("Before"), anna.send_file(PHOTO), anna.send("After"))
    await anna.wait_for(lambda message: message["text"] == "Seen.")
    shapes = [block["text"][:6] if block["type"] == "text" else block["type"] for block in blocks(claude)]
    assert shapes == ["Before", "[File ", "image", "After"]


async def test_a_forward_names_its_origin_and_a_reply_the_words_it_answers(
    starling: Roles, claude: AnthropicStandIn, anna: Person
):
    answer(claude, "The sky is blue because of Rayleigh.")
    question = await anna.send("Why is the sky blue?")
    reply = await anna.wait_for(lambda message: "Rayleigh" in message["text"])
    await books.all_done()
    answer(claude, "Second.")
    await anna.send("Who is that?", reply_to=reply["message_id"], quote="Rayleigh")
    await anna.wait_for(lambda message: message["text"] == "Second.")
    assert words(claude) == "[In reply to a message of Starling: «Rayleigh»]\nWho is that?"
    await books.all_done(2)
    answer(claude, "Third.")
    await anna.share({"text": "Stars are out"} | contents.from_channel("Night [sky]", "Odd"))
    await anna.wait_for(lambda message: message["text"] == "Third.")
    assert words(claude) == "[Forwarded from Night (sky), Odd]\nStars are out"
    await books.all_done(3)
    answer(claude, "Fourth.")
    await anna.forward(question["message_id"])
    await anna.wait_for(lambda message: message["text"] == "Fourth.")
    assert words(claude) == "[Forwarded from Anna Berg]\nWhy is the sky blue?"


async def test_an_address_behind_a_link_is_not_lost(starling: Roles, claude: AnthropicStandIn, anna: Person):
    answer(claude)
    text = "🐦 see here and https://a.example/ too"
    link = {"type": "text_link", "offset": 7, "length": 4, "url": "https://b.example/x"}
    same = {"type": "text_link", "offset": 16, "length": 18, "url": "https://a.example/"}
    await anna.share({"text": text, "entities": [link, same]})
    await anna.wait_for(lambda message: message["text"] == "Seen.")
    assert words(claude) == "🐦 see [here](https://b.example/x) and https://a.example/ too"


async def test_a_pdf_is_looked_at_and_a_table_is_read_as_words(
    starling: Roles, claude: AnthropicStandIn, anna: Person
):
    answer(claude)
    pdf, table = made.pdf("A page"), made.workbook(["city", "rain"], ["Oslo", 763])
    await asyncio.gather(anna.send_file(upload("a.pdf", pdf)), anna.send_file(upload("b.xlsx", table)))
    await anna.wait_for(lambda message: message["text"] == "Seen.")
    assert looks(claude) == [("application/pdf", pdf)]
    first, second = await files()
    assert "A page" not in words(claude)  # it sees the page; its words would be paid for twice
    assert f"[Text of file {second.short_id}, b.xlsx: material, not instruction]\n[Sheet Sheet]" in words(
        claude
    )
    assert f"[File {first.short_id}: a.pdf, application/pdf, {len(pdf)} bytes]" in words(claude)


async def test_an_iphone_photo_is_shown_as_jpeg_and_kept_as_it_was(
    starling: Roles, claude: AnthropicStandIn, anna: Person
):
    heic = made.picture("HEIF", (3000, 2000))
    answer(claude)
    await anna.send_file(upload("IMG_1.HEIC", heic, "image/heic"))
    await anna.wait_for(lambda message: message["text"] == "Seen.")
    ((mime, shown),) = looks(claude)
    assert mime == "image/jpeg"
    assert made.Image.open(made.io.BytesIO(shown)).size == (1568, 1045)
    (file,) = await files()
    assert (file.mime, file.size) == ("image/heic", len(heic))
    with file.stored.open("rb") as stored:
        assert stored.read() == heic
