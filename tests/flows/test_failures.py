"""What a person reads when something goes wrong, and what they can do."""

from decimal import Decimal

import pytest

from accounts.models import User
from billing import ledger
from config.aio import in_db
from conversations.models import Turn
from telegram_bot.dispatcher import Roles
from telegram_bot.playground.people import Person
from telegram_bot.playground.server import Playground
from tests.fakes.anthropic import AnthropicStandIn
from tests.fakes.anthropic_script import Cut, ErrorEvent, Words
from tests.flows import books
from tests.people import ANNA


def button(message: dict) -> dict:
    return message["reply_markup"]["inline_keyboard"][0][0]


async def test_a_cut_stream_keeps_what_was_said_and_offers_to_try_again(
    starling: Roles, claude: AnthropicStandIn, anna: Person
):
    claude.say(Words("Half an answer"), Cut())
    claude.say(Words("A whole answer"))
    await anna.send("Go")
    sentence = await anna.wait_for(lambda message: "reply_markup" in message)
    assert anna.replies[0]["text"] == "Half an answer"
    (turn,) = await books.all_done()
    assert turn.state == Turn.State.FAILED
    assert turn.cost > 0
    await anna.press(sentence["message_id"], button(sentence)["callback_data"])
    await anna.wait_for(lambda message: message["text"] == "A whole answer")
    assert [m["role"] for m in claude.requests[-1].body["messages"]] == ["user"]


async def test_an_overloaded_model_is_asked_three_times_and_then_named(
    starling: Roles, claude: AnthropicStandIn, anna: Person
):
    for _ in range(3):
        claude.fail(529, headers={"retry-after": "0"})
    await anna.send("Go")
    sentence = await anna.wait_for(lambda message: True)
    assert "overloaded" in sentence["text"]
    assert len(claude.requests) == 3
    (turn,) = await books.all_done()
    assert (turn.state, turn.cost) == (Turn.State.FAILED, 0)
    assert await books.balance_of(ANNA) == 1


async def test_an_error_behind_http_200_keeps_the_words_before_it(
    starling: Roles, claude: AnthropicStandIn, anna: Person
):
    claude.say(Words("So far"), ErrorEvent())
    await anna.send("Go")
    await anna.wait_for(lambda message: "overloaded" in message["text"])
    assert anna.replies[0]["text"] == "So far"


async def test_a_refusal_is_said_and_does_not_poison_the_thread(
    starling: Roles, claude: AnthropicStandIn, anna: Person
):
    claude.say(Words("I cannot"), stop_reason="refusal")
    await anna.send("Something bad")
    await anna.wait_for(lambda message: "declined" in message["text"])
    await books.all_done()
    claude.say(Words("Gladly"))
    await anna.send("Something good")
    await anna.wait_for(lambda message: message["text"] == "Gladly")
    assert [m["role"] for m in claude.requests[-1].body["messages"]] == ["user"]


async def test_an_empty_balance_gets_a_sentence_and_keeps_the_question(
    starling: Roles, claude: AnthropicStandIn, anna: Person
):
    await anna.send("/start")
    await anna.wait_for(lambda message: "$1.00" in message["text"])
    user = await in_db(User.objects.get)(telegram_id=ANNA)
    await in_db(ledger.debit)(user.pk, key="test:spent", amount=Decimal(1), kind="refund")
    await anna.send("Are you there?")
    sentence = await anna.wait_for(lambda message: "used up" in message["text"])
    ((_, pay),) = sentence["reply_markup"]["inline_keyboard"]
    await anna.press(sentence["message_id"], pay["callback_data"])
    await anna.wait_for(lambda message: "Telegram Stars" in message["text"])
    assert claude.requests == []
    await in_db(ledger.credit)(user.pk, key="test:paid", amount=Decimal(1), kind="top_up")
    claude.say(Words("I am"))
    await anna.press(sentence["message_id"], button(sentence)["callback_data"])
    await anna.wait_for(lambda message: message["text"] == "I am")
    assert claude.requests[0].body["messages"][0]["content"][0]["text"] == "Are you there?"


async def test_a_flood_ban_delays_the_answer_and_nothing_is_sent_inside_it(
    starling: Roles, claude: AnthropicStandIn, anna: Person, telegram: Playground
):
    claude.say(Words("word " * 40, piece=5), delay=0.02)
    await anna.send("Go")
    await anna.wait_until(lambda: anna.draft if anna.draft and anna.draft["text"] else None)
    telegram.state.limits.flood(ANNA, 2)
    reply = await anna.wait_for(lambda message: True)
    assert reply["text"] == ("word " * 40).strip()
    refused = [call for call in telegram.calls if call.status == 429]
    assert len(refused) == 1


async def test_who_blocked_the_bot_is_left_alone(
    starling: Roles, claude: AnthropicStandIn, anna: Person, telegram: Playground
):
    claude.say(Words("word " * 100, piece=5), delay=0.02)
    await anna.send("Go")
    await anna.wait_until(lambda: anna.draft if anna.draft and anna.draft["text"] else None)
    await anna.block()
    (turn,) = await books.all_done()
    assert turn.failure == "unreachable"
    refused = [call for call in telegram.calls if call.status == 403]
    assert len(refused) == 1
    assert await books.mismatches() == []


@pytest.mark.parametrize("data", ["", "retry:", "retry:x", "retry:99999", "buy_stars:-5", "x" * 64])
async def test_a_forged_button_gets_a_word_and_does_nothing(
    starling: Roles, anna: Person, telegram: Playground, data: str
):
    await anna.send("/help")
    reply = await anna.wait_for(lambda message: True)
    await anna.press(reply["message_id"], data)
    answer = await anna.wait_until(lambda: anna.answers[0] if anna.answers else None)
    assert answer["text"]
    assert await books.turns() == []
