"""A message changed after it was sent: answered anew when it was the last question, else noted for the model."""

from config.aio import in_db
from conversations.parts import text_of
from conversations.turns import claim_next
from telegram_bot.dispatcher import Roles
from telegram_bot.models import Update
from telegram_bot.playground.people import Person
from telegram_bot.playground.server import Playground
from tests.fakes.anthropic import AnthropicStandIn
from tests.fakes.anthropic_script import Hold, Thought, Use, Words
from tests.flows import books
from tests.input import made
from tests.input.asked import answer, looks, upload, words
from tests.waiting import eventually


async def test_the_last_question_changed_is_answered_anew_below_as_if_it_had_always_read_so(
    starling: Roles, claude: AnthropicStandIn, telegram: Playground, anna: Person
):
    claude.say(Thought("Hm."), Words("Zero."))
    await anna.send("First?")
    await anna.wait_for(lambda message: message["text"] == "Zero.")
    await books.all_done()
    claude.say(Thought("Paris it is."), Use("render_latex", {"latex": "x"}))
    claude.say(Thought("Done."), Words("Paris."))
    question = await anna.send("Capital of Farnce?")
    await anna.wait_for(lambda message: message.get("text") == "Paris.")
    await books.all_done(2)
    claude.say(Thought("Rome."), Words("Rome."))
    await anna.edit(question["message_id"], "Capital of Italy?")
    last = await anna.wait_for(lambda message: message.get("text") == "Rome.")
    assert last == anna.replies[-1]
    await books.all_done(3)
    assert {request.status for request in claude.requests} == {200}
    asked = claude.accepted[-1].body["messages"]
    assert [message["role"] for message in asked] == ["user", "assistant", "user"]
    assert asked[-1]["content"] == [{"type": "text", "text": "Capital of Italy?"}]
    assert await books.mismatches() == []


async def test_the_same_edit_delivered_again_and_one_that_changes_no_word_are_answered_once(
    starling: Roles, claude: AnthropicStandIn, telegram: Playground, anna: Person
):
    answer(claude, "One.")
    question = await anna.send("Is it one?")
    await anna.wait_for(lambda message: message["text"] == "One.")
    await books.all_done()
    answer(claude, "Two.")
    edited = await anna.edit(question["message_id"], "Is it two?")
    await anna.wait_for(lambda message: message["text"] == "Two.")
    await books.all_done(2)
    later, earlier = edited["edit_date"] + 5, edited["edit_date"] - 5
    numbers = [
        telegram.state.updates.push_raw({"edited_message": edited}),
        telegram.state.updates.push_raw({"edited_message": edited | {"edit_date": later}}),
        telegram.state.updates.push_raw({"edited_message": edited | {"text": "Older", "edit_date": earlier}}),
    ]
    await eventually(lambda: _handled(numbers), "all three handled")
    assert len(await books.turns()) == 2
    (said,) = await books.messages("user")
    assert text_of(said.parts) == "Is it two?"


async def _handled(numbers: list[int]) -> bool:
    return await in_db(Update.objects.filter(pk__in=numbers, handled_at__isnull=False).count)() == len(
        numbers
    )


async def test_an_older_message_changed_is_noted_with_the_next_question_and_breaks_no_prefix(
    starling: Roles, claude: AnthropicStandIn, anna: Person
):
    claude.say(Thought("One."), Words("One."))
    first = await anna.send("My cat is called Mia")
    await anna.wait_for(lambda message: message["text"] == "One.")
    await books.all_done()
    claude.say(Thought("Two."), Words("Two."))
    await anna.send("How old do cats get?")
    await anna.wait_for(lambda message: message["text"] == "Two.")
    await books.all_done(2)
    await anna.edit(first["message_id"], "My cat is called Misha")
    await eventually(_noted, "the note")
    (turn, _) = await books.turns()
    assert await in_db(claim_next)(turn.thread_id, owner="another", models=starling.desk.models) is None
    claude.say(Thought("Three."), Words("Misha."))
    await anna.send("What is my cat called?")
    await anna.wait_for(lambda message: message["text"] == "Misha.")
    assert len(await books.all_done(3)) == 3
    assert {request.status for request in claude.requests} == {200}
    note = claude.accepted[-1].body["messages"][-1]
    assert note["role"] == "system"
    assert (
        "It read: «My cat is called Mia». It now reads: «My cat is called Misha»."
        in note["content"][0]["text"]
    )


async def _noted() -> bool:
    return len(await books.messages("system")) == 1


async def test_a_question_changed_while_it_is_answered_is_the_next_question(
    starling: Roles, claude: AnthropicStandIn, anna: Person
):
    hold = Hold()
    claude.say(Words("The capital "), hold, Words("is Paris."))
    question = await anna.send("Capital of France?")
    await hold.reached.wait()
    await anna.edit(question["message_id"], "Capital of Spain?")
    answer(claude, "Madrid.")
    await eventually(_waiting, "the edit taken in")
    hold.until.set()
    await anna.wait_for(lambda message: message["text"] == "The capital is Paris.")
    await anna.wait_for(lambda message: message["text"] == "Madrid.")
    assert words(claude) == "[I have edited my message. It now reads:]\nCapital of Spain?"


async def _waiting() -> bool:
    return len(await books.messages("user")) == 2


async def test_a_caption_changed_asks_anew_about_the_same_picture(
    starling: Roles, claude: AnthropicStandIn, anna: Person
):
    picture = made.picture()
    answer(claude, "A circle.")
    photo = await anna.send_file(upload("p.jpg", picture, "image/jpeg"), caption="What shape?")
    await anna.wait_for(lambda message: message["text"] == "A circle.")
    await books.all_done()
    answer(claude, "Orange.")
    await anna.edit(photo["message_id"], "What colour?")
    await anna.wait_for(lambda message: message["text"] == "Orange.")
    assert looks(claude) == [("image/jpeg", picture)]
    assert "What colour?" in words(claude)
    assert "What shape?" not in words(claude)
