"""A draft that Telegram will not take, and one that must not fade."""

import pytest

from telegram_bot.dispatcher import Roles
from telegram_bot.playground.people import Person
from telegram_bot.playground.server import Playground
from tests.fakes.anthropic import AnthropicStandIn
from tests.fakes.anthropic_script import Hold, Words
from tests.flows import books
from tests.people import ANNA


async def test_a_frame_that_telegram_refuses_is_not_sent_again_and_the_next_words_are_shown(
    starling: Roles, claude: AnthropicStandIn, telegram: Playground, anna: Person, boris: Person
):
    hold = Hold()
    claude.say(Words("First words. "), hold, Words("More."))
    telegram.state.limits.fail("sendMessageDraft", 400, "Bad Request: can't parse entities", 99)
    await anna.send("Go")
    await hold.reached.wait()
    # Boris's answer is the clock: in the time of his frames hers would have been tried as often.
    claude.say(Words("word " * 600, piece=5), delay=0.05)
    await boris.send("Go")
    await books.eventually(lambda: is_refused(telegram, boris, 4), "his frames", 30)
    await boris.send("/stop")
    assert refused(telegram, ANNA) <= 2, "Thinking… and the first words, each once"
    telegram.state.limits.fail("sendMessageDraft", 400, times=0)
    hold.until.set()
    await anna.wait_for(lambda message: message["text"] == "First words. More.")


async def is_refused(telegram: Playground, person: Person, times: int) -> bool:
    return refused(telegram, person.id) >= times


def refused(telegram: Playground, chat: int) -> int:
    return sum(call.status == 400 and call.chat_id == chat for call in telegram.calls)


@pytest.mark.soak
async def test_a_draft_is_shown_again_before_it_fades(
    starling: Roles, claude: AnthropicStandIn, anna: Person
):
    hold = Hold()
    claude.say(Words("I think about it."), hold, Words(" Done."))
    await anna.send("Go")
    await anna.wait_until(lambda: anna.draft if frames(anna) == 3 else None, 40)  # at 0, 15 and 30 s
    assert anna.draft is not None
    hold.until.set()
    await anna.wait_for(lambda message: message["text"] == "I think about it. Done.")
    assert anna.draft is None


def frames(person: Person) -> int:
    """How often the same words were shown."""
    return sum(frame["text"] == "I think about it." for frame in person.drafts)
