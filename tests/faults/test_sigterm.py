"""SIGTERM under running turns: what is nearly done is done, the rest is somebody else's, and nobody is forgotten."""

import asyncio
import signal
import time

import pytest

from telegram_bot.polling import GRACE_SECONDS
from tests.faults import books
from tests.faults.conftest import Stage
from tests.faults.model import answer_to
from tests.faults.points import BY_KEY
from tests.faults.report import publish

pytestmark = pytest.mark.processes

FIRST_PERSON = 300_000
PEOPLE = 20
MIDWAY = BY_KEY["mid-stream"]


async def test_a_bot_told_to_stop_ends_in_time_and_the_next_one_answers_who_is_left(stage: Stage, capsys):
    bot = await stage.bots.start().started()
    people = range(FIRST_PERSON, FIRST_PERSON + PEOPLE)
    nearly_done = people[: PEOPLE // 2]
    stage.model.points[MIDWAY.key] = MIDWAY
    await asyncio.gather(*(stage.person(person).send(f"{MIDWAY.key} {person}") for person in people))
    await asyncio.gather(*(stage.model.holds[person].reached.wait() for person in people))
    bot.send(signal.SIGTERM)
    told = time.monotonic()
    for person in nearly_done:
        stage.model.holds[person].until.set()
    code = await bot.ended(GRACE_SECONDS + 20)
    took = time.monotonic() - told
    answered = [person for person in people if _answers(stage, person)]
    await stage.bots.start().started()
    waits = [
        stage.person(person).wait_for(lambda reply, who=person: answer_to(who) in reply["text"], 60)
        for person in people
    ]
    await asyncio.gather(*waits)
    assert await books.at_rest()
    accounts = await books.accounts_of(list(people))
    row = {
        "running turns": PEOPLE,
        "exit code": code,
        "s to the end": took,
        "answered before it": len(answered),
        "answered by the next": PEOPLE - len(answered),
        "turns lost": sum(account.turns != ["done"] for account in accounts.values()),
        "answers twice": sum(_answers(stage, person) - 1 for person in people),
        "double charges": sum(account.charges - 1 for account in accounts.values()),
    }
    publish(capsys, "sigterm", "SIGTERM under running turns", [row])
    assert code == 0
    assert set(nearly_done) <= set(answered)
    assert (row["turns lost"], row["answers twice"], row["double charges"]) == (0, 0, 0)
    assert await books.mismatches() == []
    assert await books.open_holds_after_the_sweep() == 0
    assert stage.bots.crashes == []


def _answers(stage: Stage, person: int) -> int:
    return sum(answer_to(person) in reply.get("text", "") for reply in stage.person(person).replies)
