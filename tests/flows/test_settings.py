"""What a person decides for themselves: the model, their instructions, the settings."""

from decimal import Decimal
from typing import Any

import pytest
from aiogram.types import BotCommandScopeAllGroupChats, BotCommandScopeAllPrivateChats

from accounts.models import User
from billing.models import Price
from billing.prices import rates_now
from conversations.models import Thread, Turn
from telegram_bot.dispatcher import Roles
from telegram_bot.handlers.commands import MENU
from telegram_bot.handlers.groups import GROUP_MENU
from telegram_bot.playground.people import Person
from telegram_bot.playground.server import Playground
from tests.fakes.anthropic import AnthropicStandIn
from tests.fakes.anthropic_script import Words
from tests.flows import books
from tests.flows.buttons import changed, data_of, press, words_on
from tests.flows.conftest import MODEL, running
from tests.people import ANNA, BORIS

OPUS = "claude-opus-5-5"


@books.asynchronous
def row_of(telegram_id: int) -> User:
    return User.objects.get(telegram_id=telegram_id)


@books.asynchronous
def disable(model: str) -> None:
    Price.objects.filter(item=model).update(enabled=False)
    rates_now.cache_clear()


async def ask(
    person: Person, claude: AnthropicStandIn, question: str, answer: str = "Well."
) -> dict[str, Any]:
    """Ask and wait for the answer; returns what the model was sent."""
    claude.say(Words(answer))
    last = person.messages[-1]["message_id"] if person.messages else 0
    await person.send(question)
    await person.wait_for(lambda message: answer in message["text"], after=last)
    await books.eventually(nothing_runs, "the turn's end")
    body: dict[str, Any] = claude.requests[-1].body
    return body


@books.asynchronous
def nothing_runs() -> bool:
    return not Turn.objects.filter(state=Turn.State.RUNNING).exists()


def told(body: dict[str, Any]) -> list[str]:
    """The notes that stand in the middle of a conversation."""
    notes = [message for message in body["messages"] if message["role"] == "system"]
    return [
        block["text"] if isinstance(block, dict) else block
        for message in notes
        for block in (message["content"] if isinstance(message["content"], list) else [message["content"]])
    ]


# /model ------------------------------------------------------------------------------------------


async def test_the_models_are_listed_with_their_prices_and_the_default_is_ticked(
    starling: Roles, anna: Person
):
    await anna.send("/model")
    reply = await anna.wait_for(lambda message: "million tokens" in message["text"])
    assert "Claude Opus 5.5: $" in reply["text"]
    assert "✓ Claude Haiku 5.5 (default): $0.10 in, $0.50 out" in reply["text"]
    rows = reply["reply_markup"]["inline_keyboard"]
    assert [len(row) for row in rows][:-1] == [2] * (len(rows) - 1)
    assert [words for words in words_on(reply) if words.startswith("✓")] == ["✓ Claude Haiku 5.5"]


async def test_a_press_moves_the_tick_in_the_same_message_and_the_next_question_goes_there(
    starling: Roles, claude: AnthropicStandIn, anna: Person
):
    await anna.send("/model")
    reply = await anna.wait_for(lambda message: "million tokens" in message["text"])
    await press(anna, reply, "Opus")
    now = await changed(anna, reply)
    assert [words for words in words_on(now) if words.startswith("✓")] == ["✓ Claude Opus 5.5"]
    assert "Claude Opus 5.5 answers you." in now["text"]
    assert (await ask(anna, claude, "Hello"))["model"] == OPUS


async def test_the_model_that_is_ticked_already_can_be_pressed_again(
    starling: Roles, anna: Person, telegram: Playground
):
    await anna.send("/model")
    reply = await anna.wait_for(lambda message: "million tokens" in message["text"])
    await press(anna, reply, "Haiku")
    await press(anna, reply, "Haiku")
    assert len(anna.replies) == 1
    assert (await row_of(ANNA)).model == ""  # whoever takes the default follows it


async def test_a_model_switched_off_falls_back_to_the_default_and_the_person_is_told_once(
    starling: Roles, claude: AnthropicStandIn, anna: Person
):
    await anna.send("/model")
    reply = await anna.wait_for(lambda message: "million tokens" in message["text"])
    await press(anna, reply, "Opus")
    await disable(OPUS)
    body = await ask(anna, claude, "First")
    assert body["model"] == MODEL
    note = await anna.wait_for(lambda message: "no longer offered" in message["text"])
    assert "Claude Opus 5.5" in note["text"]
    assert "Claude Haiku 5.5" in note["text"]
    await ask(anna, claude, "Second", "Quite so.")
    assert len([one for one in anna.replies if "no longer offered" in one["text"]]) == 1
    await anna.send("/model")
    listed = await anna.wait_for(lambda message: "million" in message["text"], after=note["message_id"])
    assert not any("Opus" in words for words in words_on(listed))


async def test_a_button_for_a_model_that_went_meanwhile_says_so(starling: Roles, anna: Person):
    await anna.send("/model")
    reply = await anna.wait_for(lambda message: "million tokens" in message["text"])
    await disable(OPUS)
    await press(anna, reply, "Opus")
    assert "no longer offered" in anna.answers[0]["text"]
    assert (await row_of(ANNA)).model == ""


# /instructions -----------------------------------------------------------------------------------


async def give_instructions(person: Person, text: str) -> dict[str, Any]:
    last = person.messages[-1]["message_id"] if person.messages else 0
    await person.send("/instructions")
    reply = await person.wait_for(lambda message: words_on(message), after=last)
    await press(person, reply, "Write new ones")
    await person.wait_for(lambda message: "next message" in message["text"], after=last)
    await books.eventually(lambda: is_asked(person.id), "the question on record")
    await person.send(text)
    return await person.wait_for(lambda message: "next message on" in message["text"], after=last)


@books.asynchronous
def is_asked(telegram_id: int) -> bool:
    return User.objects.filter(telegram_id=telegram_id, instructions_asked_at__isnull=False).exists()


@books.asynchronous
def system_of_the_current_thread() -> str:
    return Thread.objects.get(is_current=True).system


async def test_the_message_after_edit_becomes_the_instructions_and_is_not_answered(
    starling: Roles, claude: AnthropicStandIn, anna: Person
):
    said = await give_instructions(anna, "Be *short*.\nSpeak like a pirate.")
    assert "Be *short*." in said["text"]
    assert (await row_of(ANNA)).instructions == "Be *short*.\nSpeak like a pirate."
    assert await books.turns() == []
    body = await ask(anna, claude, "Hello")
    assert "Speak like a pirate." in body["system"]
    assert told(body) == []


async def test_instructions_sent_as_an_answer_to_the_question_are_their_own_words_only(
    starling: Roles, claude: AnthropicStandIn, anna: Person
):
    last = anna.messages[-1]["message_id"] + 1 if anna.messages else 0
    await anna.send("/instructions")
    reply = await anna.wait_for(lambda message: True, after=last)
    await press(anna, reply, "Write new ones")
    question = await anna.wait_for(lambda message: "next message" in message["text"], after=last)
    await books.eventually(lambda: is_asked(anna.id), "the question on record")
    await anna.send("Answer briefly", reply_to=question["message_id"])
    await anna.wait_for(lambda message: "next message on" in message["text"], after=last)
    assert (await row_of(ANNA)).instructions == "Answer briefly"


async def test_new_instructions_reach_a_running_conversation_once_and_leave_its_past_as_it_was(
    starling: Roles, claude: AnthropicStandIn, anna: Person
):
    before = await ask(anna, claude, "First", "One.")
    await give_instructions(anna, "Answer in French.")
    after = await ask(anna, claude, "Second", "Deux.")
    assert after["system"] == before["system"]
    assert [message["content"] for message in after["messages"][:1]] != []
    assert "Answer in French." in told(after)[-1]
    again = await ask(anna, claude, "Third", "Trois.")
    assert len(told(again)) == 1
    assert "Answer in French." in await fresh_system(anna, claude)


async def fresh_system(person: Person, claude: AnthropicStandIn) -> str:
    last = person.messages[-1]["message_id"]
    await person.send("/new")
    await person.wait_for(lambda message: "fresh" in message["text"], after=last)
    body = await ask(person, claude, "Anew", "Voilà.")
    system: str = body["system"]
    return system


async def test_cleared_instructions_are_taken_back_in_a_running_conversation(
    starling: Roles, claude: AnthropicStandIn, anna: Person
):
    await give_instructions(anna, "Answer in French.")
    await ask(anna, claude, "First", "Un.")
    last = anna.messages[-1]["message_id"]
    await anna.send("/instructions")
    reply = await anna.wait_for(lambda message: words_on(message), after=last)
    assert "Answer in French." in reply["text"]
    await press(anna, reply, "Clear")
    now = await changed(anna, reply)
    assert words_on(now) == ["Write new ones"]
    assert "taken back" in told(await ask(anna, claude, "Second", "Two."))[-1]


async def test_the_question_for_instructions_survives_a_restart(
    telegram: Playground, claude: AnthropicStandIn, anna: Person, transactional_db: None
):
    async with running():
        await anna.send("/instructions")
        reply = await anna.wait_for(lambda message: words_on(message))
        await press(anna, reply, "Write new ones")
        await books.eventually(lambda: is_asked(ANNA), "the question on record")
    async with running():
        await anna.send("Be brief.")
        await anna.wait_for(lambda message: "Be brief." in message["text"])
    assert (await row_of(ANNA)).instructions == "Be brief."


@pytest.mark.parametrize("way_out", ["/cancel", "/help", "/nonsense"])
async def test_a_command_leaves_the_instructions_as_they_are(
    starling: Roles, claude: AnthropicStandIn, anna: Person, way_out: str
):
    await anna.send("/instructions")
    reply = await anna.wait_for(lambda message: words_on(message))
    await press(anna, reply, "Write new ones")
    await books.eventually(lambda: is_asked(ANNA), "the question on record")
    last = anna.messages[-1]["message_id"]
    await anna.send(way_out)
    await anna.wait_for(lambda message: True, after=last)
    await ask(anna, claude, "What is a quark?")
    assert (await row_of(ANNA)).instructions == ""


async def test_instructions_that_are_too_long_are_asked_for_again(starling: Roles, anna: Person):
    await anna.send("/instructions")
    reply = await anna.wait_for(lambda message: words_on(message))
    await press(anna, reply, "Write new ones")
    await books.eventually(lambda: is_asked(ANNA), "the question on record")
    await anna.send("x" * 3001)
    await anna.wait_for(lambda message: "3,001 characters" in message["text"])
    await anna.send("y" * 3000)
    await anna.wait_for(lambda message: "yyy" in message["text"])
    assert (await row_of(ANNA)).instructions == "y" * 3000


# /settings ---------------------------------------------------------------------------------------


async def test_a_setting_is_changed_in_place_and_said_in_words(starling: Roles, anna: Person):
    await anna.send("/settings")
    reply = await anna.wait_for(lambda message: "Settings" in message["text"])
    assert "Receipts: not shown" in reply["text"]
    await press(anna, reply, "Receipts")
    one = await changed(anna, reply)
    assert words_on(one) == ["✓ not shown", "below each answer", "All settings"]
    await press(anna, one, "below")
    two = await changed(anna, one)
    assert "Receipts: below each answer" in two["text"]
    assert (await row_of(ANNA)).receipts
    await press(anna, two, "All settings")
    assert "Receipts: below each answer" in (await changed(anna, two))["text"]
    assert len(anna.replies) == 1


async def test_the_language_changes_with_the_press(starling: Roles, anna: Person):
    await anna.send("/settings")
    reply = await anna.wait_for(lambda message: "Settings" in message["text"])
    await press(anna, reply, "Language")
    one = await changed(anna, reply)
    await press(anna, one, "Русский")
    two = await changed(anna, one)
    assert "Язык: Русский" in two["text"]
    await anna.send("/new")
    await anna.wait_for(lambda message: "Новый разговор" in message["text"])


@books.asynchronous
def cap(telegram_id: int, amount: str) -> None:
    User.objects.filter(telegram_id=telegram_id).update(daily_cap=Decimal(amount))


async def test_a_persons_own_daily_limit_stops_their_next_question(
    starling: Roles, claude: AnthropicStandIn, anna: Person
):
    await ask(anna, claude, "First", "One.")
    await cap(ANNA, "0.000000001")
    await anna.send("Second")
    refused = await anna.wait_for(lambda message: "limit" in message["text"])
    assert "/settings" in refused["text"]
    assert await books.mismatches() == []


async def test_limits_the_operator_does_not_allow_are_not_offered(starling: Roles, anna: Person, settings):
    settings.DAILY_CAP_USD = Decimal("1.00")
    await anna.send("/settings")
    reply = await anna.wait_for(lambda message: "Settings" in message["text"])
    await press(anna, reply, "Daily limit")
    one = await changed(anna, reply)
    assert words_on(one) == ["✓ no limit of your own", "$0.50", "All settings"]


# Buttons are for their person ----------------------------------------------------------------------


async def test_somebody_elses_button_says_so_and_changes_nothing(
    starling: Roles, anna: Person, boris: Person
):
    await anna.send("/model")
    hers = await anna.wait_for(lambda message: words_on(message))
    await boris.send("/model")
    his = await boris.wait_for(lambda message: words_on(message))
    await boris.press(his["message_id"], data_of(hers, "Opus"))
    answer = await boris.wait_until(lambda: boris.answers[0] if boris.answers else None)
    assert "для другого человека" in answer["text"]
    assert {(await row_of(ANNA)).model, (await row_of(BORIS)).model} == {""}


async def test_a_press_with_a_seal_that_is_not_ours_is_refused(starling: Roles, anna: Person):
    await anna.send("/settings")
    reply = await anna.wait_for(lambda message: words_on(message))
    await press(anna, reply, "Receipts")
    one = await changed(anna, reply)
    true = data_of(one, "below each answer")
    for forged in (true[:-1] + ("A" if true[-1] != "A" else "B"), true.rsplit("~", 2)[0], "set:receipts:on"):
        before = len(anna.answers)
        await anna.press(one["message_id"], forged)
        await anna.wait_until(
            lambda before=before: anna.answers[before] if len(anna.answers) > before else None
        )
        assert "no longer works" in anna.answers[-1]["text"]
    assert not (await row_of(ANNA)).receipts


async def test_a_start_link_with_anything_in_it_is_a_start(starling: Roles, anna: Person):
    for payload in ("buy_stars:-5", "ref_1002", "'; DROP TABLE--", "x" * 64):
        last = anna.messages[-1]["message_id"] if anna.messages else 0
        await anna.send(f"/start {payload}")
        reply = await anna.wait_for(lambda message: "Starling" in message["text"], after=last)
        assert "$1.00" in reply["text"]


async def is_set(starling: Roles) -> bool:
    groups = BotCommandScopeAllGroupChats()
    return bool(await starling.bot.get_my_commands(scope=groups, language_code="ru"))


async def test_the_menu_is_whole_in_private_and_short_in_groups_in_each_language(
    starling: Roles, telegram: Playground
):
    await books.eventually(lambda: is_set(starling), "a menu")
    private, groups = BotCommandScopeAllPrivateChats(), BotCommandScopeAllGroupChats()
    menus = {
        (scope.type, code): await starling.bot.get_my_commands(scope=scope, language_code=code)
        for scope in (private, groups)
        for code in (None, "ru")
    }
    assert [one.command for one in menus[private.type, None]] == [entry.command for entry in MENU]
    assert [one.command for one in menus[groups.type, None]] == [entry.command for entry in GROUP_MENU]
    assert menus[private.type, "ru"][0].description == "что я умею"
    assert menus[groups.type, "ru"][0].description == "спросить меня"


async def test_help_lists_every_command_of_the_registry(starling: Roles, anna: Person):
    await anna.send("/help")
    reply = await anna.wait_for(lambda message: "/export" in message["text"])
    assert all(f"/{entry.command} – " in reply["text"] for entry in MENU)
