"""Who may begin a turn: the limits that are looked at under the person's lock, before money is set aside."""

from datetime import datetime, timedelta
from decimal import Decimal

import structlog
from django.conf import settings
from django.db.models import QuerySet, Sum

from accounts.models import User
from billing.errors import CapReached, InsufficientFunds, SpendingBlocked, TooManyTurns
from billing.models import BalanceOperation

ZERO = Decimal(0)
FIRST_CREDIT = "grant:start:"  # its key begins so, and ends with the person

log = structlog.get_logger(__name__)


def admit(user: User, *, running: int, clock: datetime) -> None:
    """Raise the SpendingRefused that applies to a new turn, if one does. Call with the person locked."""
    state = {"balance": user.balance, "held": user.held}
    if user.spending_blocked_at is not None:
        raise SpendingBlocked(**state)
    if user.available <= 0:
        raise InsufficientFunds(**state)
    is_new = _is_new(user, clock)
    turns_max = settings.RUNNING_TURNS_MAX
    if is_new and settings.NEW_PERSON_TURNS_MAX:
        turns_max = min(turns_max, settings.NEW_PERSON_TURNS_MAX)
    if running >= turns_max:
        raise TooManyTurns(**state)
    since_midnight = BalanceOperation.objects.filter(
        kind__in=BalanceOperation.CHARGES, created_at__gte=midnight(clock)
    )
    of_user = since_midnight.filter(user=user)
    caps = (settings.DAILY_CAP_USD, user.daily_cap, settings.NEW_PERSON_CAP_USD if is_new else ZERO)
    own = min((cap for cap in caps if cap), default=ZERO)
    for cap, operations in ((own, of_user), (settings.BOT_DAILY_CAP_USD, since_midnight)):
        if cap and -_sum(operations) >= cap:
            raise CapReached(**state)


def may_be_granted(amount: Decimal, clock: datetime) -> bool:
    """Do today's first credits leave room for one more? Two at one instant may both pass, like every cap of a day."""
    if not settings.GRANTS_DAILY_CAP_USD:
        return True
    today = BalanceOperation.objects.filter(key__startswith=FIRST_CREDIT, created_at__gte=midnight(clock))
    if _sum(today) + amount <= settings.GRANTS_DAILY_CAP_USD:
        return True
    log.error("grants_used_up", cap=settings.GRANTS_DAILY_CAP_USD)
    return False


def _is_new(user: User, clock: datetime) -> bool:
    """Somebody who came a short while ago and has not paid yet: a crowd of new accounts is held to less."""
    if not (settings.NEW_PERSON_CAP_USD or settings.NEW_PERSON_TURNS_MAX):
        return False
    if clock - user.created_at >= timedelta(hours=settings.NEW_PERSON_HOURS):
        return False
    paid = BalanceOperation.objects.filter(user=user, kind=BalanceOperation.Kind.TOP_UP)
    return not paid.exists()


def midnight(clock: datetime) -> datetime:
    """When the day (UTC) began that caps count."""
    return clock.replace(hour=0, minute=0, second=0, microsecond=0)


def _sum(operations: QuerySet[BalanceOperation]) -> Decimal:
    return operations.aggregate(sum=Sum("amount"))["sum"] or ZERO
