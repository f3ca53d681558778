"""Pictures, documents and albums, from both sides, and their way back to bytes."""

from typing import Any

import aiohttp
import pytest
from aiogram import Bot
from aiogram.exceptions import TelegramBadRequest
from aiogram.types import BufferedInputFile, InputMediaDocument, InputMediaPhoto, InputMediaVideo

from telegram_bot.playground import Person, Playground
from telegram_bot.playground.files import image_size
from telegram_bot.playground.shapes import Upload
from tests.playground.conftest import ANNA, Ask
from tests.playground.pictures import OGG, gif, jpeg, png


def file(body: bytes, name: str = "formula.png") -> BufferedInputFile:
    return BufferedInputFile(body, name)


async def refusal(bot: Bot, photo: Any) -> str:
    with pytest.raises(TelegramBadRequest) as refused:
        await bot.send_photo(ANNA, photo)
    return refused.value.message


@pytest.mark.parametrize("picture", [png, gif, jpeg])
def test_the_size_of_a_picture_is_in_its_header(picture: Any):
    assert image_size(picture(640, 480)) == (640, 480)


@pytest.mark.parametrize("body", [b"", b"\xff\xd8\xff", jpeg(9, 9)[:20], b"\xff\xd8abcdefghij", b"<svg/>"])
def test_what_is_no_picture_has_no_size(body: bytes):
    assert image_size(body) is None


async def test_a_photo_arrives_with_its_size_and_caption(bot: Bot, anna: Person, http: aiohttp.ClientSession):
    sent = await bot.send_photo(ANNA, file(png(640, 480)), caption="<b>E</b> = mc²", parse_mode="HTML")
    (shown,) = anna.messages
    assert (shown["caption"], shown["caption_entities"][0]["type"]) == ("E = mc²", "bold")
    assert sent.photo is not None
    assert (sent.photo[-1].width, sent.photo[-1].height) == (640, 480)
    async with http.get(f"/file/{sent.photo[-1].file_id}") as response:
        assert response.content_type == "image/png"
        assert await response.read() == png(640, 480)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (png(5001, 5000), "PHOTO_INVALID_DIMENSIONS"),
        (png(2001, 100), "PHOTO_INVALID_DIMENSIONS"),
        (png(0, 5), "PHOTO_INVALID_DIMENSIONS"),
        (b"no picture", "IMAGE_PROCESS_FAILED"),
        (png(5, 5, padding=10 * 1024 * 1024), "is too big for a photo"),
        (b"", "file must be non-empty"),
    ],
)
async def test_what_is_no_photo_is_refused(bot: Bot, anna: Person, body: bytes, words: str):
    assert words in await refusal(bot, file(body))
    assert anna.messages == []


@pytest.mark.parametrize("body", [png(5000, 5000), png(2000, 100)])
async def test_a_photo_may_be_as_large_as_the_limits(bot: Bot, body: bytes):
    await bot.send_photo(ANNA, file(body))


async def test_a_file_is_sent_again_by_its_id_but_only_as_what_it_is(bot: Bot, ask: Ask):
    sent = await bot.send_photo(ANNA, file(png(9, 9)))
    assert sent.photo is not None
    again = await bot.send_photo(ANNA, sent.photo[-1].file_id)
    assert again.photo is not None
    assert again.photo[-1].file_id == sent.photo[-1].file_id
    answer = await ask("sendDocument", chat_id=ANNA, document=sent.photo[-1].file_id)
    assert "type of file mismatch" in answer["description"]
    assert "wrong file identifier" in await refusal(bot, "nothing")
    assert "failed to get HTTP URL content" in await refusal(bot, "https://a.b/c.png")
    answer = await ask("sendPhoto", chat_id=ANNA, photo="attach://nowhere")
    assert "is not attached" in answer["description"]


async def test_a_file_may_be_uploaded_under_its_own_name(telegram: Playground, http: aiohttp.ClientSession):
    form = aiohttp.FormData({"chat_id": str(ANNA)})
    form.add_field("document", b"hello", filename="a.txt", content_type="text/plain")
    async with http.post(f"/bot{telegram.token}/sendDocument", data=form) as response:
        document = (await response.json())["result"]["document"]
    assert (document["file_name"], document["mime_type"], document["file_size"]) == ("a.txt", "text/plain", 5)


async def test_every_kind_of_media_is_shown_as_what_it_is(bot: Bot, anna: Person):
    thumbnail = file(jpeg(90, 90), "thumb.jpg")
    await bot.send_document(ANNA, file(b"text", "notes.txt"), thumbnail=thumbnail)
    await bot.send_animation(ANNA, file(gif(30, 20), "a.gif"), duration=3)
    await bot.send_voice(ANNA, file(OGG, "a.ogg"), duration=4)
    await bot.send_audio(ANNA, file(b"ID3", "a.mp3"), title="Song")
    await bot.send_video(ANNA, file(b"mp4", "a.mp4"), width=5, height=6)
    document, animation, voice, audio, video = anna.messages
    assert document["document"]["file_name"] == "notes.txt"
    assert [animation["animation"][name] for name in ("width", "height", "duration")] == [30, 20, 3]
    assert animation["document"]["file_id"] == animation["animation"]["file_id"]
    assert voice["voice"]["duration"] == 4
    assert audio["audio"]["title"] == "Song"
    assert (video["video"]["width"], video["video"]["mime_type"]) == (5, "video/mp4")


async def test_a_caption_has_up_to_1024_characters(bot: Bot):
    sent = await bot.send_photo(ANNA, file(png(9, 9)), caption="x" * 1024)
    with pytest.raises(TelegramBadRequest, match="message caption is too long"):
        await bot.edit_message_caption(chat_id=ANNA, message_id=sent.message_id, caption="x" * 1025)
    edited = await bot.edit_message_caption(chat_id=ANNA, message_id=sent.message_id, caption="short")
    assert not isinstance(edited, bool)
    assert edited.caption == "short"


async def test_an_album_arrives_whole(bot: Bot, anna: Person):
    photos = [InputMediaPhoto(media=file(png(9, 9)), caption="first"), InputMediaPhoto(media=file(png(8, 8)))]
    sent = await bot.send_media_group(ANNA, [*photos, InputMediaVideo(media=file(b"mp4", "a.mp4"))])
    assert len({message.media_group_id for message in sent}) == 1
    assert [message.message_id for message in sent] == [message["message_id"] for message in anna.messages]
    assert anna.messages[0]["caption"] == "first"


@pytest.mark.parametrize(
    "media",
    [
        [InputMediaPhoto(media=file(png(9, 9)))],
        [InputMediaPhoto(media=file(png(9, 9)))] * 11,
        [InputMediaPhoto(media=file(png(9, 9))), InputMediaDocument(media=file(b"x", "x.txt"))],
        [InputMediaPhoto(media=file(png(9, 9))), InputMediaPhoto(media=file(b"no picture"))],
    ],
)
async def test_an_album_that_cannot_be_is_refused_whole(bot: Bot, anna: Person, media: list[Any]):
    with pytest.raises(TelegramBadRequest):
        await bot.send_media_group(ANNA, media)
    assert anna.messages == []


async def test_a_persons_picture_can_be_downloaded(bot: Bot, anna: Person):
    await anna.send_file(Upload("me.jpg", "image/jpeg", jpeg(30, 40)), caption="look")
    (update,) = await bot.get_updates()
    assert update.message is not None
    assert update.message.photo is not None
    assert update.message.caption == "look"
    path = (await bot.get_file(update.message.photo[-1].file_id)).file_path
    assert path is not None
    assert path.startswith("photos/")
    body = await bot.download_file(path)
    assert body is not None
    assert body.read() == jpeg(30, 40)


async def test_a_persons_other_files_are_documents_or_voice(bot: Bot, anna: Person):
    await anna.send_file(Upload("thin.png", "image/png", png(5000, 10)))
    await anna.send_file(Upload("a.ogg", "audio/ogg", OGG), kind="voice")
    thin, voice = [update.message for update in await bot.get_updates()]
    assert thin is not None
    assert thin.document is not None
    assert voice is not None
    assert voice.voice is not None


async def test_a_file_above_20_mb_cannot_be_downloaded(telegram: Playground, bot: Bot, anna: Person, http):
    sent = await anna.send_file(Upload("big.bin", "", b"x" * (20 * 1024 * 1024 + 1)))
    with pytest.raises(TelegramBadRequest, match="file is too big"):
        await bot.get_file(sent["document"]["file_id"])
    stored = telegram.state.files.get(sent["document"]["file_id"])
    assert stored is not None
    async with http.get(f"/file/bot{telegram.token}/{stored.path}") as response:
        assert response.status == 404


async def test_only_the_bot_downloads_by_path(telegram: Playground, anna: Person, http, ask: Ask):
    sent = await anna.send_file(Upload("a.txt", "text/plain", b"hi"))
    path = (await ask("getFile", file_id=sent["document"]["file_id"]))["result"]["file_path"]
    async with http.get(f"/file/bot1000:wrong/{path}") as response:
        assert response.status == 401
    assert (await ask("getFile", file_id="nothing"))["description"] == (
        "Bad Request: wrong file_id or the file is temporarily unavailable"
    )


async def test_an_uploaded_page_never_runs_in_the_browser(anna: Person, http: aiohttp.ClientSession):
    for kind in ("text/html", "image/svg+xml"):
        sent = await anna.send_file(Upload("x.html", kind, b"<script>"))
        async with http.get(f"/file/{sent['document']['file_id']}") as response:
            assert response.content_type == "application/octet-stream"
            assert response.headers["Content-Disposition"].startswith("attachment")
            assert response.headers["X-Content-Type-Options"] == "nosniff"
