"""/threads: old conversations are found again, gone on with, renamed and put away."""

import pytest

from config.aio import in_db
from conversations.models import Thread
from telegram_bot.dispatcher import Roles
from telegram_bot.handlers.threads import PAGE
from telegram_bot.keyboards import ThreadPress
from telegram_bot.playground.people import Person
from tests.fakes.anthropic import AnthropicStandIn
from tests.fakes.anthropic_script import Words
from tests.flows import books
from tests.people import ANNA, BORIS


async def talk(claude: AnthropicStandIn, anna: Person, *questions: str) -> None:
    """One conversation for each question."""
    for question in questions:
        claude.say(Words(f"About {question}"))
        await anna.send("/new")
        await anna.send(question)
        await anna.wait_for(lambda message, q=question: message["text"] == f"About {q}")
    await books.all_done(len(questions))


def buttons(message: dict) -> dict[str, str]:
    """Words and data of a message's buttons."""
    rows = message["reply_markup"]["inline_keyboard"]
    return {button["text"]: button["callback_data"] for row in rows for button in row}


async def the_list(anna: Person) -> dict:
    await anna.send("/threads")
    asked = anna.messages[-1]["message_id"]
    return await anna.wait_for(lambda message: "Your conversations" in message["text"], after=asked)


async def press(anna: Person, message: dict, words: str) -> dict:
    """Press a button by its words; the message as it stands after that."""
    before = dict(message)
    await anna.press(message["message_id"], buttons(message)[words])

    def changed() -> dict | None:
        now = next(m for m in anna.messages if m["message_id"] == message["message_id"])
        return now if now != before else None

    return await anna.wait_until(changed)


async def test_a_conversation_is_found_again_and_gone_on_with(
    starling: Roles, claude: AnthropicStandIn, anna: Person
):
    await talk(claude, anna, "bears", "waves", "tea")
    listed = await the_list(anna)
    assert list(buttons(listed)) == ["✓ tea", "waves", "bears"]
    one = await press(anna, listed, "bears")
    assert "bears" in one["text"]
    again = await press(anna, one, "Go on with it")
    assert "✓ bears" in buttons(again)
    claude.say(Words("Still bears"))
    await anna.send("What was it about?")
    await anna.wait_for(lambda message: message["text"] == "Still bears")
    said = [m["content"][0]["text"] for m in claude.requests[-1].body["messages"]]
    assert said == ["bears", "About bears", "What was it about?"]


async def test_many_conversations_come_in_pages(starling: Roles, claude: AnthropicStandIn, anna: Person):
    await talk(claude, anna, *(f"topic {number}" for number in range(PAGE + 1)))
    listed = await the_list(anna)
    assert "1/2" in listed["text"]
    second = await press(anna, listed, "›")
    assert list(buttons(second)) == ["topic 0", "‹"]
    await press(anna, second, "‹")


async def test_a_conversation_gets_the_name_that_is_replied(
    starling: Roles, claude: AnthropicStandIn, anna: Person
):
    await talk(claude, anna, "a very long question about bears, honey, and everything that is sweet")
    listed = await the_list(anna)
    (title,) = buttons(listed)
    assert title.endswith("…")
    one = await press(anna, listed, title)
    await anna.press(one["message_id"], buttons(one)["Rename"])
    question = await anna.wait_for(lambda message: "Reply to this message" in message["text"])
    await anna.send("Bears & *honey*", reply_to=question["message_id"])
    renamed = await anna.wait_for(lambda message: "is called" in message["text"])
    assert renamed["text"] == "It is called Bears & *honey* now."
    assert list(buttons(await the_list(anna))) == ["✓ Bears & *honey*"]
    assert len(claude.requests) == 1


async def test_a_deleted_conversation_is_never_said_to_the_model_again(
    starling: Roles, claude: AnthropicStandIn, anna: Person
):
    await talk(claude, anna, "bears", "waves")
    one = await press(anna, await the_list(anna), "✓ waves")
    left = await press(anna, await press(anna, one, "Delete"), "Delete")
    assert list(buttons(left)) == ["bears"]
    claude.say(Words("Afresh"))
    await anna.send("And now?")
    await anna.wait_for(lambda message: message["text"] == "Afresh")
    assert len(claude.requests[-1].body["messages"]) == 1
    assert await in_db(Thread.objects.filter(hidden_at__isnull=False).count)() == 1


@pytest.mark.parametrize("act", ["open", "switch", "rename", "delete", "gone"])
async def test_nobody_reaches_a_conversation_of_somebody_else(
    starling: Roles, claude: AnthropicStandIn, anna: Person, boris: Person, act: str
):
    await talk(claude, anna, "bears")
    theirs = await in_db(Thread.objects.get)()
    await boris.send("/help")
    helped = await boris.wait_for(lambda message: True)
    for person in (ANNA, BORIS):
        forged = ThreadPress(act=act, person=person, thread=theirs.pk).pack()
        await boris.press(helped["message_id"], forged)
    await boris.wait_until(lambda: boris.answers[1] if len(boris.answers) > 1 else None)
    assert all(answer["text"] for answer in boris.answers)
    unchanged = await in_db(Thread.objects.get)()
    assert (unchanged.is_current, unchanged.hidden_at) == (theirs.is_current, None)
    assert "bears" not in str(boris.messages)
