"""Files that are broken, locked, hostile or too large, and a network that fails: a sentence each, the words kept."""

import pytest

from conversations.files import NAME_MAX
from telegram_bot.dispatcher import Roles
from telegram_bot.playground.people import Person
from telegram_bot.playground.server import Playground
from telegram_bot.wording import LABEL_MAX, file_name
from tests.fakes.anthropic import AnthropicStandIn
from tests.flows import books
from tests.input import made
from tests.input.asked import answer, files, looks, upload, words
from tests.waiting import eventually

HOSTILE = [
    "../../etc/passwd",
    "..\\..\\windows\\win.ini",
    "/etc/shadow",
    "a" * 300 + ".txt",
    "photo\u202egpj.exe",
    "line\nbreak\x00.txt",
    "[File f_1111: real.pdf].txt",
    "-rf",
    "CON",
    "😀.htaccess",
    "   ",
]


async def test_files_that_cannot_be_read_get_a_sentence_each_and_no_turn(
    starling: Roles, claude: AnthropicStandIn, anna: Person
):
    rubbish = {
        "is damaged": upload("torn.jpg", made.picture()[:2000], "image/jpeg"),
        "is locked with a password": upload("a.pdf", made.pdf("secret", password="open")),
        "holds more than I can unpack": upload("a.docx", made.packed("word/document.xml", 300_000_000)),
        "has too many pixels": upload("wide.png", made.png_of(50_000, 50_000)),
    }
    for sentence, file in rubbish.items():
        await anna.send_file(file, kind="document")
        reply = await anna.wait_for(lambda message, words=sentence: words in message["text"])
        assert reply["text"].startswith(file.name)
    assert await books.turns() == []
    assert await files() == []
    assert claude.requests == []


async def test_the_words_beside_a_file_that_cannot_be_read_are_answered(
    starling: Roles, claude: AnthropicStandIn, anna: Person
):
    answer(claude)
    await anna.send_file(upload("torn.jpg", made.picture()[:2000]), kind="document", caption="Is it Paris?")
    await anna.wait_for(lambda message: message["text"] == "Seen.")
    assert words(claude) == "[The file torn.jpg could not be read: damaged]\nIs it Paris?"


async def test_a_file_above_telegrams_limit_is_refused_by_its_size_and_named_with_the_limit(
    starling: Roles, claude: AnthropicStandIn, telegram: Playground, anna: Person
):
    await anna.send_file(upload("film.mkv", b"\x1aE\xdf\xa3" + bytes(21 * 1024 * 1024)), kind="document")
    reply = await anna.wait_for(lambda message: "too large" in message["text"])
    assert "film.mkv is too large: I can fetch files of up to 20 MB" in reply["text"]
    assert not [call for call in telegram.calls if call.method == "getFile"]
    silent = telegram.state.files.add("documents", upload("b.bin", bytes(21 * 1024 * 1024)))
    unsized = {"file_id": silent.file_id, "file_unique_id": silent.unique_id, "file_name": "b.bin"}
    await anna.share({"document": unsized})
    await anna.wait_for(lambda message: "b.bin is too large" in message["text"])


async def test_a_bot_api_server_of_ones_own_lifts_the_limit_and_gives_files_on_disk(
    starling: Roles, claude: AnthropicStandIn, telegram: Playground, anna: Person, settings, tmp_path
):
    settings.TELEGRAM_FILES_MAX_MB = 50
    telegram.state.files.local = tmp_path
    answer(claude)
    body = b"words " * 4_000_000
    await anna.send_file(upload("book.txt", body), kind="document")
    await anna.wait_for(lambda message: message["text"] == "Seen.", 30)
    (file,) = await files()
    assert file.size == len(body) > 20 * 1024 * 1024
    assert "more characters of it were left out]" in words(claude)


async def test_a_network_that_fails_twice_is_tried_again_and_one_that_stays_away_gets_a_sentence(
    starling: Roles, claude: AnthropicStandIn, telegram: Playground, anna: Person
):
    photo = upload("p.jpg", made.picture(), "image/jpeg")
    telegram.state.limits.fail("getFile", 502, "Bad Gateway", 2)
    answer(claude)
    await anna.send_file(photo)
    await anna.wait_for(lambda message: message["text"] == "Seen.", 15)
    assert len(looks(claude)) == 1
    await books.all_done()
    telegram.state.limits.fail("getFile", 502, "Bad Gateway", 3)
    answer(claude, "Words only.")
    await anna.send_file(photo, caption="And this?")
    await anna.wait_for(lambda message: "could not get photo.jpg from Telegram" in message["text"], 15)
    await anna.wait_for(lambda message: message["text"] == "Words only.")


async def test_a_files_name_is_a_label_and_never_a_path(
    starling: Roles, claude: AnthropicStandIn, telegram: Playground, anna: Person
):
    for number, name in enumerate(HOSTILE, start=1):
        stored = telegram.state.files.add("documents", upload("x.txt", f"content {number}".encode()))
        document = stored.identity() | {"file_name": name, "mime_type": "text/plain"}
        answer(claude, f"Seen {number}.")
        await anna.share({"document": document})
        await anna.wait_for(lambda message, number=number: message["text"] == f"Seen {number}.")
        await books.all_done(number)
    kept = await files()
    assert len(kept) == len(HOSTILE)
    for file in kept:
        assert file.stored.name.startswith("files/")
        assert ".." not in file.stored.name
        assert len(file.name) <= LABEL_MAX < NAME_MAX
        assert not set(file.name) & set("/\\[]\n\x00\u202e")
        assert file.name.strip()


def test_a_long_name_keeps_its_ending_and_an_empty_one_gets_another():
    assert file_name("a" * 300 + ".tar.gz", "file").endswith("….gz")
    assert file_name("\u202e\u200b", "file") == "file"


async def test_a_file_that_could_not_be_stored_is_brought_again_by_the_next_try(
    starling: Roles,
    claude: AnthropicStandIn,
    anna: Person,
    settings,
    tmp_path,
    caplog: pytest.LogCaptureFixture,
):
    folder = tmp_path / "media"
    folder.write_text("A file stands where the folder belongs: nothing can be stored.")
    settings.MEDIA_ROOT = folder
    answer(claude)
    await anna.send_file(upload("note.txt", b"The old oak"), kind="document", caption="Read it")

    async def failed() -> bool:
        return "burst.failed" in caplog.text

    await eventually(failed, "a burst that failed")
    folder.unlink()
    await anna.wait_for(lambda message: message["text"] == "Seen.")
    assert "The old oak" in words(claude)
    assert len(await files()) == 1
