"""Recordings a tool listens to: from the question to the words in the answer, its row and its exact charge."""

import asyncio
import io
import wave
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from billing.models import Price
from config.aio import in_db
from conversations.contracts import ToolContext, ToolFailed
from conversations.files import ThreadFiles
from telegram_bot.dispatcher import Roles
from telegram_bot.playground.people import Person
from tests.fakes.anthropic import AnthropicStandIn
from tests.fakes.anthropic_script import Hold, Use, Words
from tests.fakes.openai_voice import OpenAiVoice
from tests.flows import books, shelf
from tests.flows.hands import hands, in_state
from tests.flows.toolbox import as_asked, empty, tool_charges, written
from tests.input.conftest import ears
from tests.people import ANNA
from tools import apart, working
from tools.catalog import offered, tools
from tools.models import LongRun

__all__ = ["ears", "hands"]

SECOND = Decimal("0.27") / 3600  # gpt-transcribe, by the hour


def wav(seconds: float, *, says: int | None = None) -> bytes:
    """Silence of 8,000 bytes a second; its header may say that there are more of them."""
    body = io.BytesIO()
    with wave.open(body, "wb") as sound:
        sound.setparams((1, 1, 8_000, 0, "NONE", ""))
        sound.writeframes(b"\x80" * int(8_000 * seconds))
    whole = bytearray(body.getvalue())
    if says is not None:
        whole[40:44] = (8_000 * says).to_bytes(4, "little")
    return bytes(whole)


@pytest.fixture
async def begun(
    ears: OpenAiVoice, hands: None, starling: Roles, claude: AnthropicStandIn, anna: Person
) -> Person:
    """Anna, in a conversation that has begun, with a worker and somebody who listens."""
    claude.say(Words("Hello, Anna."))
    await anna.send("Hello")
    await books.all_done()
    return anna


def listening(file_id: str, number: int = 1, **arguments: Any) -> Use:
    return Use("transcribe_audio", {"file_id": file_id, **arguments}, id=f"toolu_{number}")


async def test_what_is_said_is_told_to_the_model_and_charged_by_the_begun_second(
    begun: Person, ears: OpenAiVoice, claude: AnthropicStandIn
):
    file_id = await shelf.put(ANNA, "lecture.wav", "audio/wav", wav(6.2))
    ears.heard.append(("Les étourneaux volent.", 6.2))
    told = await as_asked(claude, begun, listening(file_id, language="fr"))
    assert told[0]["content"].startswith(f"What is said in {file_id} (lecture.wav, 0:07)")
    assert told[0]["content"].endswith("Les étourneaux volent.")
    assert (ears.asked, ears.languages) == (["recording.wav"], [["fr"]])
    (call,) = await written()
    assert (call.name, call.status, call.cost) == ("transcribe_audio", "done", 7 * SECOND)
    assert await tool_charges() == [-7 * SECOND]
    assert await books.mismatches() == []


async def test_without_a_count_the_recordings_own_length_is_charged_and_silence_is_told(
    begun: Person, ears: OpenAiVoice, claude: AnthropicStandIn
):
    spoken = await shelf.put(ANNA, "a.wav", "audio/wav", wav(3.5))
    unknown = await shelf.put(ANNA, "a.webm", "video/webm", b"\x1aE\xdf\xa3" + bytes(20_000))
    ears.heard.extend([("", None), ("Words.", None)])
    (silence,) = await as_asked(claude, begun, listening(spoken))
    assert "No words were heard" in silence["content"]
    (words,) = await as_asked(claude, begun, listening(unknown, 2))
    assert words["content"].endswith("Words.")
    assert ears.languages == [[], []]
    # 3.5 s are four begun ones; 20,004 bytes at 4,000 a second are five
    assert await tool_charges() == [-4 * SECOND, -5 * SECOND]


async def test_a_transcriber_that_fails_costs_nothing_and_says_what_to_do(
    begun: Person, ears: OpenAiVoice, claude: AnthropicStandIn
):
    file_id = await shelf.put(ANNA, "a.ogg", "audio/ogg", b"OggS" + bytes(200))
    for number, (status, tries, says) in enumerate(
        ((400, 1, "it is damaged"), (401, 1, "its owner has to look"), (500, 3, "It may work later")), start=1
    ):
        ears.failing.extend([status] * tries)
        (told,) = await as_asked(claude, begun, listening(file_id, number))
        assert told["is_error"]
        assert says in told["content"]
    assert not ears.failing
    assert [(call.status, call.cost) for call in await written(3)] == [("failed", 0)] * 3
    assert await tool_charges() == []


async def test_what_cannot_be_heard_is_refused_before_anybody_is_asked(
    begun: Person, ears: OpenAiVoice, claude: AnthropicStandIn
):
    kinds = [
        ("a.csv", "text/csv", b"a,b\n", "no recording and no video"),
        ("a.mid", "audio/midi", b"MThd", "What can be heard is: audio/flac"),
        ("a.wav", "audio/wav", b"", "has 0 bytes"),
        ("big.wav", "audio/wav", bytes(25 * 1024 * 1024 + 1), "Ask the person for a shorter one"),
        ("day.wav", "audio/wav", wav(0.1, says=24 * 3600), "lasts 1440:00; at most 25:00 are heard at once"),
    ]
    uses = [
        listening(await shelf.put(ANNA, name, mime, content), number)
        for number, (name, mime, content, _) in enumerate(kinds)
    ]
    uses += [listening("f_zzzz", 8), listening("f_zzzz", 9, language="klingon")]
    # Each may cost 11 cents, and one answer 50: four of them at a time.
    told = await as_asked(claude, begun, *uses[:4]) + await as_asked(claude, begun, *uses[4:])
    says = [*(words for *_, words in kinds), "There is no file 'f_zzzz'", "language: "]
    for result, words in zip(told, says, strict=True):
        assert result["is_error"]
        assert words in result["content"]
    assert ears.asked == []
    assert await tool_charges() == []


async def test_stop_ends_the_listening_at_once(begun: Person, ears: OpenAiVoice, claude: AnthropicStandIn):
    file_id = await shelf.put(ANNA, "a.wav", "audio/wav", wav(2))
    ears.stalled = asyncio.Event()
    claude.say(Words("I listen."), listening(file_id))
    await begun.send("Listen")
    await ears.reached.wait()
    await begun.send("/stop")
    turns = await books.all_done(2)
    await in_state(LongRun.State.STOPPED)
    await ears.disconnected.wait()
    assert turns[-1].state == "stopped"
    (call,) = await written()
    assert (call.name, call.status, call.cost) == ("transcribe_audio", "stopped", 0)
    assert await tool_charges() == []
    assert await books.mismatches() == []


async def test_a_transcriber_that_is_too_slow_is_given_up_and_told(
    ears: OpenAiVoice, starling: Roles, claude: AnthropicStandIn, anna: Person
):
    """The worker's own steps, with a limit of a second in place of four minutes."""
    claude.say(Words("Hello."))
    await anna.send("Hello")
    await books.all_done()
    file_id = await shelf.put(ANNA, "a.wav", "audio/wav", wav(2))
    ears.stalled = asyncio.Event()
    claude.say(Words("I listen."), listening(file_id))
    claude.say(Words("Done."))
    await anna.send("Listen")
    run = await in_state(LongRun.State.WAITING)
    assert await in_db(working.claim)(run.pk, "test")
    context = ToolContext(run.user_id, run.thread_id, "en", ThreadFiles(run.thread_id))
    impatient = replace(tools()["transcribe_audio"], seconds_max=2)
    state, output = await working._run(impatient, context, run.arguments)
    await in_db(working.conclude)(run, "test", state, output, seconds=2)
    await books.all_done(2)
    (call,) = await written()
    assert (call.status, call.cost) == ("timed_out", 0)
    assert anna.replies[-1]["text"].endswith("Done.")


async def test_nobody_without_a_balance_or_a_price_is_heard(
    begun: Person, ears: OpenAiVoice, claude: AnthropicStandIn
):
    file_id = await shelf.put(ANNA, "a.wav", "audio/wav", wav(2))
    still = Hold()
    claude.say(Words("One moment."), still, listening(file_id))
    claude.say(Words("Done."))
    await begun.send("Listen")
    await still.reached.wait()
    await empty(ANNA)
    still.until.set()
    await books.all_done(2)
    (call,) = await written()
    assert (call.status, call.cost) == ("refused", 0)
    assert "name /pay" in call.error

    await empty(ANNA, give=Decimal(1))
    await in_db(Price.objects.filter(item="transcription-second").update)(enabled=False)
    (told,) = await as_asked(claude, begun, listening(file_id, 2))
    assert "has no price at the moment" in told["content"]
    assert ears.asked == []
    assert await books.mismatches() == []


def test_where_nobody_listens_no_listening_is_offered(settings: Any):
    settings.DEFAULT_MODEL, settings.OPENAI_API_KEY = "claude-haiku-5-5", ""
    assert "transcribe_audio" not in offered()
    settings.OPENAI_API_KEY = "sk-openai-tests"
    assert "transcribe_audio" in offered()
    settings.OPENAI_COMPATIBLE = True
    assert "transcribe_audio" not in offered()


@pytest.mark.parametrize("content", [b"", b"RIFF", b"OggS" + bytes(300), wav(1)[:30], bytes(1000)])
async def test_a_recording_that_does_not_say_how_long_it_is_ends_nobody(content: bytes):
    with pytest.raises(ToolFailed):
        await apart.read("sounds", content)


async def test_a_recordings_length_is_told_in_begun_seconds():
    assert await apart.read("sounds", wav(2.01)) == "3"
    assert await apart.read("sounds", wav(0.1, says=24 * 3600)) == "86400"
