"""Flusher, worker, Redis, PostgreSQL and bot killed at random under load: the table of what was lost and doubled."""

import pytest

from config.local import Postgres, Redis
from tests.faults.killing import town
from tests.faults.report import publish

pytestmark = pytest.mark.processes

KILLED = ("flusher", "worker", "Redis", "PostgreSQL", "bot")
SEED = 11


@pytest.mark.parametrize(
    ("kills", "people", "away"),
    [(1, 3, 0.0), pytest.param(20, 5, 60.0, marks=pytest.mark.soak)],
    ids=["one kill each", "twenty kills each"],
)
async def test_kills_at_random_under_load_lose_nothing_and_double_nothing(
    own_postgres: Postgres, own_redis: Redis, tmp_path, capsys, kills: int, people: int, away: float
):
    async with town(own_postgres, own_redis, tmp_path, people=people, seed=SEED) as starling:
        for name in KILLED:
            await starling.kill(name, kills)
        drained = await starling.outage(away) if away else 0.0
        await starling.rest()
    rows = starling.table()
    title = f"Killed at random under load; {len(starling.ended_alone)} processes ended by themselves"
    title += f"; after PostgreSQL had been away {away:.0f} s the queue was drained in {drained:.1f} s" * bool(
        away
    )
    publish(capsys, "fault-table", title, rows, seed=SEED)
    print(*starling.ended_alone, sep="\n")
    for row in rows:
        zeros = ("unanswered", "lost", "doubled", "tools run again", "double charges", "uncharged")
        assert {name: row[name] for name in zeros} == dict.fromkeys(zeros, 0), row
        assert row["dead-lettered"] == row["bad"], row
        assert row["questions"] > 0, row
    assert starling.wrongly_dead() == set()
    assert starling.mismatches() == []
    assert starling.bots.crashes == []
