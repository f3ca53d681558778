"""Who may begin a turn: the limits that are looked at under the person's lock, before money is set aside."""

from datetime import datetime
from decimal import Decimal

from django.conf import settings
from django.db.models import QuerySet, Sum

from accounts.models import User
from billing.errors import CapReached, InsufficientFunds, SpendingBlocked, TooManyTurns
from billing.models import BalanceOperation

ZERO = Decimal(0)


def admit(user: User, *, running: int, clock: datetime) -> None:
    """Raise the SpendingRefused that applies to a new turn, if one does. Call with the person locked."""
    state = {"balance": user.balance, "held": user.held}
    if user.spending_blocked_at is not None:
        raise SpendingBlocked(**state)
    if user.available <= 0:
        raise InsufficientFunds(**state)
    if running >= settings.RUNNING_TURNS_MAX:
        raise TooManyTurns(**state)
    since_midnight = BalanceOperation.objects.filter(
        kind__in=BalanceOperation.CHARGES, created_at__gte=midnight(clock)
    )
    of_user = since_midnight.filter(user=user)
    own = min((cap for cap in (settings.DAILY_CAP_USD, user.daily_cap) if cap), default=ZERO)
    for cap, operations in ((own, of_user), (settings.BOT_DAILY_CAP_USD, since_midnight)):
        if cap and -_sum(operations) >= cap:
            raise CapReached(**state)


def midnight(clock: datetime) -> datetime:
    """When the day (UTC) began that caps count."""
    return clock.replace(hour=0, minute=0, second=0, microsecond=0)


def _sum(operations: QuerySet[BalanceOperation]) -> Decimal:
    return operations.aggregate(sum=Sum("amount"))["sum"] or ZERO
