"""A bot that slept past its lease wakes up beside the one that has taken its turns over."""

import asyncio
import signal
import time

import pytest

from conversations.leases import LEASE
from tests.faults import books
from tests.faults.bots import Bot
from tests.faults.conftest import Stage
from tests.faults.model import FIRST_WORDS, answer_to
from tests.faults.points import BY_KEY
from tests.faults.report import publish
from tests.faults.rounds import Round
from tests.waiting import eventually

pytestmark = pytest.mark.processes

# Where the first bot falls asleep: before a model call, within it, and right before something is sent.
ASLEEP = [
    BY_KEY[key]
    for key in (
        "turn-claimed-unheard",
        "mid-stream",
        "step-kept-unheard",
        "calls-kept-unheard",
        "result-kept-unheard",
        "turn-finished-unheard",
    )
]
FIRST_PERSON = 200_000


async def test_a_bot_that_slept_past_its_lease_says_and_charges_nothing_more(stage: Stage, capsys):
    first = await stage.bots.start().started()
    now = Round(stage, first, ASLEEP, FIRST_PERSON)
    await now.reach()
    first.send(signal.SIGSTOP)
    asleep = time.monotonic()
    await (
        books.let_leases_run_out()
    )  # for the second bot, at its start; the first has to sleep through its own
    second = await stage.bots.start().started()
    for person in now.people.values():
        await stage.person(person).wait_for(lambda reply, who=person: answer_to(who) in reply["text"], 60)
    await books.at_rest()
    await asyncio.sleep(max(0, asleep + LEASE.total_seconds() + 1 - time.monotonic()))
    first.send(signal.SIGCONT)
    for point, person in now.people.items():
        if point.commit:
            stage.wire.release(point.commit[0], person)
        stage.model.holds[person].until.set()
    await _has_noticed(first, len(now.people) - 1)  # one turn had nothing left to do
    await asyncio.sleep(2)  # a fenced bot has had time to say something
    accounts = await books.accounts_of(list(now.people.values()))
    rows = []
    for point, person in now.people.items():
        texts = [reply.get("text", "") for reply in stage.person(person).replies]
        charges = accounts[person].charges
        seen = {"answers": texts.count(answer_to(person)), "first words": texts.count(FIRST_WORDS)}
        pictures = sum("photo" in reply for reply in stage.person(person).replies)
        rows.append({"asleep at": point.name, **seen, "pictures": pictures, "charges": charges})
        assert seen["answers"] == 1, point.name
        assert (seen["first words"], pictures) == ((1, 1) if point.draws else (0, 0)), point.name
        assert charges == (2 if point.draws else 1), point.name
    publish(capsys, "two-bots", "A bot woken behind its lease, beside the one that took over", rows)
    assert await books.mismatches() == []
    assert second.process.poll() is None


async def _has_noticed(bot: Bot, turns: int) -> None:
    async def look() -> bool:
        return len({line["turn"] for line in bot.said("turn.lease_lost")}) >= turns

    await eventually(look, "lost leases noticed", 30)
