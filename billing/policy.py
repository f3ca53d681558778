"""BalancePolicy: may this person start a request, may they use a paid tool? The one place that says so.

Two functions, because there is nothing a policy would have to remember (docs/decisions says more). They
only look: a *yes* here is advice, and the ledger's hold, taken under the person's lock, is what admits.
"""

from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from accounts.models import User
from billing.errors import InsufficientFunds, SpendingBlocked

ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class BalanceCheck:
    """An answer, what it was judged by, and the key of the sentence that explains a no."""

    allowed: bool
    balance: Decimal
    source: Literal["cache", "ledger"]
    reason: str = ""


def can_make_request(user_id: int, *, cached_balance: Decimal | None = None) -> BalanceCheck:
    """May a turn of this person start?

    A cached balance says a quick no when it is used up. It never says yes: then, and when there is none,
    the ledger's row is asked.
    """
    if cached_balance is not None and not cached_balance > ZERO:
        return BalanceCheck(False, cached_balance, "cache", InsufficientFunds.key)
    user = _person(user_id)
    if user.spending_blocked_at is not None:
        return BalanceCheck(False, user.balance, "ledger", SpendingBlocked.key)
    if user.available <= 0:
        return BalanceCheck(False, user.balance, "ledger", InsufficientFunds.key)
    return BalanceCheck(True, user.balance, "ledger")


def can_use_paid_tool(user_id: int, price: Decimal) -> bool:
    """May this person's turn run a tool that costs `price` dollars at most? Free tools always may.

    Looks at the balance, not at what is available: the turn that asks holds some of it itself.
    """
    if price == 0:
        return True
    user = _person(user_id)
    return user.balance > 0 and user.spending_blocked_at is None


def _person(user_id: int) -> User:
    return User.objects.only("balance", "held", "spending_blocked_at").get(pk=user_id)
