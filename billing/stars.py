"""Buying dollars with Stars: orders, the check before the payment, the credit, the receipt.

Telegram's charge id is what makes a payment one: it is unique in the table and the key of the credit.
An order only says who may pay how much, and what it was promised to be worth.
"""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

import structlog
from django.db.models import QuerySet
from django.db.models.functions import Now
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from accounts.models import User
from accounts.services import language_of, lock_user
from billing import ledger
from billing.errors import OrderRefused, RateMissing
from billing.models import BalanceOperation, Payment, StarRate
from billing.models_stars import Snapshot, worth
from billing.transactions import atomically

CURRENCY = "XTR"  # Telegram Stars
STARS_MAX = 2500  # of one order; Telegram itself takes up to 10,000 for a subscription
ORDER_LASTS = timedelta(days=1)
# An order nobody paid is forgotten so long after its end. Paid all the same, it is credited as one without an order.
ORDER_KEPT = timedelta(days=30)
PRUNED_AT_ONCE = 5_000  # rows; a lock that lasts no longer than a blink
# Between the approval and the payment a person types a password, and their phone loses its network.
PAYING_TAKES_MAX = timedelta(minutes=10)
MONTH_SECONDS = 2_592_000  # createInvoiceLink, subscription_period: "it must always be 2592000"
PAYLOAD_BYTES = 24  # of chance: 2^192 orders to guess among
RECEIPTS_AT_ONCE = 100
OWED_A_RECEIPT = (Payment.State.PAID, Payment.State.REFUNDED, Payment.State.REFUND_RETURNED)

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Package:
    """What the keyboard of /pay offers."""

    name: str
    stars: int
    title: Promise
    monthly: bool = False


PACKAGES = {
    package.name: package
    for package in (
        Package("micro", 10, _("Micro")),
        Package("starter", 50, _("Starter")),
        Package("basic", 100, _("Basic")),
        Package("standard", 250, _("Standard")),
        Package("premium", 500, _("Premium")),
        Package("monthly", 250, _("Every month"), monthly=True),
    )
}


@dataclass(frozen=True, slots=True)
class Paid:
    """A payment as Telegram reports it, in an update or in its list of transactions."""

    charge_id: str
    payload: str
    stars: int
    at: datetime
    until: datetime | None = None  # of a subscription: what is paid up to


# The order ---------------------------------------------------------------------------------------


def rate_now() -> StarRate:
    """The rate in force. Raises RateMissing."""
    rate = StarRate.objects.filter(effective_from__lte=Now()).first()
    if rate is None:
        raise RateMissing("no StarRate is in force")
    return rate


def offers() -> list[tuple[Package, Decimal]]:
    """Every package and the dollars it is worth now."""
    rate = rate_now()
    return [(package, worth(package.stars, rate)) for package in PACKAGES.values()]


def order(user_id: int, stars: int, *, package: str = "", monthly: bool = False) -> Payment:
    """Write down who wants to pay how many Stars, at today's rate. Raises OrderRefused."""
    if not 1 <= stars <= STARS_MAX:
        raise OrderRefused("amount")
    user = User.objects.only("blocked_at").get(pk=user_id)
    if user.blocked_at is not None:
        raise OrderRefused("blocked")
    if monthly and subscription_of(user_id) is not None:
        raise OrderRefused("subscribed")
    rate = rate_now()
    return Payment.objects.create(
        user=user,
        payload=secrets.token_urlsafe(PAYLOAD_BYTES),
        package=package,
        monthly=monthly,
        stars=stars,
        usd=worth(stars, rate),
        expires_at=timezone.now() + ORDER_LASTS,
        **_numbers(rate),
    )


def prune_orders() -> int:
    """Forget orders that nobody paid, a month after they ended; the number of them."""
    old = Payment.objects.filter(state=Payment.State.ORDERED, expires_at__lt=timezone.now() - ORDER_KEPT)
    return old.filter(pk__in=list(old.order_by("pk").values_list("pk", flat=True)[:PRUNED_AT_ONCE])).delete()[
        0
    ]


def why_not(telegram_id: int, *, payload: str, currency: str, stars: int) -> str:
    """Why this payment may not be made, as the key of a sentence; empty when it may. One query."""
    row = Payment.objects.filter(payload=payload).select_related("user").first() if payload else None
    if row is None or row.user.telegram_id != telegram_id:
        return "unknown"
    if row.user.blocked_at is not None:
        return "blocked"
    if (currency, stars) != (CURRENCY, row.stars):
        return "changed"
    if row.state != Payment.State.ORDERED:
        return "paid"
    return "expired" if row.expires_at <= timezone.now() else ""


# The payment -------------------------------------------------------------------------------------


@atomically
def take_payment(user_id: int, paid: Paid, *, note: str = "") -> Payment:
    """Credit what was paid, once per charge id, whatever became of its order.

    A first payment of an order makes the order's row its own; any other gets a row. An unknown, expired
    or twice-paid order is credited all the same, by what was paid, and flagged.
    """
    lock_user(user_id)
    known = Payment.objects.filter(charge_id=paid.charge_id).first()
    if known is not None:
        return known
    ordered = Payment.objects.select_for_update().filter(payload=paid.payload, user_id=user_id).first()
    row, wrong = _row_for(user_id, ordered, paid)
    row.stars, row.usd = paid.stars, worth(paid.stars, row)
    row.state, row.charge_id, row.paid_at = Payment.State.PAID, paid.charge_id, paid.at
    row.flagged, row.note = bool(wrong), " ".join(filter(None, (*wrong, note)))
    row.save()
    if ordered is not None and ordered.monthly:
        _renew(ordered.pk, paid)
    ledger.grant_starting_credit(user_id)  # perhaps this is the first we see of them
    ledger.credit(
        user_id,
        key=f"pay:{paid.charge_id}",
        amount=row.usd,
        kind=BalanceOperation.Kind.TOP_UP,
        details={"payment": row.pk, "stars": row.stars, **{k: str(v) for k, v in _numbers(row).items()}},
    )
    log.info("payment.credited", payment=row.pk, user=user_id, stars=row.stars, note=row.note)
    if row.flagged:
        log.error("payment.flagged", payment=row.pk, why=row.note)
    return row


def _row_for(user_id: int, ordered: Payment | None, paid: Paid) -> tuple[Payment, list[str]]:
    """The row a payment is written to, and what is wrong with it."""
    if ordered is None:
        numbers = _numbers(rate_now())
        row = Payment(user_id=user_id, expires_at=paid.at, **numbers)
        return row, ["No order of this person has its payload."]
    if ordered.state != Payment.State.ORDERED:
        row = Payment(
            user_id=user_id,
            order=ordered,
            package=ordered.package,
            monthly=ordered.monthly,
            expires_at=ordered.expires_at,
            **_numbers(ordered),
        )
        is_renewal = ordered.monthly and paid.stars == ordered.stars
        return row, [] if is_renewal else ["The order had been paid before."]
    wrong = []
    if paid.stars != ordered.stars:
        wrong.append(f"{ordered.stars} ⭐ were ordered.")
    if paid.at > ordered.expires_at + PAYING_TAKES_MAX:
        wrong.append("The order had expired.")
    return ordered, wrong


def _renew(order_id: int, paid: Paid) -> None:
    until = paid.until or paid.at + timedelta(seconds=MONTH_SECONDS)
    Payment.objects.filter(pk=order_id).update(
        subscription=Payment.Subscription.ACTIVE, subscription_until=until
    )


def _numbers(rate: Snapshot) -> dict[str, Decimal]:
    return {"usd_per_star": rate.usd_per_star, "k1": rate.k1, "k2": rate.k2, "k3": rate.k3}


# Subscriptions -----------------------------------------------------------------------------------


def subscription_of(user_id: int) -> Payment | None:
    """The first payment of the subscription this person has now, be it canceled but not over."""
    rows = Payment.objects.filter(user_id=user_id, subscription_until__gt=Now()).exclude(subscription="")
    return rows.exclude(state=Payment.State.REFUNDED).first()


def set_subscription(telegram_id: int, payload: str, state: str) -> Payment | None:
    """Take over what Telegram says of a subscription: canceled, active or failed."""
    if state not in Payment.Subscription.values:
        log.error("subscription.unknown_state", state=state)
        return None
    rows: QuerySet[Payment] = Payment.objects.filter(payload=payload, user__telegram_id=telegram_id)
    rows.exclude(subscription="").update(subscription=state)
    return rows.exclude(subscription="").select_related("user").first()


# Receipts ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Receipt:
    """What a person is still to be told about a payment."""

    payment: Payment
    telegram_id: int | None
    language: str
    balance: Decimal


def receipts_due() -> Sequence[int]:
    """Payments whose person has not been told yet, oldest first."""
    due = Payment.objects.filter(state__in=OWED_A_RECEIPT, receipt_sent_at__isnull=True)
    return list(due.order_by("id").values_list("pk", flat=True)[:RECEIPTS_AT_ONCE])


def receipt_of(payment_id: int) -> Receipt | None:
    """The receipt that is due for a payment; None when it was sent."""
    due = Payment.objects.filter(pk=payment_id, state__in=OWED_A_RECEIPT, receipt_sent_at__isnull=True)
    payment = due.select_related("user").first()
    if payment is None:
        return None
    user = payment.user
    return Receipt(payment, user.telegram_id, language_of(user), user.balance)


def receipt_sent(payment_id: int, state: str) -> None:
    """The person knows that the payment is in this state; another one it has meanwhile is still to be told."""
    Payment.objects.filter(pk=payment_id, state=state).update(receipt_sent_at=Now())
