"""kill -9 at every named point of a turn: nothing is lost, nothing is charged twice."""

import pytest

from tests.faults import books
from tests.faults.conftest import Stage
from tests.faults.points import POINTS
from tests.faults.report import publish
from tests.faults.rounds import Round, Tally

pytestmark = pytest.mark.processes

ROUNDS = 4  # the points that stop the intake take turns: half of it for each of them
SOAK_ROUNDS = 40
FIRST_PERSON = 100_000
INTAKE = [point for point in POINTS if point.blocks_intake]
OTHERS = [point for point in POINTS if not point.blocks_intake]


async def kill_everywhere(
    stage: Stage, capsys: pytest.CaptureFixture[str], rounds: int, *, wait: bool
) -> None:
    tallies = {point: Tally() for point in POINTS}
    bot = await stage.bots.start().started()
    for number in range(rounds):
        points = [*OTHERS, INTAKE[number % len(INTAKE)]]
        now = Round(stage, bot, points, FIRST_PERSON + 100 * number)
        await now.reach()
        killed = await now.kill()
        if not wait:
            await books.let_leases_run_out()
        bot = stage.bots.start()
        seconds = await now.watch(killed)
        await books.at_rest(20)
        await now.count(tallies, seconds)
    leaked, wrong = await books.open_holds_after_the_sweep(), await books.mismatches()
    rows = [tally.row(point.name) for point, tally in tallies.items()]
    title = f"kill -9 at {len(POINTS)} points, {rounds} kills: {leaked} leaked holds, {len(wrong)} mismatches"
    publish(capsys, "kill-points", title, rows)
    for point, tally in tallies.items():
        zeros = (tally.updates_lost, tally.answers_lost, tally.double_charges, tally.charges_for_nothing)
        assert zeros == (0, 0, 0, 0), point.name
        assert tally.answers_twice <= (tally.rounds if point.twice == "answer" else 0), point.name
        assert tally.pictures_twice <= (tally.rounds if point.twice == "picture" else 0), point.name
        assert tally.sentences == 0, point.name  # one kill is no reason to give up
    assert await books.history() == (0, 0)
    assert (leaked, wrong, stage.bots.crashes) == (0, [], [])


async def test_a_kill_at_any_point_of_a_turn_ends_in_the_answer(stage: Stage, capsys):
    await kill_everywhere(stage, capsys, ROUNDS, wait=False)


@pytest.mark.soak
async def test_kills_at_every_point_with_real_waiting(stage: Stage, capsys):
    await kill_everywhere(stage, capsys, SOAK_ROUNDS, wait=True)
