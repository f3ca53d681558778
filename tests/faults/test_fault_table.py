"""Flusher, worker, Redis, PostgreSQL and bot killed at random under load: the table of what was lost and doubled."""

import os

import pytest

from config.local import Postgres, Redis
from tests.faults.killing import town
from tests.faults.report import publish

pytestmark = pytest.mark.processes

# Flushers and workers have kills of their own in the suite: test_write_behind_processes.py, test_long_runs.py.
SHORT = ("Redis", "PostgreSQL", "bot")
SOAK_KILLS = int(os.environ.get("FAULT_KILLS", "20"))  # of each; the groups may run side by side
SOAK = [("flusher", "worker"), ("Redis", "PostgreSQL"), ("bot",), ("Redis then PostgreSQL",)]
SEED = 11
PEOPLE = 3


@pytest.mark.parametrize(
    ("names", "kills", "away"),
    [
        pytest.param(SHORT, 1, 0.0, id="once each", marks=pytest.mark.soak),
        *(
            pytest.param(
                names, SOAK_KILLS, 60.0 * ("PostgreSQL" in names), id=names[0], marks=pytest.mark.soak
            )
            for names in SOAK
        ),
    ],
)
async def test_kills_at_random_under_load_lose_nothing_and_double_nothing(
    own_postgres: Postgres,
    own_redis: Redis,
    tmp_path,
    capsys,
    names: tuple[str, ...],
    kills: int,
    away: float,
):
    async with town(own_postgres, own_redis, tmp_path, people=PEOPLE, seed=SEED) as starling:
        for name in names:
            await starling.kill(name, kills)
        drained = await starling.outage(away) if away else ""
        await starling.rest()
    rows, title = starling.table(), "Killed at random under load"
    publish(capsys, f"fault-table-{names[0].lower()}", f"{title}. {drained}", rows, seed=SEED)
    for row in rows:
        zeros = ("unanswered", "lost", "doubled", "tools run again", "double charges", "uncharged")
        assert {name: row[name] for name in zeros} == dict.fromkeys(zeros, 0), row
        assert row["dead-lettered"] == row["bad"], row
        assert row["questions"] > 0, row
    assert starling.wrongly_dead() == set()
    assert starling.mismatches() == []
    broken = ("tool.crashed", "turn.crashed", "answer.lost", "update.failed", "burst.failed")
    assert [line for event in broken for line in starling.bots.lines(event)] == []
