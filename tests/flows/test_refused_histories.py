"""A vendor that refuses the history: the person gets the answer, or a sentence they can act on."""

from config.aio import in_db
from conversations.models import Thread
from conversations.parts import Thinking
from telegram_bot.dispatcher import Roles
from telegram_bot.playground.people import Person
from tests.fakes.anthropic import AnthropicStandIn
from tests.fakes.anthropic_script import Redacted, Thought, Words
from tests.flows import books

UNKNOWN = "messages.1.content.0: something nobody has heard of"


async def ask(anna: Person, words: str, answer: str) -> None:
    await anna.send(words)
    await anna.wait_for(lambda message: message.get("text") == answer)


@in_db
def change_the_system_prompt() -> None:
    """What nobody may do to a running thread: every thought in it is now bound to another conversation."""
    Thread.objects.update(system="You are somebody else.")


def thoughts(request: dict) -> list[dict]:
    blocks = [block for message in request["messages"] for block in message["content"]]
    return [block for block in blocks if "thinking" in block["type"]]


async def test_thoughts_that_are_refused_are_dropped_and_the_answer_comes(
    starling: Roles, claude: AnthropicStandIn, anna: Person
):
    claude.say(Thought("Hm."), Redacted(), Words("One"))
    await ask(anna, "First", "One")
    await books.all_done()
    await change_the_system_prompt()
    claude.say(Thought("Well."), Words("Two"))
    await ask(anna, "Second", "Two")
    first, refused, mended = claude.requests
    assert (first.status, refused.status, mended.status) == (200, 400, 200)
    assert "bound to a different conversation" in refused.refusal
    assert (len(thoughts(refused.body)), thoughts(mended.body)) == (2, [])
    assert len(await books.all_done(2)) == 2
    assert await books.mismatches() == []


async def test_a_thread_whose_thoughts_were_refused_is_whole_again(
    starling: Roles, claude: AnthropicStandIn, anna: Person
):
    claude.say(Thought("Hm."), Words("One"))
    await ask(anna, "First", "One")
    await books.all_done()
    await change_the_system_prompt()
    for number, answer in enumerate(("Two", "Three", "Four"), start=2):
        claude.say(Thought(f"Thought {number}."), Words(answer))
        await ask(anna, f"Question {number}", answer)
        await books.all_done(number)
    assert [request.status for request in claude.requests] == [200, 400, 200, 200, 200]
    assert [block["thinking"] for block in thoughts(claude.requests[-1].body)] == ["Thought 2.", "Thought 3."]
    first = (await books.messages("assistant"))[0]
    assert first.parts[0] == Thinking("Hm.")  # kept for the record


async def test_a_refusal_nobody_understands_is_answered_in_plain_words(
    starling: Roles, claude: AnthropicStandIn, anna: Person
):
    claude.say(Thought("Hm."), Words("One"))
    await ask(anna, "First", "One")
    await books.all_done()
    claude.fail(400, message=UNKNOWN)
    claude.say(Words("Two"))
    await ask(anna, "Second", "Two")
    said = [[block["text"] for block in m["content"]] for m in claude.requests[-1].body["messages"]]
    assert said == [["First"], ["One"], ["Second"]]


async def test_a_thread_that_is_refused_twice_gets_a_sentence_and_goes_on_in_a_new_epoch(
    starling: Roles, claude: AnthropicStandIn, anna: Person
):
    claude.say(Thought("Hm."), Words("One"))
    await ask(anna, "First", "One")
    await books.all_done()
    claude.fail(400, message=UNKNOWN)
    claude.fail(400, message=UNKNOWN)
    await anna.send("Second")
    sentence = await anna.wait_for(lambda message: "reply_markup" in message)
    assert "/new" in sentence["text"]
    assert len(claude.requests) == 3
    claude.say(Words("One was asked."))
    claude.say(Words("Two"))
    button = sentence["reply_markup"]["inline_keyboard"][0][0]
    await anna.press(sentence["message_id"], button["callback_data"])
    await anna.wait_for(lambda message: message.get("text") == "Two")
    await books.all_done(3)
    (message,) = claude.requests[-1].body["messages"]
    assert "One was asked." in message["content"][0]["text"]
    assert message["content"][1]["text"] == "Second"
    assert await books.mismatches() == []
