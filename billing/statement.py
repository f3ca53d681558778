"""A person's account as they see it: what there is, what happened last, what each day cost."""

from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

from django.db.models import Sum
from django.db.models.functions import TruncDay
from django.utils import timezone

from accounts.models import User
from billing.models import BalanceOperation

DAYS = 30
LINES = 8
LOOKED_AT = 300  # operations; a day's answers become one line
ZERO = Decimal(0)


@dataclass(slots=True)
class Line:
    """One line of the account: a movement, or a day's answers taken together."""

    kind: str
    day: date
    amount: Decimal
    count: int = 1


@dataclass(frozen=True, slots=True)
class Statement:
    """Everything /balance shows."""

    balance: Decimal
    held: Decimal
    lines: list[Line]
    days: list[tuple[date, Decimal]]  # dollars used, oldest first

    @property
    def used(self) -> Decimal:
        return sum((usd for _, usd in self.days), ZERO)

    @property
    def dearest(self) -> tuple[date, Decimal]:
        return max(self.days, key=lambda day: day[1])


def statement_of(user_id: int) -> Statement:
    """The account of a person, from rows alone."""
    user = User.objects.only("balance", "held").get(pk=user_id)
    return Statement(user.balance, user.held, _lines(user), _days(user))


def _lines(user: User) -> list[Line]:
    lines: list[Line] = []
    for row in user.operations.only("kind", "amount", "created_at")[:LOOKED_AT]:
        kind = BalanceOperation.Kind.USAGE if row.kind in BalanceOperation.CHARGES else row.kind
        day = row.created_at.date()
        last = lines[-1] if lines else None
        if last and (kind, day) == (BalanceOperation.Kind.USAGE, last.day) and last.kind == kind:
            last.amount += row.amount
            last.count += 1
        elif len(lines) == LINES:
            break
        else:
            lines.append(Line(str(kind), day, row.amount))
    return lines


def _days(user: User) -> list[tuple[date, Decimal]]:
    midnight = timezone.now().replace(hour=0, minute=0, second=0, microsecond=0)
    first = midnight - timedelta(days=DAYS - 1)
    rows = (
        user.operations.filter(kind__in=BalanceOperation.CHARGES, created_at__gte=first)
        .order_by()
        .annotate(day=TruncDay("created_at"))
        .values("day")
        .annotate(usd=-Sum("amount"))
    )
    used = {row["day"].date(): row["usd"] for row in rows}
    days = [first.date() + timedelta(days=number) for number in range(DAYS)]
    return [(day, used.get(day, ZERO)) for day in days]
