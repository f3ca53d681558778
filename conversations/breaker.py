"""A circuit breaker: what keeps failing is left alone for a while."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager


class Open(Exception):
    """Nothing was tried: the last tries failed."""


class Breaker:
    """Opens after `failures_max` failures in a row; after `open_seconds` one caller tries for all, and
    a success closes it. Every operation feeds it; it is shared by the threads of a process."""

    def __init__(self, failed_by: type[Exception], *, failures_max: int, open_seconds: float) -> None:
        self._failed_by = failed_by
        self._failures_max = failures_max
        self._open_seconds = open_seconds
        self._lock = threading.Lock()
        self._failures = 0
        self._closed_again_at = 0.0

    @property
    def is_open(self) -> bool:
        return self._failures >= self._failures_max

    @contextmanager
    def guard(self) -> Iterator[None]:
        """Count what happens inside. Raises Open, instead of running it, while the breaker is open."""
        self._enter()
        try:
            yield
        except self._failed_by:
            with self._lock:
                self._failures += 1
                self._closed_again_at = time.monotonic() + self._open_seconds
            raise
        with self._lock:
            self._failures = 0

    def _enter(self) -> None:
        with self._lock:
            if not self.is_open:
                return
            if time.monotonic() < self._closed_again_at:
                raise Open
            # This caller tries; the others wait for the outcome.
            self._closed_again_at = time.monotonic() + self._open_seconds
