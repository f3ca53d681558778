"""Guest mode: asked where it is no member, the bot answers with one message and calls nothing else."""

import pytest
from django.db.models.functions import Now

from config.aio import in_db
from conversations.models import Chat, Turn
from telegram_bot.dispatcher import Roles
from telegram_bot.playground.members import GroupChat, Member
from telegram_bot.playground.people import Person
from telegram_bot.playground.server import Playground
from tests.fakes.anthropic import AnthropicStandIn
from tests.fakes.anthropic_script import Cut, Hold, Use, Words
from tests.flows import books
from tests.flows.conftest import running
from tests.flows.test_group_privacy import spend_all_of
from tests.people import ANNA, BORIS

ELSEWHERE = -1001000000004
STRANGER = 5006


@pytest.fixture
def club(telegram: Playground, anna: Person, boris: Person) -> GroupChat:
    return telegram.group(ELSEWHERE, "Book club", anna, boris, bot="never")


@pytest.fixture
def anna_there(club: GroupChat) -> Member:
    return club.member(ANNA)


def methods(telegram: Playground) -> set[str]:
    """What was called since the bot had started."""
    return {call.method for call in telegram.calls} - {
        "getMe",
        "getUpdates",
        "deleteWebhook",
        "setMyCommands",
        "deleteMyCommands",
        "getStarTransactions",
    }


async def test_a_stub_at_once_and_then_the_answer_in_its_place(
    starling: Roles, claude: AnthropicStandIn, telegram: Playground, club: GroupChat
):
    hold = Hold()
    claude.say(hold, Words("It is by Bulgakov."))
    boris = club.member(BORIS)
    await boris.send("@starling_bot who wrote it?")
    stub = await boris.wait_for(lambda message: message["text"] == "Думаю…")
    hold.until.set()
    answer = await boris.wait_for(lambda message: message["text"] == "It is by Bulgakov.")
    assert answer["message_id"] == stub["message_id"]
    (turn,) = await books.all_done()
    assert await books.charges_of(BORIS) == [turn.cost]
    assert methods(telegram) == {"answerGuestQuery", "editMessageText"}
    assert claude.requests[0].body["messages"][0]["content"][0]["text"] == "who wrote it?"


async def test_a_stranger_has_the_starting_credit_like_everybody(
    starling: Roles, claude: AnthropicStandIn, telegram: Playground, club: GroupChat
):
    stranger = club.join(telegram.person(STRANGER, first_name="Noor").profile)
    claude.say(Words("Hello Noor."))
    await stranger.send("@starling_bot hello")
    await stranger.wait_for(lambda message: message["text"] == "Hello Noor.")
    (turn,) = await books.all_done()
    assert await books.balance_of(STRANGER) == 1 - turn.cost
    assert await books.mismatches() == []


async def test_a_long_answer_is_cut_to_one_message_and_read_whole_in_private(
    starling: Roles, claude: AnthropicStandIn, telegram: Playground, anna: Person, anna_there: Member
):
    paragraphs = [f"Paragraph {number}. " + "word " * 60 for number in range(30)]
    claude.say(Words("\n\n".join(paragraphs)))
    await anna_there.send("@starling_bot tell me everything")
    cut = await anna_there.wait_for(lambda message: "reply_markup" in message)
    await books.all_done()
    assert cut["text"].startswith("Paragraph 0.")
    assert "Paragraph 29" not in cut["text"]
    assert methods(telegram) == {"answerGuestQuery", "editMessageText"}
    link = cut["reply_markup"]["inline_keyboard"][0][0]["url"]
    await anna.send(f"/start {link.rpartition('=')[2]}")
    await anna.wait_for(lambda message: "whole answer" in message["text"])
    read = "".join(reply["text"] for reply in anna.replies)
    assert all(f"Paragraph {number}." in read for number in range(30))
    claude.say(Words("Gladly."))
    await anna.send("Go on")
    await anna.wait_for(lambda message: message["text"] == "Gladly.")
    assert len(claude.requests[-1].body["messages"]) == 3


async def test_nobody_else_reads_the_rest(
    starling: Roles, claude: AnthropicStandIn, anna_there: Member, boris: Person
):
    claude.say(Words("For Anna."))
    await anna_there.send("@starling_bot a secret")
    await anna_there.wait_for(lambda message: message["text"] == "For Anna.")
    (turn,) = await books.all_done()
    await boris.send(f"/start rest_{turn.pk}")
    await boris.wait_for(lambda message: "Starling" in message["text"])
    assert "For Anna" not in str(boris.messages)


async def test_a_picture_waits_in_private(
    starling: Roles, claude: AnthropicStandIn, telegram: Playground, anna: Person, anna_there: Member
):
    claude.say(Words("Here:"), Use("render_latex", {"latex": "x^2"}))
    claude.say(Words("Done."))
    await anna_there.send("@starling_bot a formula")
    shown = await anna_there.wait_for(lambda message: "reply_markup" in message)
    (turn,) = await books.all_done()
    assert methods(telegram) == {"answerGuestQuery", "editMessageText"}
    assert shown["reply_markup"]["inline_keyboard"][0][0]["url"].endswith(f"rest_{turn.pk}")
    await anna.send(f"/start rest_{turn.pk}")
    await anna.wait_for(lambda message: "whole answer" in message["text"])
    assert ["photo" if "photo" in reply else reply["text"] for reply in anna.replies][:3] == [
        "Here:",
        "photo",
        "Done.",
    ]


async def test_after_a_crash_the_stub_still_becomes_the_answer(
    starling: Roles, claude: AnthropicStandIn, anna_there: Member
):
    claude.say(Words("Half"), Hold())
    claude.say(Words("Whole."))
    await anna_there.send("@starling_bot tell me")
    await anna_there.wait_for(lambda message: message["text"] == "Half")
    await in_db(Turn.objects.update)(lease_owner="gone", lease_until=Now())
    async with running():
        await anna_there.wait_for(lambda message: "Whole." in message["text"])
        await books.all_done()
    assert len(anna_there.replies) == 1


async def test_what_went_wrong_is_tried_again_in_its_place(
    starling: Roles, claude: AnthropicStandIn, anna_there: Member
):
    claude.say(Words("Half"), Cut())
    claude.say(Words("Whole."))
    await anna_there.send("@starling_bot tell me")
    failed = await anna_there.wait_for(lambda message: "reply_markup" in message)
    await books.all_done()
    await anna_there.press(
        failed["message_id"], failed["reply_markup"]["inline_keyboard"][0][0]["callback_data"]
    )
    await anna_there.wait_for(lambda message: message["text"] == "Whole.")
    assert len(anna_there.replies) == 1


async def test_a_used_up_balance_is_not_told_among_strangers(
    starling: Roles, claude: AnthropicStandIn, anna: Person, anna_there: Member
):
    await spend_all_of(anna)
    await anna_there.send("@starling_bot hello")
    told = await anna_there.wait_for(lambda message: "in private" in message["text"])
    assert "balance" not in told["text"]
    await books.all_done()


async def test_the_chat_it_was_called_from_is_not_kept(
    starling: Roles, claude: AnthropicStandIn, anna_there: Member
):
    claude.say(Words("Hi."))
    await anna_there.send("@starling_bot hello")
    await anna_there.wait_for(lambda message: message["text"] == "Hi.")
    await books.all_done()
    assert await in_db(lambda: list(Chat.objects.values_list("telegram_id", flat=True)))() == [ANNA]
