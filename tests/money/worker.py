"""A process that spends and settles on the ledger, one JSON line at a time: it may be killed at any moment.

Run by START. It reads {"do": name, …} and answers with what came of it.
"""

import json
import sys
import time
from collections.abc import Callable, Iterable
from datetime import timedelta
from decimal import Decimal
from queue import Empty, SimpleQueue
from threading import Barrier, Thread
from typing import Any

from django.db import connection

from billing import ledger
from billing.errors import SpendingRefused
from billing.models import Hold

START = "import django; django.setup(); from tests.money import worker; worker.main()"
HANDS = 8  # threads of one worker, each with a connection of its own
MINUTES = timedelta(minutes=5)
ESTIMATE, OVERRUN = Decimal("0.30"), Decimal("0.05")  # of a step; an overrun is what its estimate missed


def spend(user: int, turns: list[str]) -> list[str]:
    """Each turn spends all it is let spend, and in its last step more than it said: how each ended."""
    ended: list[str] = []

    def run(turn: str) -> None:
        try:
            ledger.hold(user, key=turn, estimate=ESTIMATE, expires_in=MINUTES)
        except SpendingRefused as refused:
            ended.append(refused.key)
            return
        for step in range(10):
            left = ledger.extend(turn, needed=ESTIMATE, expires_in=MINUTES)
            if not left:
                break
            more = OVERRUN if left < ESTIMATE else Decimal(0)
            ledger.settle(turn, key=f"{turn}:step:{step}", amount=left + more, details={})
        overdraft = Hold.objects.get(key=turn).overdraft
        ledger.release(turn)
        ended.append("overdraft" if overdraft else "within")

    _by_many_hands(run, turns)
    return ended


def settle(people: list[int], seconds: float, name: str) -> int:
    """Charge as fast as it goes through one hold a person; how many charges in that time. `name` is in the keys."""
    done: list[int] = []
    all_hold = Barrier(HANDS)

    def run(hand: int) -> None:
        mine = people[hand::HANDS] or people
        holds = [f"turn:settle:{person}" for person in mine]
        for person, key in zip(mine, holds, strict=True):
            ledger.hold(person, key=key, estimate=Decimal("0.01"), expires_in=MINUTES)
        all_hold.wait()
        count, until = 0, time.monotonic() + seconds
        while time.monotonic() < until:
            hold = holds[count % len(holds)]
            ledger.settle(hold, key=f"{hold}:{name}:{hand}:{count}", amount=Decimal("0.000001"), details={})
            count += 1
        done.append(count)

    _by_many_hands(run, range(HANDS))
    return sum(done)


def _by_many_hands(work: Callable[[Any], None], items: Iterable[Any]) -> None:
    queue: SimpleQueue[Any] = SimpleQueue()
    for item in items:
        queue.put(item)

    def hand() -> None:
        try:
            while True:
                work(queue.get_nowait())
        except Empty:
            pass
        finally:
            connection.close()

    hands = [Thread(target=hand) for _ in range(HANDS)]
    for thread in hands:
        thread.start()
    for thread in hands:
        thread.join()


def main() -> None:
    jobs = {"spend": spend, "settle": settle}
    print(json.dumps("ready"), flush=True)
    for line in sys.stdin:
        asked = json.loads(line)
        print(json.dumps(jobs[asked.pop("do")](**asked)), flush=True)
