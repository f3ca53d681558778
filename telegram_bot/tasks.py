"""Maintenance of the inbox."""

from celery import shared_task

from telegram_bot import services


@shared_task
def prune_inbox() -> int:
    return services.prune_inbox()
