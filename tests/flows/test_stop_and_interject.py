"""What a person does while an answer is under way."""

from conversations.models import Turn
from conversations.parts import text_of
from telegram_bot.dispatcher import Roles
from telegram_bot.playground.people import Person
from tests.fakes.anthropic import AnthropicStandIn
from tests.fakes.anthropic_script import Hold, Use, Words
from tests.flows import books
from tests.people import ANNA


async def test_the_stop_button_keeps_and_charges_what_was_said(
    starling: Roles, claude: AnthropicStandIn, anna: Person
):
    hold = Hold()
    claude.say(Words("As far as this"), hold, Words(" and no further"))
    await anna.send("Tell me a long story")
    await anna.wait_until(lambda: anna.draft if anna.draft and anna.draft["text"] else None)
    await anna.stop()
    reply = await anna.wait_for(lambda message: True)
    assert reply["text"] == "As far as this"
    (turn,) = await books.all_done()
    assert turn.state == Turn.State.STOPPED
    (said,) = await books.messages("assistant")
    assert text_of(said.parts) == "As far as this"
    assert said.usage["estimated"]
    assert turn.cost > 0
    assert await books.charges_of(ANNA) == [turn.cost]
    assert await books.mismatches() == []
    await claude.requests[0].disconnected.wait()


async def test_slash_stop_does_not_wait_behind_the_answer(
    starling: Roles, claude: AnthropicStandIn, anna: Person
):
    claude.say(Words("Half an answer"), Hold())
    await anna.send("Go")
    await anna.wait_until(lambda: anna.draft if anna.draft and anna.draft["text"] else None)
    await anna.send("/stop")
    reply = await anna.wait_for(lambda message: True)
    assert reply["text"] == "Half an answer"


async def test_stopped_before_the_first_word_says_so_and_costs_nothing(
    starling: Roles, claude: AnthropicStandIn, anna: Person
):
    hold = Hold()
    claude.say(hold, Words("never"))
    await anna.send("Go")
    await hold.reached.wait()
    await anna.wait_until(lambda: anna.draft)  # "Thinking…", with its Stop button
    await anna.stop()
    reply = await anna.wait_for(lambda message: True)
    assert reply["text"] == "Stopped."
    (turn,) = await books.all_done()
    assert (turn.state, turn.cost) == (Turn.State.STOPPED, 0)


async def test_stop_with_nothing_under_way_gets_a_word(starling: Roles, anna: Person):
    await anna.send("/stop")
    reply = await anna.wait_for(lambda message: True)
    assert "Nothing is being answered" in reply["text"]


async def test_a_conversation_goes_on_after_a_stop(starling: Roles, claude: AnthropicStandIn, anna: Person):
    claude.say(Words("Half"), Hold())
    await anna.send("First")
    await anna.wait_until(lambda: anna.draft if anna.draft and anna.draft["text"] else None)
    await anna.stop()
    await books.all_done()
    claude.say(Words("Whole"))
    await anna.send("Second")
    await anna.wait_for(lambda message: message["text"] == "Whole")
    roles = [message["role"] for message in claude.requests[-1].body["messages"]]
    assert roles == ["user", "assistant", "user"]


async def test_a_message_during_an_answer_starts_the_next_turn(
    starling: Roles, claude: AnthropicStandIn, anna: Person
):
    hold = Hold()
    claude.say(Words("One"), hold)
    claude.say(Words("Two"))
    await anna.send("First")
    await hold.reached.wait()
    await anna.send("Second")
    hold.until.set()
    await anna.wait_for(lambda message: message["text"] == "Two")
    first, second = await books.all_done(2)
    assert (first.state, second.state) == (Turn.State.DONE, Turn.State.DONE)
    said = [(m["role"], m["content"][0]["text"]) for m in claude.requests[1].body["messages"]]
    assert said == [("user", "First"), ("assistant", "One"), ("user", "Second")]


async def test_a_message_between_tool_calls_is_taken_in_by_the_next_step(
    starling: Roles, claude: AnthropicStandIn, anna: Person
):
    hold = Hold()
    claude.say(hold, Use("render_latex", {"latex": "x"}))
    claude.say(Words("Both answered"))
    await anna.send("First")
    await hold.reached.wait()
    await anna.send("And this too")
    await books.eventually(lambda: waiting(2), "both messages stored")
    hold.until.set()
    await anna.wait_for(lambda message: message.get("text") == "Both answered")
    await books.all_done()
    assert len(await books.turns()) == 1
    last = claude.requests[1].body["messages"][-1]["content"]
    assert [block["type"] for block in last] == ["tool_result", "text"]
    assert last[1]["text"] == "And this too"


async def waiting(count: int) -> bool:
    return len(await books.messages("user")) >= count


async def test_new_stops_the_answer_and_starts_afresh(
    starling: Roles, claude: AnthropicStandIn, anna: Person
):
    claude.say(Words("Half"), Hold())
    await anna.send("First")
    await anna.wait_until(lambda: anna.draft if anna.draft and anna.draft["text"] else None)
    await anna.send("/new")
    await anna.wait_for(lambda message: "fresh conversation" in message["text"])
    claude.say(Words("Clean"))
    await anna.send("Second")
    await anna.wait_for(lambda message: message["text"] == "Clean")
    assert len(claude.requests[-1].body["messages"]) == 1
