"""in_db() over a restart of PostgreSQL: a connection that died between two calls costs no call."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from config.local import Postgres

ROOT = Path(__file__).resolve().parents[2]
CALLS = 50
ROUNDS = 5
# For each line it reads: many calls at once, then one line with the number that failed.
SCRIPT = f"""
import asyncio, sys
from config.start import set_up
set_up()
from django.db import connection
from config.aio import close_threads, in_db

def ask():
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")

async def main():
    for _line in iter(sys.stdin.readline, ""):
        ends = await asyncio.gather(*[in_db(ask)() for _ in range({CALLS})], return_exceptions=True)
        print(sum(end is not None for end in ends), flush=True)

asyncio.run(main())
close_threads()
"""


@pytest.mark.processes
def test_no_call_fails_after_postgresql_was_restarted(own_postgres: Postgres) -> None:
    environment = {**os.environ, "DATABASE_URL": own_postgres.place.database_url()}
    failed = []
    with subprocess.Popen(
        [sys.executable, "-c", SCRIPT],
        cwd=ROOT,
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as caller:
        assert caller.stdin is not None
        assert caller.stdout is not None
        for _ in range(ROUNDS):
            caller.stdin.write("go\n")
            caller.stdin.flush()
            failed.append(int(caller.stdout.readline()))
            own_postgres.stop(at_once=True)
            own_postgres.start()
        caller.stdin.close()
    assert failed == [0] * ROUNDS
    assert caller.returncode == 0
