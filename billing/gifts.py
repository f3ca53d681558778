"""Giving dollars to somebody else: both sides in one commit."""

from dataclasses import dataclass
from decimal import Decimal

from django.db.models import Sum

from accounts.models import User
from billing import ledger
from billing.errors import AmountUnusable, GiftRefused, KeyMisused
from billing.models import BalanceOperation
from billing.pricing import NANO
from billing.transactions import atomically

GIFT_MIN, GIFT_MAX = Decimal("0.01"), Decimal(100_000)
Kind = BalanceOperation.Kind
# Only what was paid for may be given on: or a crowd of new accounts would hand one their first credit.
PAID_FOR = (Kind.TOP_UP, Kind.REFUND, Kind.REFUND_RETURN, Kind.CHARGEBACK, Kind.GIFT_IN, Kind.GIFT_OUT)


@dataclass(frozen=True, slots=True)
class Gift:
    """A gift that was made."""

    giver: User
    taker: User
    usd: Decimal
    is_new: bool


def taker_of(username: str, *, giver: int) -> User:
    """The person with this @name. Raises GiftRefused."""
    name = username.removeprefix("@")
    taker = User.objects.filter(username__iexact=name).order_by("-last_seen_at").first() if name else None
    if taker is None or taker.telegram_id is None or taker.blocked_at is not None:
        raise GiftRefused("nobody")
    if taker.pk == giver:
        raise GiftRefused("self")
    return taker


def giveable(user: User) -> Decimal:
    """Dollars a person may give away: what is available of what was paid for."""
    paid = BalanceOperation.objects.filter(user=user, kind__in=PAID_FOR)
    return min(user.available, paid.aggregate(sum=Sum("amount"))["sum"] or Decimal(0))


@atomically
def give(giver_id: int, taker_id: int, usd: Decimal, *, key: str, press: str = "") -> Gift:
    """Move dollars from one person to another, once per key. Raises GiftRefused.

    `press` names the press of the button: the same one again, after a crash, is told as the first time.
    """
    if not usd.is_finite() or not GIFT_MIN <= usd < GIFT_MAX or usd != usd.quantize(NANO):
        raise GiftRefused("amount")
    # By id, whoever gives: two who give to each other at once must not wait for each other.
    rows = User.objects.select_for_update().filter(pk__in=(giver_id, taker_id)).order_by("pk")
    people = {user.pk: user for user in rows}
    if giver_id == taker_id or giver_id not in people or taker_id not in people:
        raise GiftRefused("nobody")
    giver, taker = people[giver_id], people[taker_id]
    first = BalanceOperation.objects.filter(key=f"{key}:out").first()
    is_new = first is None
    if is_new and taker.blocked_at is not None:
        raise GiftRefused("nobody")
    if is_new and giver.spending_blocked_at is not None:
        raise GiftRefused("not_enough")
    if is_new and giveable(giver) < usd:
        raise GiftRefused("not_enough")
    details = {"to": taker_id, "press": press}
    try:
        ledger.debit(giver_id, key=f"{key}:out", amount=usd, kind=Kind.GIFT_OUT, details=details)
        ledger.credit(taker_id, key=f"{key}:in", amount=usd, kind=Kind.GIFT_IN, details={"from": giver_id})
    except (KeyMisused, AmountUnusable) as error:
        raise GiftRefused("amount") from error
    return Gift(giver, taker, usd, first is None or first.details.get("press") == press)
