"""Flushers that are killed: `python -m tests.conversations.flushers ROUNDS SIDE_BY_SIDE POINT`.

Django is loaded once; every flusher is a fork of its own that flushes until SIGKILL meets it: `anywhere`,
`before_commit` of a batch, or `after_commit`, when the stream does not know yet. After the last round, and
when at least one died over work not yet let go, it prints how many died and how many rounds ended so, and
flushes on until it is ended.
"""

import os
import random
import signal
import sys
import time

import django

django.setup()

from django.db import connections, transaction  # noqa: E402  needs the settings

from conversations import write_behind  # noqa: E402  needs the apps
from conversations.events import Event  # noqa: E402
from tools.services import write_tool_calls  # noqa: E402

ALARM_SECONDS = 10  # one that never comes to its point dies all the same
LIFE_SECONDS = (0.005, 0.08)  # a flusher lives long enough to be met at any point of a batch


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def die_before_commit(events: list[Event]) -> None:
    write_tool_calls(events)
    die()


def die_after_commit(events: list[Event]) -> None:
    write_tool_calls(events)
    transaction.on_commit(die)


def start(point: str) -> int:
    child = os.fork()
    if child == 0:
        signal.alarm(ALARM_SECONDS)
        if point != "anywhere":
            writer = die_before_commit if point == "before_commit" else die_after_commit
            write_behind.register("tool_call", writer)
        while True:
            write_behind.flush()
            time.sleep(0.003)
    return child


def main(rounds: int, side_by_side: int, point: str) -> None:
    chance = random.Random(7)
    killed = over_work = 0
    while killed < rounds * side_by_side or (rounds and not over_work):
        children = [start(point) for _ in range(side_by_side)]
        if point == "anywhere":
            time.sleep(chance.uniform(*LIFE_SECONDS))
            for child in children:
                os.kill(child, signal.SIGKILL)
        for child in children:
            os.waitpid(child, 0)
            killed += 1
        over_work += write_behind.status()["pending"] > 0
        connections.close_all()  # a connection does not survive being forked
    print(f"{killed} {over_work}", flush=True)
    while True:
        write_behind.flush()
        time.sleep(0.02)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3])
