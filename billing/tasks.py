"""What Celery calls; the beat schedule is in config/celery.py."""

from celery import shared_task

from billing import audit, ledger, stars


@shared_task
def expire_holds() -> int:
    """Give back what crashed turns left held; the number of holds."""
    return ledger.expire_holds()


@shared_task
def audit_ledger() -> int:
    """Compare every sum with its rows; the number of people whose spending is blocked by it."""
    return len(audit.audit())


@shared_task
def prune_orders() -> int:
    """Forget orders that nobody paid."""
    return stars.prune_orders()
