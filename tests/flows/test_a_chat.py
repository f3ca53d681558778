"""What a person meets: a greeting, an answer that grows, what it costs."""

from decimal import Decimal

from conversations.parts import text_of
from telegram_bot.dispatcher import Roles
from telegram_bot.playground.people import Person
from tests.fakes.anthropic import AnthropicStandIn
from tests.fakes.anthropic_script import Hold, Thought, Use, Words
from tests.flows import books
from tests.people import ANNA


async def test_a_greeting_names_the_balance(starling: Roles, anna: Person):
    await anna.send("/start")
    reply = await anna.wait_for(lambda message: "Starling" in message["text"])
    assert "$1.00" in reply["text"]


async def test_a_question_is_answered_and_charged_to_the_nano_dollar(
    starling: Roles, claude: AnthropicStandIn, anna: Person
):
    claude.say(Thought("Short."), Words("The sky is **blue**."))
    await anna.send("What colour is the sky?")
    reply = await anna.wait_for(lambda message: "blue" in message["text"])
    assert reply["text"] == "The sky is blue."
    (turn,) = await books.all_done()
    # claude-haiku-5-5: $0.10 in, $0.125 written to the cache, $0.01 read, $0.50 out, a million tokens
    bill = claude.requests[0].bill
    rates = {
        "input_tokens": "0.10",
        "cache_5m": "0.125",
        "cache_read_input_tokens": "0.01",
        "output_tokens": "0.50",
    }
    owed = sum(getattr(bill, name) * Decimal(rate) for name, rate in rates.items()) / 1_000_000
    assert turn.cost == owed
    assert await books.balance_of(ANNA) == Decimal(1) - owed
    assert await books.mismatches() == []


async def test_ask_brings_a_question_in_a_private_chat_too(
    starling: Roles, claude: AnthropicStandIn, anna: Person
):
    claude.say(Words("Blue."))
    await anna.send("/ask What colour is the sky?")
    await anna.wait_for(lambda message: message["text"] == "Blue.")
    await books.all_done()
    (asked,) = await books.messages("user")
    assert text_of(asked.parts) == "What colour is the sky?"
    await anna.send("/ask")
    await anna.wait_for(lambda message: "no command is needed" in message["text"])


async def test_the_answer_grows_in_a_draft_that_can_be_stopped(
    starling: Roles, claude: AnthropicStandIn, anna: Person
):
    hold = Hold()
    claude.say(Words("First words. "), hold, Words("Last words."))
    await anna.send("Tell me something")
    draft = await anna.wait_until(lambda: anna.draft if anna.draft and anna.draft["text"] else None)
    assert draft["text"] == "First words."
    assert draft["can_stop"]
    hold.until.set()
    reply = await anna.wait_for(lambda message: True)
    assert reply["text"] == "First words. Last words."
    assert anna.draft is None


async def test_a_formula_arrives_as_a_picture_between_the_words(
    starling: Roles, claude: AnthropicStandIn, anna: Person
):
    claude.say(Words("Here it is:"), Use("render_latex", {"latex": r"I \propto \lambda^{-4}"}))
    claude.say(Words("That is Rayleigh's law."))
    await anna.send("Explain why the sky is blue, with a formula")
    await anna.wait_for(lambda message: "Rayleigh" in message.get("text", ""))
    assert [("photo" if "photo" in reply else reply["text"]) for reply in anna.replies] == [
        "Here it is:",
        "photo",
        "That is Rayleigh's law.",
    ]
    (turn,) = await books.all_done()
    assert turn.steps == 2
    assert len(await books.charges_of(ANNA)) == 2


async def test_what_was_said_is_stored_as_it_was_said(
    starling: Roles, claude: AnthropicStandIn, anna: Person
):
    claude.say(Thought("Hm."), Words("Yes."))
    await anna.send("Really?")
    await books.all_done()
    (said,) = await books.messages("assistant")
    assert text_of(said.parts) == "Yes."
    assert said.parts[0].luggage["anthropic"]["signature"]


async def test_ten_turns_with_thinking_and_tools_send_the_same_prefix(
    starling: Roles, claude: AnthropicStandIn, anna: Person
):
    for number in range(10):
        claude.say(Thought(f"Thought {number}"), Use("render_latex", {"latex": f"x^{{{number}}}"}))
        claude.say(Thought("Done"), Words(f"Answer {number}"))
        await anna.send(f"Question {number}")
        await anna.wait_for(lambda message, n=number: message.get("text") == f"Answer {n}")
        await books.all_done(number + 1)
    assert len(claude.requests) == 20
    assert {request.status for request in claude.requests} == {200}
    for before, after in zip(claude.requests, claude.requests[1:], strict=False):
        for part in ("system", "tools"):
            assert before.body[part] == after.body[part]
        count = len(before.body["messages"])
        assert after.body["messages"][:count] == before.body["messages"]
        # The raw bytes too: the old messages are found again byte for byte, up to where the new ones begin.
        old = before.raw[before.raw.index(b'"messages":[') : before.raw.index(b'],"model":')]
        assert after.raw[after.raw.index(b'"messages":[') :].startswith(old + b",")
