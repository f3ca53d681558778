"""In a group an answer grows by edits, rich ones where it needs a rich message, as in a private chat."""

import itertools

from telegram_bot.dispatcher import Roles
from telegram_bot.growing import EDIT_SECONDS
from telegram_bot.playground.calls import Call
from telegram_bot.playground.members import Member
from telegram_bot.playground.server import Playground
from tests.fakes.anthropic import AnthropicStandIn
from tests.fakes.anthropic_script import Hold, Words
from tests.flows import books
from tests.flows.buttons import words_on
from tests.flows.conftest import GROUP
from tests.flows.shown import kinds, words

TABLE = "Here you are:\n\n| Planet | Moons |\n| --- | ---: |\n| Mars | 2 |\n| Venus | 0 |\n\nAnything *else*?"


def changes(telegram: Playground) -> list[Call]:
    """Every call that put the growing message before the group, or changed it."""
    shown = ("sendMessage", "sendRichMessage", "editMessageText")
    return [call for call in telegram.calls if call.chat_id == GROUP and call.method in shown]


async def test_a_growing_answer_becomes_rich_where_it_needs_to_and_stays_one_message(
    starling: Roles, claude: AnthropicStandIn, telegram: Playground, anna_there: Member
):
    first, second = Hold(), Hold()
    head, tail = TABLE.split("| Mars", 1)
    claude.say(Words(head[:14]), first, Words(head[14:]), second, Words("| Mars" + tail))
    await anna_there.send("@starling_bot moons?")
    growing = await anna_there.wait_for(lambda message: "Here you are" in words(message))
    assert not kinds(growing)
    first.until.set()
    table = await anna_there.wait_for(lambda message: "table" in kinds(message))
    assert words_on(table) == ["Stop"]
    second.until.set()
    whole = await anna_there.wait_for(lambda message: words(message).endswith("Anything else?"))
    await books.all_done()
    assert [reply["message_id"] for reply in anna_there.replies] == [growing["message_id"]]
    assert kinds(whole) == ["paragraph", "table", "paragraph"]
    assert words_on(anna_there.replies[0]) == ["Copy as text"]
    assert {call.status for call in telegram.calls} == {200}
    frames = [call.time for call in changes(telegram)[:-1]]
    assert all(later - sooner >= EDIT_SECONDS - 0.1 for sooner, later in itertools.pairwise(frames))


async def test_a_rich_edit_that_telegram_refuses_costs_no_word_and_is_the_last_one(
    starling: Roles, claude: AnthropicStandIn, telegram: Playground, anna_there: Member
):
    hold = Hold()
    claude.say(Words(TABLE), hold, Words(" Bye."))
    telegram.state.limits.fail("editMessageText", 400, "Bad Request: can't parse rich message")
    await anna_there.send("@starling_bot moons?")
    await anna_there.wait_for(lambda message: "Planet │ Moons" in words(message))
    hold.until.set()
    whole = await anna_there.wait_for(lambda message: "Bye." in words(message))
    await books.all_done()
    assert not kinds(whole)
    assert len(anna_there.replies) == 1
    assert [call.status for call in telegram.calls if "rich_message" in call.params] == [400]
