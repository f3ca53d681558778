"""Giving Stars back: requested → debited → sent → refunded, or returned when Telegram says no.

The dollars are taken back before Telegram is asked, so nobody has both. Each step is one conditional
update: of any number of hands one makes it. What a crash interrupts is taken up by `under_way()`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

import structlog
from django.db.models import F, Q
from django.db.models.functions import Now
from django.utils import timezone

from accounts.blocking import block
from accounts.models import User
from accounts.services import lock_user
from billing import ledger
from billing.errors import InsufficientFunds, RefundRefused
from billing.models import BalanceOperation, Payment
from billing.transactions import atomically

REFUNDABLE_FOR = timedelta(days=30)
CALL_AGAIN_AFTER = timedelta(seconds=60)  # longer than a call of ours may take
LISTED = 10  # payments shown by /refund
State = Payment.State
Kind = BalanceOperation.Kind

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Call:
    """One refundStarPayment that is ours to make."""

    telegram_id: int
    charge_id: str


def why_not(payment: Payment, user: User) -> str:
    """Why a payment is not given back, as the key of a sentence; empty when it may be."""
    if payment.state in (*Payment.UNDER_WAY, State.REFUNDED):
        return "already"
    if payment.state not in Payment.KEPT or payment.paid_at is None:
        return "unknown"
    if payment.paid_at < timezone.now() - REFUNDABLE_FOR:
        return "old"
    return "spent" if user.available < payment.usd else ""


def payments_of(user_id: int) -> list[tuple[Payment, str]]:
    """A person's latest payments, each with why it is not given back."""
    user = User.objects.get(pk=user_id)
    rows = user.payments.exclude(state=State.ORDERED)[:LISTED]
    return [(row, why_not(row, user)) for row in rows]


# Ours --------------------------------------------------------------------------------------------


@atomically
def request(
    payment_id: int,
    *,
    by_user: int | None = None,
    by_staff: int | None = None,
    reason: str,
    force: bool = False,
) -> Payment:
    """Promise to give a payment back. `force` overlooks its age and that its dollars are spent.

    Raises RefundRefused.
    """
    payment, user = _locked(payment_id)
    if by_user is not None and payment.user_id != by_user:
        raise RefundRefused("unknown")
    refusal = why_not(payment, user)
    if refusal and not (force and refusal in ("old", "spent")):
        raise RefundRefused(refusal)
    payment.state, payment.refund_reason, payment.refund_forced = State.REFUND_REQUESTED, reason, force
    payment.refund_actor_id, payment.refund_called_at = by_staff, None
    payment.save()
    return payment


@atomically
def debit(payment_id: int) -> bool:
    """Take the dollars of a requested refund; False when somebody else did, or when they are spent by now."""
    payment, _ = _locked(payment_id)
    if payment.state != State.REFUND_REQUESTED:
        return False
    try:
        _take_back(payment, kind=Kind.REFUND, force=payment.refund_forced)
    except InsufficientFunds:
        Payment.objects.filter(pk=payment_id).update(
            state=State.PAID, note="A refund was asked for; its dollars were spent before it was made."
        )
        return False
    Payment.objects.filter(pk=payment_id).update(
        state=State.REFUND_DEBITED, refund_tries=F("refund_tries") + 1
    )
    return True


def claim_call(payment_id: int) -> Call | None:
    """The right to ask Telegram for this refund now; None while somebody else has it, or when it is over."""
    due = Payment.objects.filter(
        Q(refund_called_at__isnull=True) | Q(refund_called_at__lt=Now() - CALL_AGAIN_AFTER),
        pk=payment_id,
        state__in=(State.REFUND_DEBITED, State.REFUND_SENT),
    )
    if not due.update(state=State.REFUND_SENT, refund_called_at=Now()):
        return None
    row = Payment.objects.select_related("user").get(pk=payment_id)
    if row.user.telegram_id is None or row.charge_id is None:
        refused(payment_id, "There is nobody to give it back to.")
        return None
    return Call(row.user.telegram_id, row.charge_id)


def done(payment_id: int) -> None:
    """Telegram has given the Stars back."""
    moved = Payment.objects.filter(pk=payment_id, state__in=(State.REFUND_DEBITED, State.REFUND_SENT))
    if moved.update(state=State.REFUNDED, receipt_sent_at=None):
        log.info("refund.done", payment=payment_id)


@atomically
def refused(payment_id: int, why: str) -> None:
    """Telegram said no for good: the dollars go back to the person."""
    payment, _ = _locked(payment_id)
    if payment.state != State.REFUND_SENT:
        return
    ledger.credit(
        payment.user_id,
        key=f"refund_return:{payment.charge_id}:{payment.refund_tries}",
        amount=payment.usd,
        kind=Kind.REFUND_RETURN,
        details={"payment": payment.pk},
    )
    payment.state, payment.receipt_sent_at = State.REFUND_RETURNED, None
    payment.flagged, payment.note = True, f"Telegram would not refund it: {why}"[:500]
    payment.save()
    log.error("refund.refused", payment=payment_id, why=why)


def under_way() -> Sequence[int]:
    """Refunds somebody has to go on with: asked for by staff, or left behind by a crash."""
    waiting = Q(refund_called_at__isnull=True) | Q(refund_called_at__lt=Now() - CALL_AGAIN_AFTER)
    rows = Payment.objects.filter(waiting, state__in=Payment.UNDER_WAY)
    return list(rows.order_by("id").values_list("pk", flat=True))


# Telegram's --------------------------------------------------------------------------------------


@atomically
def gone_back(charge_id: str, *, chargeback: bool = False) -> Payment | None:
    """Telegram says that the Stars of a payment went back. Ours, or not: the dollars leave once.

    Not ours: somebody refunded it elsewhere, or the shop where the Stars were bought took them back. The
    balance may then fall below zero; after a chargeback the person is blocked. None: no such payment.
    """
    found = Payment.objects.filter(charge_id=charge_id).values_list("pk", flat=True).first()
    if found is None:
        return None
    payment, user = _locked(found)
    if payment.state == State.REFUNDED:
        return payment
    if payment.state in (State.REFUND_DEBITED, State.REFUND_SENT):
        done(payment.pk)
        return payment
    _take_back(payment, kind=Kind.CHARGEBACK if chargeback else Kind.REFUND, force=True)
    payment.refund_tries += 1
    payment.state, payment.receipt_sent_at, payment.flagged = State.REFUNDED, None, True
    payment.note = "Charged back." if chargeback else "Refunded elsewhere, not by this bot."
    payment.save()
    if chargeback:
        block(user, f"Chargeback of {payment.stars} Stars, payment {payment.pk}")
    log.error("payment.gone_back", payment=payment.pk, user=user.pk, chargeback=chargeback)
    return payment


def _take_back(payment: Payment, *, kind: str, force: bool) -> None:
    ledger.debit(
        payment.user_id,
        key=f"refund:{payment.charge_id}:{payment.refund_tries + 1}",
        amount=payment.usd,
        kind=kind,
        details={"payment": payment.pk, "stars": payment.stars},
        reason=payment.refund_reason,
        actor_id=payment.refund_actor_id,
        force=force,
    )


def _locked(payment_id: int) -> tuple[Payment, User]:
    """A payment and its person, both locked, the person first as everywhere. Raises RefundRefused."""
    owner = Payment.objects.filter(pk=payment_id).values_list("user_id", flat=True).first()
    if owner is None:
        raise RefundRefused("unknown")
    user = lock_user(owner)
    return Payment.objects.select_for_update().get(pk=payment_id), user
