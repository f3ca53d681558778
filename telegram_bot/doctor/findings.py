"""A finding is a mark and a sentence; a check gives some within its seconds, whatever hangs."""

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from django.db import connection

ENDING_SECONDS = 1.0  # for a check that gives up by itself, just about in time


class Mark(StrEnum):
    WELL = "ok"
    LOOK = "note"  # worth knowing, and no reason to act
    BAD = "BAD"


@dataclass(frozen=True, slots=True)
class Finding:
    mark: Mark
    words: str


def well(words: str) -> Finding:
    return Finding(Mark.WELL, words)


def look(words: str) -> Finding:
    return Finding(Mark.LOOK, words)


def bad(words: str) -> Finding:
    return Finding(Mark.BAD, words)


@dataclass(frozen=True, slots=True)
class Check:
    """Something to look at: its name begins the sentence when it does not end in time."""

    name: str
    look: Callable[[], Iterable[Finding]]
    seconds: float = 5.0


@dataclass(slots=True)
class _Run:
    """A check under way, in a thread that nobody waits for at the end."""

    check: Check
    found: list[Finding] = field(default_factory=list)
    ended: bool = False

    def __call__(self) -> None:
        try:
            self.found.extend(self.check.look())
            self.ended = True
        finally:
            connection.close()


def examined(checks: Sequence[Check]) -> Iterator[tuple[Check, Sequence[Finding]]]:
    """What each check found, in their order; all of them run at once."""
    begun = time.monotonic()
    runs = [_Run(check) for check in checks]
    threads = [threading.Thread(target=run, name=run.check.name, daemon=True) for run in runs]
    for thread in threads:
        thread.start()
    for run, thread in zip(runs, threads, strict=True):
        thread.join(max(0.0, begun + run.check.seconds + ENDING_SECONDS - time.monotonic()))
        found = list(run.found)
        if thread.is_alive():
            found.append(bad(f"{run.check.name} did not answer within {run.check.seconds:.0f} s."))
        elif not run.ended:
            found.append(bad(f"{run.check.name} could not be looked at: the log above says what broke."))
        yield run.check, found
