"""A conversation that may last for months: summed up when it has grown long, and nothing of it lost."""

import itertools
import json
from decimal import Decimal

import pytest

from accounts.models import User
from billing.models import BalanceOperation
from config.aio import in_db
from conversations.models import Message, Thread
from conversations.parts import Summary
from telegram_bot.dispatcher import Roles
from telegram_bot.playground.people import Person
from telegram_bot.playground.server import Playground
from tests.fakes.anthropic import AnthropicStandIn, Recorded
from tests.fakes.anthropic_script import Answer, Block, Hold, Says, Thought, Use, Words
from tests.flows import books, shown
from tests.flows.conftest import running
from tests.people import ANNA

SUMMARY = "Anna counts. The files so far matter."


def is_summary(body: Block) -> bool:
    return str(body.get("system", "")).startswith("You sum up a conversation")


def asked(body: Block) -> str:
    """The person's last words."""
    last = [message for message in body["messages"] if message["role"] == "user"][-1]
    return last["content"][-1].get("text", "")


class Counting:
    """A Claude that answers "Question 7" with "Answer 7", at length, and sums up when asked to."""

    def __init__(self, filler: int = 300) -> None:
        self.filler = filler
        self.summaries = 0

    def __call__(self, body: Block) -> Answer:
        if is_summary(body):
            self.summaries += 1
            return Says((Thought("Long."), Words(f"{SUMMARY} Summary {self.summaries}.")))
        number = asked(body).rpartition(" ")[2]
        return Says(
            (Thought(f"It is {number}."), Words(f"Answer {number}. " + "word " * self.filler, piece=400))
        )


@pytest.fixture
def low(settings) -> None:
    settings.COMPACT_AT_TOKENS = 3_000


async def ask(anna: Person, number: int | str) -> None:
    await anna.send(f"Question {number}")
    await anna.wait_for(lambda message: message.get("text", "").startswith(f"Answer {number}."))


async def told(anna: Person) -> list[str]:
    return [m["text"] for m in anna.replies if "summed up" in m.get("text", "")]


@in_db
def compactions() -> list[BalanceOperation]:
    return list(BalanceOperation.objects.filter(key__contains=":compact:").order_by("pk"))


@in_db
def openers() -> list[Message]:
    return [m for m in Message.objects.order_by("pk") if any(isinstance(p, Summary) for p in m.parts)]


def prefix_of(request: Recorded) -> tuple[str, str, list[str]]:
    body = request.body
    return body["system"], json.dumps(body["tools"]), [json.dumps(m) for m in body["messages"]]


async def test_thirty_turns_are_summed_up_as_they_grow_and_nothing_is_lost(
    starling: Roles, claude: AnthropicStandIn, anna: Person, low: None
):
    claude.script = Counting()
    for number in range(1, 31):
        await ask(anna, number)
        await books.all_done(number)
    assert all(request.status == 200 for request in claude.requests)
    summaries = [request for request in claude.requests if is_summary(request.body)]
    charged, begun = await compactions(), await openers()
    assert len(summaries) == len(charged) == len(begun) >= 3
    # The person was told of each, with what it cost; and has every answer.
    assert len(await told(anna)) == len(charged)
    texts = " ".join(message["text"] for message in anna.replies)
    assert all(f"Answer {number}." in texts for number in range(1, 31))
    # Nothing was said to be forgotten: every question stands in exactly one transcript or in the last epoch.
    everything = " ".join(json.dumps(request.body) for request in summaries)
    last = json.dumps(claude.requests[-1].body)
    assert all(f"Question {number}" in everything + last for number in range(1, 31))
    assert await books.mismatches() == []
    assert len(await books.charges_of(ANNA)) == 30 + len(charged)


async def test_inside_an_epoch_every_request_begins_with_the_one_before(
    starling: Roles, claude: AnthropicStandIn, anna: Person, low: None
):
    claude.script = Counting()
    for number in range(1, 16):
        await ask(anna, number)
        await books.all_done(number)
    epochs: list[list[Recorded]] = [[]]
    for request in claude.requests:
        if is_summary(request.body):
            epochs.append([])
        else:
            epochs[-1].append(request)
    assert len(epochs) >= 3
    for epoch in epochs:
        for earlier, later in itertools.pairwise(epoch):
            (system, tools, before), (system_then, tools_then, after) = prefix_of(earlier), prefix_of(later)
            assert (system, tools) == (system_then, tools_then)
            assert after[: len(before)] == before
            assert later.bill is not None
            assert later.bill.cache_read_input_tokens > 0
    assert await in_db(Thread.objects.count)() == 1


async def test_a_new_epoch_knows_the_summary_the_last_exchange_and_the_question(
    starling: Roles, claude: AnthropicStandIn, anna: Person, low: None
):
    claude.script = Counting(filler=3000)
    await ask(anna, 1)
    await books.all_done(1)
    await ask(anna, 2)
    await books.all_done(2)
    _, summing, second = claude.requests
    assert "Question 1" in asked(summing.body)
    assert summing.body.get("cache_control") is None
    (message,) = second.body["messages"]
    opening, question = (block["text"] for block in message["content"])
    assert f"{SUMMARY} Summary 1." in opening
    assert "Person: Question 1" in opening
    assert "You: Answer 1." in opening
    assert question == "Question 2"
    assert "thinking" not in json.dumps(second.body["messages"])
    (charge,) = await compactions()
    assert charge.key.startswith("turn:")
    texts = [message["text"] for message in anna.replies]
    (note,) = await told(anna)
    assert note.startswith("I summed up the earlier conversation to go on: $0.00")
    assert texts[texts.index(note) + 1].startswith("Answer 2.")


async def test_a_new_epoch_takes_new_instructions(
    starling: Roles, claude: AnthropicStandIn, anna: Person, low: None
):
    claude.script = Counting(filler=3000)
    await ask(anna, 1)
    await books.all_done(1)
    await in_db(_instruct)("Speak like a pirate.")
    await ask(anna, 2)
    await books.all_done(2)
    assert "pirate" not in claude.requests[0].body["system"]
    assert "pirate" in claude.requests[-1].body["system"]


def _instruct(words: str) -> None:
    User.objects.update(instructions=words)


async def test_a_long_tool_run_is_summed_up_in_the_middle_and_what_was_written_meanwhile_is_taken_in_whole(
    starling: Roles, claude: AnthropicStandIn, anna: Person, low: None
):
    hold = Hold()
    claude.say(Words("I draw. " + "word " * 3000), Use("render_latex", {"latex": "x"}))
    claude.say(Words("The person wanted x and has it."), hold)
    claude.say(Words("All done."))
    await anna.send("Draw x")
    await hold.reached.wait()
    paste = "line of a paste\n" * 400
    for number in (1, 2, 3):
        await anna.send(f"And {number}")
    await anna.send(paste[:4096])  # as a client cuts it
    await anna.send(paste[4096:])
    await books.eventually(lambda: _written(6), "all messages stored")
    hold.until.set()
    await anna.wait_for(lambda message: message.get("text") == "All done.")
    (turn,) = await books.all_done()
    last = claude.requests[-1].body["messages"]
    words = "\n".join(block["text"] for message in last for block in message["content"])
    assert "The person wanted x and has it." in words
    assert "I draw." in words
    assert words.index("</said>") < words.index("Draw x\n") < words.index("And 1\nAnd 2\nAnd 3\n")
    assert paste.strip() in words
    assert turn.cost == sum(await books.charges_of(ANNA))
    assert await books.mismatches() == []


async def _written(count: int) -> bool:
    return len(await books.messages("user")) >= count


@pytest.mark.parametrize("how", ["refused", "full"])
async def test_a_window_that_is_full_is_no_end_but_a_new_epoch(
    starling: Roles, claude: AnthropicStandIn, anna: Person, how: str
):
    claude.script = Counting()
    await ask(anna, 1)
    await books.all_done(1)
    if how == "refused":
        claude.fail(400, message="prompt is too long: 1000001 tokens > 1000000 maximum")
    else:
        claude.say(Words("Half an answer"), stop_reason="model_context_window_exceeded")
    await anna.send("Question 2")
    await anna.wait_for(lambda message: "Answer 2." in message.get("text", ""))
    await books.all_done(2)
    assert len(await told(anna)) == 1
    assert not any("/new" in message.get("text", "") for message in anna.replies)
    if how == "full":
        assert "Half an answer" in json.dumps(claude.requests[-1].body)
        assert any("Half an answer" in message.get("text", "") for message in anna.replies)
    assert await books.mismatches() == []


async def test_a_question_too_long_for_any_epoch_gets_its_sentence(
    starling: Roles, claude: AnthropicStandIn, anna: Person
):
    claude.script = Counting()
    await ask(anna, 1)
    await books.all_done(1)
    claude.fail(400, message="prompt is too long: 1000001 tokens > 1000000 maximum")
    claude.say(Words("A summary."))
    claude.fail(400, message="prompt is too long: 1000001 tokens > 1000000 maximum")
    await anna.send("Question 2")
    await anna.wait_for(lambda message: "too long for the model" in message.get("text", ""))
    await books.all_done(2)
    assert len(await compactions()) == 1
    assert await books.mismatches() == []


async def test_a_summary_that_fails_does_not_keep_the_answer_back(
    starling: Roles, claude: AnthropicStandIn, anna: Person, low: None
):
    claude.script = Counting(filler=3000)
    await ask(anna, 1)
    await books.all_done(1)
    claude.fail(400, message="the summary is refused")
    await ask(anna, 2)
    await books.all_done(2)
    assert await told(anna) == []
    assert await compactions() == []
    assert len(claude.requests[-1].body["messages"]) == 3
    await ask(anna, 3)  # and the next question sums up
    assert len(await told(anna)) == 1


async def test_stop_during_a_summary_leaves_the_old_epoch_and_charges_what_was_used(
    starling: Roles, claude: AnthropicStandIn, anna: Person, low: None
):
    claude.script = Counting(filler=3000)
    await ask(anna, 1)
    await books.all_done(1)
    hold = Hold()
    claude.say(Words("The beginning of a"), hold)
    await anna.send("Question 2")
    await hold.reached.wait()
    await anna.wait_until(lambda: anna.draft if anna.draft and "Summing up" in anna.draft["text"] else None)
    await anna.stop()
    await anna.wait_for(lambda message: message.get("text") == "Stopped.")
    await books.all_done(2)
    assert await openers() == []
    assert len(await compactions()) == 1
    assert await books.mismatches() == []
    await ask(anna, 3)
    await books.all_done(3)
    assert "Question 2" in json.dumps(claude.requests[-1].body)
    assert await books.mismatches() == []


async def test_stop_behind_a_summary_and_before_a_word_says_so(
    starling: Roles, claude: AnthropicStandIn, anna: Person, low: None
):
    claude.script = Counting(filler=3000)
    await ask(anna, 1)
    await books.all_done(1)
    hold = Hold()
    claude.say(Words(SUMMARY))
    claude.say(hold, Words("never"))
    await anna.send("Question 2")
    await hold.reached.wait()
    await anna.wait_for(lambda message: "summed up" in message.get("text", ""))
    await anna.wait_until(lambda: anna.draft)
    await anna.stop()
    await anna.wait_for(lambda message: message.get("text") == "Stopped.")
    await books.all_done(2)
    assert len(await openers()) == 1
    assert await books.mismatches() == []


async def test_who_cannot_pay_for_a_full_window_reads_what_they_can_do(
    starling: Roles, claude: AnthropicStandIn, anna: Person, settings
):
    claude.script = Counting(filler=8_000)
    await ask(anna, 1)
    await books.all_done(1)
    settings.TURN_CAP_USD = settings.OVERDRAFT_LIMIT_USD = Decimal("0.0005")
    settings.COMPACT_AT_TOKENS = 3_000
    await anna.send("Question 2")
    sentence = await anna.wait_for(lambda message: "reply_markup" in message)
    assert "/pay" in sentence["text"]
    assert "/new" in sentence["text"]
    await books.all_done(2)
    assert await books.mismatches() == []


async def test_the_line_about_a_summary_is_russian_for_who_speaks_russian(
    starling: Roles, claude: AnthropicStandIn, boris: Person, low: None
):
    claude.script = Counting(filler=3000)
    for number in (1, 2):
        await boris.send(f"Question {number}")
        await boris.wait_for(lambda message, n=number: message.get("text", "").startswith(f"Answer {n}."))
        await books.all_done(number)
    assert any("кратко пересказал начало беседы: $0" in m["text"] for m in boris.replies)


async def test_the_demo_sums_up_as_well_as_it_can_and_goes_on(
    telegram: Playground, transactional_db: None, settings, anna: Person
):
    settings.DEFAULT_MODEL, settings.DEMO_TOKENS_PER_SECOND = "demo", 1_000_000
    settings.COMPACT_AT_TOKENS = 1_000
    async with running():
        await anna.send("Give me a long answer")
        await books.all_done(1)
        await anna.send("Make a table")
        await books.all_done(2)
    assert len(await told(anna)) == 1
    (opener,) = await openers()
    assert isinstance(opener.parts[0], Summary)
    assert "The demo model cannot sum up." in opener.parts[0].text
    assert shown.words(anna.replies[-1]).strip()
    assert await books.mismatches() == []
