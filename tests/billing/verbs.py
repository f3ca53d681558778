"""The verbs of a turn with the sizes and keys that tests of them share."""

from datetime import timedelta
from decimal import Decimal

from accounts.models import User
from billing import ledger
from billing.models import BalanceOperation, Hold

MINUTES = timedelta(minutes=5)
OVERDUE = timedelta(seconds=-1)


def hold(user: User, key: str = "turn:1", estimate: str = "0.10", expires_in: timedelta = MINUTES) -> Hold:
    return ledger.hold(user.pk, key=key, estimate=Decimal(estimate), expires_in=expires_in)


def extend(needed: str, key: str = "turn:1") -> Decimal:
    return ledger.extend(key, needed=Decimal(needed), expires_in=MINUTES)


def settle(amount: str, step: int = 0, key: str = "turn:1", **more: str) -> BalanceOperation | None:
    return ledger.settle(key, key=f"{key}:step:{step}", amount=Decimal(amount), details={}, **more)


def sums(user: User) -> tuple[Decimal, Decimal]:
    user.refresh_from_db()
    return user.balance, user.held
