"""Celery's part of tools."""

from celery import shared_task
from django.conf import settings

from tools import long_runs, working
from tools.sandbox import forget_old_folders, tidy


@shared_task(
    ignore_result=True,
    time_limit=settings.LONG_RUN_SECONDS_MAX,
    soft_time_limit=settings.LONG_RUN_SECONDS_MAX - 30,
)
def run_long(run_id: int) -> None:
    """Work on a tool's long run, if it still waits for that."""
    working.work(run_id)


@shared_task(ignore_result=True)
def forget_long_runs() -> int:
    """Take away long runs whose outcome has long been kept, their files, and sandboxes nobody uses."""
    forget_old_folders()
    return long_runs.forget_old()


@shared_task(ignore_result=True)
def tidy_sandboxes() -> int:
    """End the sandboxes at E2B of erased and of quiet conversations, and those that belong to none."""
    return tidy()
