"""One transaction per verb, joined to the caller's, and run again when PostgreSQL asked for it."""

import random
import time
from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

import structlog
from django.db import OperationalError, connection, transaction

P = ParamSpec("P")
R = TypeVar("R")

ATTEMPTS_MAX = 3  # the first try and two more: a deadlock frees the other side at once
PAUSE_SECONDS_MAX = 0.05  # longer than one transaction of the ledger, so that two losers part

# https://www.postgresql.org/docs/current/errcodes-appendix.html
SERIALIZATION_FAILURE, DEADLOCK_DETECTED = "40001", "40P01"
# The server ended our connection. Whether a commit got through is then unknown, which is harmless:
# every verb of the ledger carries a key or says what shall be, so doing it twice does it once.
ADMIN_SHUTDOWN, CRASH_SHUTDOWN = "57P01", "57P02"
WORTH_ANOTHER_TRY = {SERIALIZATION_FAILURE, DEADLOCK_DETECTED, ADMIN_SHUTDOWN, CRASH_SHUTDOWN}

log = structlog.get_logger(__name__)


def atomically(function: Callable[P, R]) -> Callable[P, R]:
    """Run in one transaction of its own, retried after a deadlock; inside a caller's, just join it.

    Joining makes no savepoint (two statements fewer), so `function` must raise its own refusals before
    its first write: the caller may then catch them and go on. Only for functions that may run twice.
    """

    @wraps(function)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        if connection.in_atomic_block:
            return function(*args, **kwargs)
        for attempt in range(1, ATTEMPTS_MAX + 1):
            try:
                with transaction.atomic():
                    return function(*args, **kwargs)
            except OperationalError as error:
                sqlstate = getattr(error.__cause__, "sqlstate", None)
                if sqlstate not in WORTH_ANOTHER_TRY or attempt == ATTEMPTS_MAX:
                    raise
                log.warning("transaction_retried", function=function.__qualname__, sqlstate=sqlstate)
                time.sleep(random.uniform(0, PAUSE_SECONDS_MAX))  # noqa: S311  (no secret)
        raise AssertionError("unreachable: the last attempt returns or raises")

    return run
