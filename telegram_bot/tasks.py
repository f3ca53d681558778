"""Maintenance of the inbox."""

from celery import shared_task

from conversations.listening import prune_transcripts
from telegram_bot import services


@shared_task
def prune_inbox() -> int:
    """Forget handled updates, and the transcripts that only had to outlive a crash."""
    return services.prune_inbox() + prune_transcripts()
