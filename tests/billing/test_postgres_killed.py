"""PostgreSQL dies under load, again and again: what was acknowledged is there, once."""

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import psycopg
import pytest

from tests.billing.load import START

ROOT = Path(__file__).resolve().parents[2]
KILLS = 10
CHARGES_BETWEEN = 100
PATIENCE_SECONDS = 60


@pytest.mark.soak
@pytest.mark.processes
def test_no_acknowledged_charge_is_lost_or_doubled_when_postgresql_dies(own_postgres, capsys):
    url = own_postgres.place.database_url()
    environment = {**os.environ, "DATABASE_URL": url, "RUNNING_TURNS_MAX": "100", "LOG_LEVEL": "ERROR"}
    environment["DJANGO_SETTINGS_MODULE"] = "config.settings"
    subprocess.run(
        [sys.executable, "manage.py", "migrate"], cwd=ROOT, env=environment, check=True, capture_output=True
    )
    command = [sys.executable, "-c", START]
    acknowledged: list[str] = []
    with subprocess.Popen(
        command, cwd=ROOT, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as load:
        reader = threading.Thread(target=lambda: acknowledged.extend(map(str.strip, load.stdout)))
        reader.start()
        for _ in range(KILLS):
            wait_for_more(acknowledged)
            own_postgres.stop(at_once=True)
            own_postgres.start()
        wait_for_more(acknowledged)
        load.stdin.close()
        reader.join(PATIENCE_SECONDS)
    assert load.returncode == 0
    with psycopg.connect(url) as connection:
        rows = connection.execute("SELECT key FROM billing_balanceoperation WHERE kind = 'usage'").fetchall()
        wrong = connection.execute(
            "SELECT count(*) FROM accounts_user u WHERE held <> 0 OR balance <>"
            " (SELECT sum(amount) FROM billing_balanceoperation o WHERE o.user_id = u.id)"
        ).fetchone()
    charged = [key for (key,) in rows]
    lost, doubled = set(acknowledged) - set(charged), len(charged) - len(set(charged))
    with capsys.disabled():
        print(
            f"\n{KILLS} kills: {len(acknowledged)} charges acknowledged, {len(lost)} lost, {doubled} doubled"
        )
    assert (lost, doubled, wrong) == (set(), 0, (0,))
    assert len(charged) == len(acknowledged)


def wait_for_more(acknowledged: list[str]) -> None:
    enough, deadline = len(acknowledged) + CHARGES_BETWEEN, time.monotonic() + PATIENCE_SECONDS
    while len(acknowledged) < enough:
        assert time.monotonic() < deadline, "the load stands still"
        time.sleep(0.01)
