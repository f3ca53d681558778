"""The button below a rich answer that gives its text back plain."""

from telegram_bot.dispatcher import Roles
from telegram_bot.playground.people import Person
from telegram_bot.playground.server import Playground
from tests.fakes.anthropic import AnthropicStandIn
from tests.fakes.anthropic_script import Hold, Use, Words
from tests.flows import books
from tests.flows.conftest import running
from tests.flows.shown import button, kinds, words
from tests.flows.wishes import prefer

TABLE = (
    "| Planet | Moons |\n| --- | ---: |\n| Mars | 2 |\n\n"
    + "The rest of them is *no* less interesting. " * 10
)
PLAIN = TABLE.strip()


async def rich_reply(claude: AnthropicStandIn, person: Person) -> dict:
    claude.say(Words(TABLE))
    await person.send("Moons?")
    reply = await person.wait_for(lambda message: bool(kinds(message)))
    await books.all_done()
    return reply


async def test_copy_as_text_gives_back_the_source_of_the_message(
    starling: Roles, claude: AnthropicStandIn, anna: Person
):
    reply = await rich_reply(claude, anna)
    assert button(reply)["text"] == "Copy as text"
    await anna.press(reply["message_id"], button(reply)["callback_data"])
    copy = await anna.wait_for(lambda message: "text" in message, after=reply["message_id"])
    assert copy["text"] == PLAIN
    assert {entity["type"] for entity in copy.get("entities", [])} <= {"url"}


async def test_the_button_still_works_after_a_restart(
    telegram: Playground, claude: AnthropicStandIn, transactional_db: None, anna: Person
):
    async with running():
        reply = await rich_reply(claude, anna)
    async with running():
        await anna.press(reply["message_id"], button(reply)["callback_data"])
        copy = await anna.wait_for(lambda message: "text" in message, after=reply["message_id"])
    assert copy["text"] == PLAIN


async def test_the_button_of_an_answer_before_a_file_and_of_one_behind_it_are_not_mixed_up(
    starling: Roles, claude: AnthropicStandIn, anna: Person
):
    claude.say(Words(TABLE), Use("render_latex", {"latex": "x^2"}))
    claude.say(Words(TABLE.replace("Mars", "Jupiter")))
    await anna.send("Moons?")
    await anna.wait_for(lambda message: "Jupiter" in words(message))
    await books.all_done()
    before, behind = [reply for reply in anna.replies if kinds(reply)]
    for reply, planet in ((before, "Mars"), (behind, "Jupiter")):
        last = anna.replies[-1]["message_id"]
        await anna.press(reply["message_id"], button(reply)["callback_data"])
        copy = await anna.wait_for(lambda message: "text" in message, after=last)
        assert planet in copy["text"]


async def test_a_copy_longer_than_a_message_comes_in_parts(
    starling: Roles, claude: AnthropicStandIn, anna: Person
):
    await prefer(anna, rendering="rich")
    long = "\n\n".join(f"Paragraph {number} says that the sky is blue." for number in range(300))
    claude.say(Words(long, piece=300))
    await anna.send("Long?")
    reply = await anna.wait_for(lambda message: bool(kinds(message)))
    await books.all_done()
    await anna.press(reply["message_id"], button(reply)["callback_data"])
    await anna.wait_for(lambda message: "Paragraph 299" in message["text"])
    parts = [message["text"] for message in anna.replies if "text" in message]
    assert len(parts) > 2
    assert "".join("".join(parts).split()) == "".join(long.split())


async def test_somebody_elses_press_is_told_so_and_sends_nothing(
    starling: Roles, claude: AnthropicStandIn, anna: Person, boris: Person
):
    reply = await rich_reply(claude, anna)
    await boris.send("/help")
    other = await boris.wait_for(lambda message: True)
    await boris.press(other["message_id"], button(reply)["callback_data"])
    answer = await boris.wait_until(lambda: boris.answers[-1] if boris.answers else None)
    assert answer["show_alert"]
    assert "только тот, кто спрашивал" in answer["text"]
    assert boris.replies == [other]


async def test_a_press_that_names_nothing_is_told_so(starling: Roles, claude: AnthropicStandIn, anna: Person):
    reply = await rich_reply(claude, anna)
    turn = button(reply)["callback_data"].split(":")[1]
    presses = [f"copy:{turn}:7:0", f"copy:{turn}:0:7", f"copy:{turn}:-1:0", "copy:999999:0:0"]
    for data in presses:
        await anna.press(reply["message_id"], data)
    await anna.wait_until(lambda: anna.answers[-1] if len(anna.answers) == len(presses) else None)
    assert all(answer["show_alert"] for answer in anna.answers)
    assert anna.replies == [reply]


async def test_a_copy_of_an_answer_that_was_stopped_is_what_was_said(
    starling: Roles, claude: AnthropicStandIn, anna: Person
):
    claude.say(Words(TABLE), Hold())
    await anna.send("Moons?")
    await anna.wait_until(lambda: anna.draft if anna.draft and "interesting" in words(anna.draft) else None)
    await anna.stop()
    reply = await anna.wait_for(lambda message: bool(kinds(message)))
    await books.all_done()
    await anna.press(reply["message_id"], button(reply)["callback_data"])
    copy = await anna.wait_for(lambda message: "text" in message, after=reply["message_id"])
    assert copy["text"] == PLAIN
