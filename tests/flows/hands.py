"""The worker for long runs, in this process: Celery's own, on a thread, with the real broker between."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from celery.contrib.testing.worker import start_worker

from config.celery import app
from tests.flows.books import asynchronous
from tests.waiting import eventually
from tools.models import LongRun


@contextmanager
def worker() -> Iterator[None]:
    with start_worker(app, pool="solo", queues=["long"], perform_ping_check=False, loglevel="WARNING"):
        yield


@pytest.fixture
def hands(transactional_db: None) -> Iterator[None]:
    """Somebody who takes long runs; ask for it before `starling`, so that it outlives the bot."""
    with worker():
        yield


@asynchronous
def runs() -> list[LongRun]:
    return list(LongRun.objects.order_by("pk"))


async def in_state(state: str, seconds: float = 20) -> LongRun:
    """The first run that is in this state, as soon as there is one."""

    async def look() -> LongRun | None:
        return next((run for run in await runs() if run.state == state), None)

    return await eventually(look, f"a run that is {state}", seconds)
