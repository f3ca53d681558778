"""kill -9 while a conversation is summed up: the old epoch or the new one, charged once, and the answer."""

import json
import re
from collections import Counter, defaultdict
from dataclasses import dataclass

import pytest

from billing.models import BalanceOperation
from config.aio import in_db
from conversations.models import Message, Thread
from conversations.parts import Summary
from tests.fakes.anthropic_script import Answer, Block, Hold, Says, Thought, Words
from tests.faults import books
from tests.faults.conftest import Stage
from tests.faults.report import publish
from tests.faults.wire import Moment

pytestmark = pytest.mark.processes

ROUNDS = 2
SOAK_ROUNDS = 20
PEOPLE = 2  # at each point in each round: four kills of every kind cost two restarts
FIRST_PERSON = 200_000
# Where the bot is killed: what stands still. A new epoch's first message is written by nobody's hand: a "result".
POINTS = {"mid-summary": None, "epoch not begun": Moment.BEFORE, "epoch begun, unheard": Moment.AFTER}
SUMMARY = "They count."


class Counting:
    """Answers "2 200000" with "Answer 2 200000." at length; the first summary of `stopped` people stands still."""

    def __init__(self) -> None:
        self.stopped: set[int] = set()
        self.holds: defaultdict[int, Hold] = defaultdict(Hold)
        self.summaries: Counter[int] = Counter()

    def __call__(self, body: Block) -> Answer:
        number, person = re.findall(r"\b([123]) (2\d{5})\b", json.dumps(body))[-1]
        if not body["system"].startswith("You sum up"):
            words = f"Answer {number} {person}. " + "word " * 1500
            return Says((Thought("Hm."), Words(words, piece=4000)))
        self.summaries[int(person)] += 1
        if int(person) in self.stopped:
            self.stopped.discard(int(person))
            return Says((Words(SUMMARY[:4]), self.holds[int(person)], Words(SUMMARY[4:])))
        return Says((Words(SUMMARY),))


@dataclass(frozen=True)
class Outcome:
    """What a kill left behind, of one person."""

    charges: list[str]  # keys of what was charged for summaries
    epochs: int  # summaries among the messages
    in_force: bool  # the thread begins with the newest of them
    told: int  # lines about a summary
    answers: int  # how often the second answer came


@in_db
def _books_of(person: int) -> tuple[list[str], int, bool]:
    keys = BalanceOperation.objects.filter(user__telegram_id=person, key__contains=":compact:")
    said = Message.objects.filter(chat__telegram_id=person).order_by("seq")
    begun = [m.seq for m in said if any(isinstance(part, Summary) for part in m.parts)]
    thread = Thread.objects.get(chat__telegram_id=person)
    return list(keys.values_list("key", flat=True)), len(begun), begun[-1:] == [thread.epoch_begins]


async def outcome_of(stage: Stage, person: int) -> Outcome:
    texts = [reply.get("text", "") for reply in stage.person(person).replies]
    told = sum("I summed up" in text for text in texts)
    answers = sum(f"Answer 2 {person}." in text for text in texts)
    return Outcome(*await _books_of(person), told, answers)


async def kill_in_summaries(stage: Stage, capsys: pytest.CaptureFixture[str], rounds: int) -> None:
    model = Counting()
    stage.claude.script = model
    stage.bots.environment["COMPACT_AT_TOKENS"] = "2000"
    bot = await stage.bots.start().started()
    outcomes: dict[str, list[Outcome]] = {point: [] for point in POINTS}
    for number in range(rounds):
        first = FIRST_PERSON + 10 * number
        people = dict(enumerate([*POINTS] * PEOPLE, start=first))  # person → their point
        await _bring(stage, model, people)
        bot.kill()
        stage.telegram.drop()
        await stage.wire.cut()
        await books.let_leases_run_out()
        bot = stage.bots.start()
        for person in people:
            await stage.person(person).wait_for(_begins(f"Answer 2 {person}."), 60)
        assert await books.at_rest(30)
        for person, point in people.items():
            outcomes[point].append(await outcome_of(stage, person))
    rows = [_row(point, found) for point, found in outcomes.items()]
    publish(capsys, "kills-in-a-summary", f"kill -9 while a thread is summed up, {rounds} kills", rows)
    for found in outcomes.values():
        for outcome in found:
            assert len(outcome.charges) == 1
            assert (outcome.epochs, outcome.in_force, outcome.told, outcome.answers) == (1, True, 1, 1)
    assert await books.mismatches() == []
    assert stage.bots.crashes == []


async def _bring(stage: Stage, model: Counting, people: dict[int, str]) -> None:
    """Bring everybody to their point in the summary before their second answer."""
    for person in people:
        await stage.person(person).send(f"1 {person}")
    for person in people:
        await stage.person(person).wait_for(_begins(f"Answer 1 {person}."), 30)
    assert await books.at_rest(30)
    for person, point in people.items():
        if moment := POINTS[point]:
            stage.wire.stop("result", person, moment)
        else:
            model.stopped.add(person)
        await stage.person(person).send(f"2 {person}")
    for person, point in people.items():
        if POINTS[point]:
            await stage.wire.reached("result", person)
        else:
            await model.holds[person].reached.wait()


async def test_a_kill_in_a_summary_leaves_one_epoch_one_charge_and_the_answer(stage: Stage, capsys):
    await kill_in_summaries(stage, capsys, ROUNDS)


@pytest.mark.soak
async def test_many_kills_in_summaries(stage: Stage, capsys):
    await kill_in_summaries(stage, capsys, SOAK_ROUNDS)


def _begins(words: str):
    return lambda message: message.get("text", "").startswith(words)


def _row(point: str, found: list[Outcome]) -> dict[str, object]:
    return {
        "point": point,
        "rounds": len(found),
        "charges": sum(len(outcome.charges) for outcome in found),
        "epochs": sum(outcome.epochs for outcome in found),
        "told": sum(outcome.told for outcome in found),
        "answers": sum(outcome.answers for outcome in found),
    }
