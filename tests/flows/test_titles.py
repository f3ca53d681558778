"""A conversation gets its name after its first answer, once, and nobody waits for it."""

import asyncio
from decimal import Decimal
from typing import Any

import pytest

from accounts.models import User
from billing import ledger
from billing.models import BalanceOperation
from config.aio import in_db
from conversations import titles
from conversations.models import Thread
from telegram_bot import polling
from telegram_bot.dispatcher import Roles
from telegram_bot.playground.people import Person
from telegram_bot.playground.server import Playground
from tests.fakes.anthropic import AnthropicStandIn
from tests.fakes.anthropic_script import Answer, Block, Fails, Hold, Says, Words
from tests.flows import books
from tests.flows.conftest import running
from tests.people import ANNA
from tests.waiting import eventually


def asks_for_title(body: Block) -> bool:
    return "a title" in str(body.get("system", ""))[:60]


class Naming:
    """A Claude that answers, and names what it is asked to name by the next of `given`."""

    def __init__(self, *given: Answer) -> None:
        self.given = list(given)
        self.asked: list[Block] = []

    def __call__(self, body: Block) -> Answer:
        if not asks_for_title(body):
            return Says((Words("An answer."),))
        self.asked.append(body)
        return self.given.pop(0)


@pytest.fixture(autouse=True)
def _titles(settings: Any) -> None:
    settings.TITLES = True


@in_db
def titles_given() -> list[str]:
    return list(Thread.objects.exclude(title="").order_by("pk").values_list("title", flat=True))


@in_db
def charge() -> BalanceOperation | None:
    return BalanceOperation.objects.filter(key__startswith="thread:").first()


@in_db
def tries() -> int:
    return Thread.objects.get().title_tries


async def turned_down() -> None:
    """Until a title was asked for and not kept."""

    async def look() -> bool:
        return await tries() > 0

    await eventually(look, "a try for a title")


async def talk(person: Person, words: str, count: int = 1) -> None:
    await person.send(words)
    await books.all_done(count)


async def test_the_first_answer_gives_a_thread_its_name_and_the_person_pays_for_it(
    starling: Roles, claude: AnthropicStandIn, anna: Person
):
    claude.script = model = Naming(Says((Words("Why the sky is blue"),)))
    await talk(anna, "Explain why the sky is blue")
    assert await eventually(titles_given, "a title") == ["Why the sky is blue"]
    (asked,) = model.asked
    assert asked["model"] == "claude-haiku-5-5"
    assert "Explain why the sky is blue" in asked["messages"][0]["content"][0]["text"]
    thread = await in_db(Thread.objects.get)()
    paid = await charge()
    assert paid is not None
    assert (paid.key, paid.amount < 0) == (f"thread:{thread.pk}:title", True)
    assert await books.mismatches() == []
    await talk(anna, "And red?", 2)
    assert len(model.asked) == 1
    assert [message["text"] for message in anna.replies] == ["An answer.", "An answer."]


async def test_a_title_keeps_nobody_waiting(starling: Roles, claude: AnthropicStandIn, anna: Person):
    hold = Hold()
    claude.script = Naming(Says((hold, Words("Two questions"))))
    await talk(anna, "One")
    await hold.reached.wait()
    await talk(anna, "Two", 2)
    assert await titles_given() == []
    hold.until.set()
    assert await eventually(titles_given, "a title") == ["Two questions"]


async def test_a_name_that_the_thread_got_meanwhile_stays_and_nothing_is_charged(
    starling: Roles, claude: AnthropicStandIn, anna: Person
):
    hold = Hold()
    claude.script = Naming(Says((hold, Words("A late title"))))
    await talk(anna, "One")
    await hold.reached.wait()
    await in_db(Thread.objects.update)(title="My own")
    hold.until.set()
    await claude.requests[-1].ended.wait()
    await eventually(lambda: _nobody_is_at_it(starling), "the end of the try")
    assert await titles_given() == ["My own"]
    assert await charge() is None


async def _nobody_is_at_it(starling: Roles) -> bool:
    return not starling.names._tasks


async def test_a_russian_conversation_is_named_in_russian(
    starling: Roles, claude: AnthropicStandIn, boris: Person
):
    claude.script = model = Naming(Says((Words("«Почему небо голубое».\n"),)))
    await talk(boris, "Почему небо голубое?")
    assert await eventually(titles_given, "a title") == ["Почему небо голубое"]
    assert "in the language the person writes in" in model.asked[0]["system"]


@pytest.mark.parametrize("refused", [Fails(400), Says((Words("Here is your title:\n\nBlue"),))])
async def test_what_is_no_title_is_not_kept_not_charged_and_asked_for_again_later(
    starling: Roles, claude: AnthropicStandIn, anna: Person, refused: Answer
):
    claude.script = Naming(refused, Says((Words("A blue sky"),)))
    await talk(anna, "Why?")
    await turned_down()
    assert await charge() is None
    await in_db(Thread.objects.update)(title_asked_at=None)  # as if its time had passed

    async def taken_up() -> list[str]:
        await polling._recover(starling)  # nothing yet while the try that failed is still being put away
        return await titles_given()

    assert await eventually(taken_up, "a title") == ["A blue sky"]
    assert await books.mismatches() == []


async def test_who_has_nothing_left_gets_no_title(starling: Roles, claude: AnthropicStandIn, anna: Person):
    claude.script = model = Naming()
    hold = Hold()
    claude.say(Words("An answer"), hold)
    await anna.send("Why?")
    await hold.reached.wait()
    user = await in_db(User.objects.get)(telegram_id=ANNA)
    await in_db(ledger.debit)(user.pk, key="test:spent", amount=Decimal(1), kind="refund", force=True)
    hold.until.set()
    await books.all_done()
    thread = await in_db(Thread.objects.get)()
    assert await titles.name_thread(thread.pk) is None
    assert model.asked == []
    assert await tries() == 0


async def test_a_thread_that_a_crash_left_without_a_name_is_taken_up(
    telegram: Playground, claude: AnthropicStandIn, anna: Person, transactional_db: None, settings: Any
):
    settings.TITLES = False
    claude.script = Naming(Says((Words("Taken up later"),)))
    async with running():
        await talk(anna, "Why?")
    settings.TITLES = True
    async with running():
        assert await eventually(titles_given, "a title") == ["Taken up later"]


async def test_two_processes_ask_once(starling: Roles, claude: AnthropicStandIn, anna: Person, settings: Any):
    settings.TITLES = False
    claude.script = model = Naming(Says((Words("Asked once"),)))
    await talk(anna, "Why?")
    settings.TITLES = True
    thread = await in_db(Thread.objects.get)()
    # The bot itself may be one more of them: it looks at the setting once its answer is told.
    await asyncio.gather(*(titles.name_thread(thread.pk) for _ in range(4)))
    assert await eventually(titles_given, "a title") == ["Asked once"]
    assert len(model.asked) == 1


async def test_the_demo_names_a_thread_by_the_persons_own_words_and_says_whose_title_it_is(
    telegram: Playground, transactional_db: None, settings: Any, anna: Person, boris: Person
):
    settings.DEFAULT_MODEL, settings.DEMO_TOKENS_PER_SECOND = "demo", 1_000_000
    async with running():
        await talk(anna, "Make a table, please")
        await eventually(titles_given, "a title")
        await talk(boris, "Сделай таблицу", 2)

        async def both() -> list[str]:
            given = await titles_given()
            return given if len(given) == 2 else []

        assert await eventually(both, "two titles") == ["Demo: Make a table, please", "Демо: Сделай таблицу"]
