"""Voice notes: heard before the turn, shown folded, charged once, whatever is killed meanwhile."""

import asyncio
from decimal import Decimal
from typing import Any

import pytest

from accounts.models import User
from accounts.services import set_preference
from billing.ledger import debit, grant_starting_credit
from billing.models import BalanceOperation, Hold
from billing.price_sync import seed_prices
from config.aio import in_db
from conversations.hearing import NotHeard, Recording
from conversations.listening import transcribe
from conversations.models import Transcript
from conversations.providers.openai_voice import TRANSCRIBER
from telegram_bot.dispatcher import Roles
from telegram_bot.playground.people import Person
from telegram_bot.playground.server import Playground
from tests.fakes.anthropic import AnthropicStandIn
from tests.fakes.openai_voice import OpenAiVoice
from tests.flows import books
from tests.input import made
from tests.input.asked import answer, files, upload, words
from tests.people import ANNA, BORIS

VOICE = upload("v.ogg", made.OGG, "audio/ogg")


@in_db
def heard_charges() -> list[tuple[str, Decimal]]:
    rows = BalanceOperation.objects.filter(key__startswith="transcribe:").order_by("pk")
    return list(rows.values_list("key", "amount"))


async def test_a_voice_note_is_heard_shown_folded_and_charged_by_the_second(
    ears: OpenAiVoice, starling: Roles, claude: AnthropicStandIn, anna: Person
):
    ears.heard.append(("What is the tallest tree?", 6.3))
    answer(claude, "A redwood.")
    note = await anna.send_file(VOICE, kind="voice", duration=6)
    await anna.wait_for(lambda message: message["text"] == "A redwood.")
    shown = anna.replies[0]
    assert shown["text"] == "🎙 What I heard:\nWhat is the tallest tree?"
    (quote,) = shown["entities"]
    assert (quote["type"], quote["offset"], quote["length"]) == ("expandable_blockquote", 17, 25)
    assert "do not transcribe it again]\nWhat is the tallest tree?" in words(claude)
    (file,) = await files()
    assert f"[File {file.short_id}: voice.ogg, audio/ogg," in words(claude)
    await books.all_done()
    # $0.27 an hour; the vendor counted 6.3 seconds, which are seven begun ones
    assert await heard_charges() == [(f"transcribe:{ANNA}:{note['message_id']}", Decimal("-0.000525"))]
    assert await books.mismatches() == []
    assert ears.asked == ["recording.ogg"]


async def test_who_wants_no_transcript_sees_only_the_answer(
    ears: OpenAiVoice, starling: Roles, claude: AnthropicStandIn, anna: Person
):
    await anna.send("/start")
    await anna.wait_for(lambda message: "Starling" in message["text"])
    person = await in_db(User.objects.get)(telegram_id=ANNA)
    await in_db(set_preference)(person.pk, transcripts=False)
    answer(claude)
    await anna.send_file(VOICE, kind="voice", duration=2)
    await anna.wait_for(lambda message: message["text"] == "Seen.")
    assert len(anna.replies) == 2


async def test_an_update_handled_again_after_a_crash_is_neither_heard_nor_charged_nor_shown_again(
    ears: OpenAiVoice,
    starling: Roles,
    claude: AnthropicStandIn,
    anna: Person,
    monkeypatch: pytest.MonkeyPatch,
):
    """The transcript is committed; the burst is not: what a kill between the two leaves behind."""
    person = await in_db(User.objects.create)(telegram_id=ANNA, balance=Decimal(0))
    await in_db(_give)(person.pk)
    next_id = anna._state._next_message_id + 1
    key = f"transcribe:{ANNA}:{next_id}"
    before = await transcribe(person.pk, key, Recording(made.OGG, "audio/ogg", 4), TRANSCRIBER)
    await in_db(Transcript.objects.filter(pk=before.pk).update)(told_at=before.created_at)
    answer(claude)
    await anna.send_file(VOICE, kind="voice", duration=4)
    await anna.wait_for(lambda message: message["text"] == "Seen.")
    assert len(anna.replies) == 1
    assert len(ears.asked) == len(await heard_charges()) == 1
    assert "Words that were said" in words(claude)


async def test_two_processes_that_hear_one_recording_charge_for_it_once(
    ears: OpenAiVoice, transactional_db: None
):
    person = await in_db(User.objects.create)(telegram_id=ANNA)
    await in_db(_give)(person.pk)
    recording = Recording(made.OGG, "audio/ogg", 10)
    both = await asyncio.gather(
        *(transcribe(person.pk, "transcribe:1:1", recording, TRANSCRIBER) for _ in range(2))
    )
    assert both[0].pk == both[1].pk
    assert await heard_charges() == [("transcribe:1:1", Decimal("-0.00075"))]
    assert await books.mismatches() == []
    assert await in_db(Hold.objects.filter(state="open").count)() == 0


@in_db
def _held(user_id: int) -> Decimal:
    return User.objects.get(pk=user_id).held


def _give(user_id: int) -> None:
    seed_prices()
    grant_starting_credit(user_id)


@pytest.mark.parametrize(("status", "key"), [(400, "damaged"), (401, "key"), (500, "busy")])
async def test_a_vendor_that_fails_costs_nothing(
    ears: OpenAiVoice, transactional_db: None, status: int, key: str
):
    person = await in_db(User.objects.create)(telegram_id=ANNA)
    await in_db(_give)(person.pk)
    ears.failing.extend([status] * 3)
    with pytest.raises(NotHeard) as caught:
        await transcribe(person.pk, "transcribe:1:1", Recording(made.OGG, "audio/ogg", 10), TRANSCRIBER)
    assert caught.value.key == key
    assert await heard_charges() == []
    assert await _held(person.pk) == 0


async def test_what_cannot_be_heard_gets_its_own_sentence_and_no_turn(
    ears: OpenAiVoice,
    starling: Roles,
    claude: AnthropicStandIn,
    telegram: Playground,
    anna: Person,
    boris: Person,
):
    silence = telegram.state.files.add("voice", upload("v.ogg", b"", "audio/ogg"))
    await anna.share({"voice": silence.identity() | {"duration": 0, "mime_type": "audio/ogg"}})
    await anna.wait_for(lambda message: "could not hear any words" in message["text"])
    await anna.send_file(VOICE, kind="voice", duration=3600)
    await anna.wait_for(lambda message: "at most 25 minutes" in message["text"])
    ears.heard.append(("", 2.0))
    before = len(anna.replies)
    await anna.send_file(VOICE, kind="voice", duration=2)
    await anna.wait_until(lambda: len(anna.replies) > before or None)
    assert "could not hear any words" in anna.replies[-1]["text"]
    await boris.send("/start")
    await boris.wait_for(lambda message: "Starling" in message["text"])
    await _empty(BORIS)
    await boris.send_file(VOICE, kind="voice", duration=2)
    await boris.wait_for(lambda message: "баланс исчерпан" in message["text"])
    assert claude.requests == []
    assert await books.turns() == []


@in_db
def _empty(telegram_id: int) -> None:
    person = User.objects.get(telegram_id=telegram_id)
    debit(person.pk, key="test:empty", amount=person.balance, kind="gift_out")


async def test_where_nobody_listens_a_sentence_says_so_and_a_song_stays_a_file(
    starling: Roles, claude: AnthropicStandIn, anna: Person
):
    await anna.send_file(VOICE, kind="voice", duration=2)
    await anna.wait_for(lambda message: "cannot listen to voice" in message["text"])
    answer(claude)
    song: Any = upload("song.mp3", b"ID3" + b"\0" * 99, "audio/mpeg")
    await anna.send_file(song, kind="audio", duration=200, title="Song")
    await anna.wait_for(lambda message: message["text"] == "Seen.")
    assert "song.mp3, audio/mpeg" in words(claude)
