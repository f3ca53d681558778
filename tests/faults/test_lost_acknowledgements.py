"""A commit that PostgreSQL carried out and whose answer never came back: done, and never done twice."""

import json
import time

import pytest

from config.aio import in_db
from conversations.models import Message
from conversations.parts import ToolResult
from tests.faults import books
from tests.faults.conftest import Stage
from tests.faults.points import Point
from tests.faults.report import publish
from tests.faults.rounds import Round, Tally
from tests.faults.wire import Moment

pytestmark = pytest.mark.processes

# Recovery looks every 30 s for what has nobody, and this process holds its leases as long as it lives.
WAIT_SECONDS = 60
FIRST_PERSON = 300_000
CUTS = [
    Point(f"{what}{', a tool called' * draws}, connection cut", commit=(what, Moment.CUT), draws=draws)
    for what, draws in (
        ("claimed", False),
        ("said", False),
        ("said", True),
        ("result", True),
        ("sent", True),
        ("finished", False),
    )
]
CUTS.append(Point("stored, connection cut", commit=("stored", Moment.CUT), blocks_intake=True))


@in_db
def results_kept() -> list[str]:
    """The call of every stored tool result."""
    rows = Message.objects.filter(role="user", telegram_id__isnull=True, seq__isnull=False)
    return [part.call_id for row in rows for part in row.parts if isinstance(part, ToolResult)]


async def test_a_commit_whose_answer_got_lost_is_not_made_twice(stage: Stage, capsys):
    bot = await stage.bots.start().started()
    now = Round(stage, bot, CUTS, FIRST_PERSON)
    await now.reach()
    began = time.monotonic()
    await books.let_leases_run_out()
    seconds = await now.watch(began)
    await books.at_rest(WAIT_SECONDS)
    tallies = {point: Tally() for point in CUTS}
    await now.count(tallies, seconds)
    rows = [tally.row(point.name) for point, tally in tallies.items()]
    publish(capsys, "lost-acknowledgements", "A COMMIT done, its answer lost, the bot lives on", rows)
    kept = await results_kept()
    assert len(kept) == len(set(kept)) == sum(point.draws for point in CUTS)
    for point, tally in tallies.items():
        lost = (tally.updates_lost, tally.answers_lost, tally.sentences)
        twice = (tally.answers_twice, tally.pictures_twice, tally.double_charges, tally.charges_for_nothing)
        assert (lost, twice) == ((0, 0, 0), (0, 0, 0, 0)), point.name
    assert await books.mismatches() == []
    assert await books.open_holds_after_the_sweep() == 0
    assert bot.process.poll() is None, json.dumps(bot.log[-5:])
