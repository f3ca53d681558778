"""The worker processes of a run, and the load that is killed: what the ledger holds against many hands."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from decimal import Decimal
from typing import Any
from uuid import uuid4

from django.db import connection
from django.db.models import Min
from django.db.models.functions import Now

from accounts.models import User
from billing import ledger
from billing.audit import audit
from billing.models import BalanceOperation, Hold
from config.local import Postgres
from tests.billing import load
from tests.conftest import ROOT
from tests.money import worker
from tests.money.table import Table

TURNS = (1, 2, 5, 20, 100, 500)
WORKERS = 4
BALANCE = Decimal("0.10")
BOUND = -(Decimal("0.25") + worker.OVERRUN)  # the overdraft limit and one step's overrun
PATIENCE_SECONDS = 180
CHARGES_BETWEEN = 60  # acknowledged, between two kills


class Worker:
    """One process; `ask` returns at once and `answer` waits."""

    def __init__(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", worker.START],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def ask(self, **job: Any) -> None:
        assert self.process.stdin
        self.process.stdin.write(json.dumps(job) + "\n")
        self.process.stdin.flush()

    def answer(self) -> Any:
        assert self.process.stdout
        line = self.process.stdout.readline()
        return json.loads(line) if line else None

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


@contextlib.contextmanager
def working(count: int = WORKERS) -> Iterator[list[Worker]]:
    workers = [Worker() for _ in range(count)]
    try:
        for one in workers:
            assert one.answer() == "ready"
        yield workers
    finally:
        for one in workers:
            one.kill()


def person_with(dollars: Decimal) -> int:
    user = User.objects.create(first_name="Anna")
    ledger.credit(user.pk, key=f"pay:{uuid4()}", amount=dollars, kind="top_up")
    return user.pk


def overdrafts(table: Table) -> None:
    """N turns of one person at once, over several processes; then again, and a process dies among them."""
    with working() as workers:
        for turns in TURNS:
            user = person_with(BALANCE)
            for place, one in enumerate(workers):
                keys = [f"turn:spend-{user}:{number}" for number in range(place, turns, WORKERS)]
                one.ask(do="spend", user=user, turns=keys)
            ended = [how for one in workers for how in one.answer()]
            over = ended.count("overdraft")
            worst = _worst(user)
            table.add(f"N = {turns}: turns admitted", over + ended.count("within"))
            table.add(f"N = {turns}: worst balance, $ (bound {BOUND})", worst, fine=worst >= BOUND)
            table.add(f"N = {turns}: overdrafts (at most 1)", over, fine=over <= 1)
    user = person_with(BALANCE)
    with working() as workers:
        for place, one in enumerate(workers):
            one.ask(
                do="spend", user=user, turns=[f"turn:spend-{user}:{n}" for n in range(place, 500, WORKERS)]
            )
        workers[0].kill()
        for one in workers[1:]:
            one.answer()
    worst = _worst(user)
    table.add(f"N = 500 and a process killed: worst balance, $ (bound {BOUND})", worst, fine=worst >= BOUND)


def _worst(user: int) -> Decimal:
    found: Decimal = BalanceOperation.objects.filter(user=user).aggregate(worst=Min("balance_after"))["worst"]
    return found


def throughput(table: Table, seconds: float) -> None:
    """Charges a second, all on one person's row, and on a thousand people's."""
    for count in (1, 1000):
        people = [person_with(Decimal(100)) for _ in range(count)]
        with working() as workers:
            for place, one in enumerate(workers):
                name = f"{count}:{place}"
                one.ask(do="settle", people=people[place::WORKERS] or people, seconds=seconds, name=name)
            done = sum(one.answer() for one in workers)
        table.add(
            f"settle throughput, {count:,} {'person' if count == 1 else 'people'} (a second)", done / seconds
        )


def killed_load(table: Table, server: Postgres, kills: int) -> None:
    """Turns are paid for by processes that are killed, on a PostgreSQL that is killed: every second time the one."""
    acknowledged: set[str] = set()
    for number in range(kills):
        with _load(number, acknowledged) as (process, count):
            _more(acknowledged, count)
            if number % 2:
                process.kill()
            else:
                server.stop(at_once=True)
                server.start()
                connection.close()
                _more(acknowledged, len(acknowledged))
    connection.close()
    charged = list(
        BalanceOperation.objects.filter(key__startswith="turn:load-").values_list("key", flat=True)
    )
    table.add("kills of PostgreSQL and of its clients under load", kills)
    table.add("charges acknowledged under these kills", len(acknowledged))
    table.zero("acknowledged charges lost", len(acknowledged - set(charged)))
    table.zero("charges doubled", len(charged) - len(set(charged)))


@contextlib.contextmanager
def _load(number: int, acknowledged: set[str]) -> Iterator[tuple[subprocess.Popen[str], int]]:
    environment = {
        **os.environ,
        "RUNNING_TURNS_MAX": "100",
        "LOG_LEVEL": "ERROR",
        "LOAD_NAME": f"load-{number}-",
    }
    process = subprocess.Popen(
        [sys.executable, "-c", load.START],
        cwd=ROOT,
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout
    assert process.stdin
    lines = process.stdout
    reader = threading.Thread(
        target=lambda: acknowledged.update(line.strip() for line in lines if line[-1] == "\n")
    )
    reader.start()
    try:
        yield process, len(acknowledged)
        if process.poll() is None:
            process.stdin.close()
        reader.join(PATIENCE_SECONDS)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()


def _more(acknowledged: set[str], count: int) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while len(acknowledged) < count + CHARGES_BETWEEN:
        assert time.monotonic() < deadline, "the load stands still"
        time.sleep(0.02)


def books_agree(table: Table) -> None:
    """What is true of every person once deadlines have passed and the sweeper has been."""
    Hold.objects.filter(state=Hold.State.OPEN).update(expires_at=Now())
    ledger.expire_holds()
    table.zero("leaked holds", Hold.objects.filter(state=Hold.State.OPEN).count())
    table.zero("people whose held sum is not zero", User.objects.exclude(held=0).count())
    table.zero("ledger mismatches", len(audit()))
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT (SELECT COALESCE(SUM(balance), 0) FROM accounts_user)"
            " - (SELECT COALESCE(SUM(amount), 0) FROM billing_balanceoperation)"
        )
        drift = cursor.fetchone()[0]
    table.zero("drift of all balances from all operations, nano-dollars", int(drift.scaleb(9)))
    table.zero("operations that do not follow from the one before", _gaps())
    table.add("people", User.objects.count())
    table.add("operations", BalanceOperation.objects.count())


def _gaps() -> int:
    """Operations whose balance is not that of the one before and their amount."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM (SELECT balance_after - amount - lag(balance_after, 1, 0::numeric)"
            " OVER (PARTITION BY user_id ORDER BY id) AS gap FROM billing_balanceoperation) gaps WHERE gap <> 0"
        )
        return int(cursor.fetchone()[0])
