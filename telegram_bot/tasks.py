"""Maintenance of the inbox, and what people asked for that takes its time."""

import structlog
from celery import shared_task
from kombu.exceptions import OperationalError

from conversations.listening import prune_transcripts
from telegram_bot import exports, keeping, services

log = structlog.get_logger(__name__)


@shared_task
def prune_inbox() -> int:
    """Forget handled updates, and the transcripts that only had to outlive a crash."""
    return services.prune_inbox() + prune_transcripts()


@shared_task
def gather_export(export_id: int) -> bool:
    return exports.gather(export_id)


@shared_task
def gather_exports() -> int:
    """Those whose own task was lost, or died."""
    return sum(exports.gather(export_id) for export_id in exports.requested())


@shared_task
def erase_quiet_threads() -> int:
    return keeping.erase_quiet_threads()


@shared_task
def discard_old_exports() -> int:
    return exports.discard_old()


def gather_soon(export_id: int) -> None:
    """Ask a worker to gather an export before beat does. When the broker is away, beat's next one will do."""
    try:
        gather_export.apply_async((export_id,), retry=False)
    except OperationalError as error:
        log.warning("export.gather_soon", error=str(error))
