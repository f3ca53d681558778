"""Celery's part of conversations."""

import structlog
from celery import shared_task
from kombu.exceptions import OperationalError

from conversations import erasing, write_behind

FLUSH_SECONDS_MAX = 5  # beat sends another flush by then

log = structlog.get_logger(__name__)


@shared_task(ignore_result=True)
def flush_events() -> int:
    """Write what waits in the event stream to PostgreSQL."""
    return write_behind.flush()


@shared_task(ignore_result=True)
def drop_stale_copies() -> int:
    """Drop what a process that was killed behind its commit left of erased words in the cache."""
    return erasing.drop_stale_copies()


def flush_soon() -> None:
    """Ask a worker to flush before beat does. When the broker is away, beat's next one will do."""
    try:
        flush_events.apply_async(expires=FLUSH_SECONDS_MAX, retry=False)
    except OperationalError as error:
        log.warning("events.flush_soon", error=str(error))
