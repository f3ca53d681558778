"""Flushers that are killed: `python -m tests.conversations.flushers ROUNDS SIDE_BY_SIDE`.

Django is loaded once; every flusher is a fork of its own that flushes until SIGKILL meets it. After the
last round it prints how many died over work not yet let go, and flushes on until it is ended.
"""

import os
import random
import signal
import sys
import time

import django

django.setup()

from conversations import write_behind  # noqa: E402  needs the apps

LIFE_SECONDS = (0.005, 0.08)  # a flusher lives long enough to be met at any point of a batch


def start() -> int:
    child = os.fork()
    if child == 0:
        while True:
            write_behind.flush()
    return child


def main(rounds: int, side_by_side: int) -> None:
    chance = random.Random(7)
    over_work = 0
    for _ in range(rounds):
        children = [start() for _ in range(side_by_side)]
        time.sleep(chance.uniform(*LIFE_SECONDS))
        for child in children:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
        over_work += write_behind.status()["pending"] > 0
    print(f"{rounds * side_by_side} {over_work}", flush=True)
    while True:
        write_behind.flush()
        time.sleep(0.02)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
