"""The tables of Stars: what one is worth, who paid how many, and what Telegram's books say that ours do not."""

from decimal import Decimal
from typing import Protocol

from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now

from accounts.models import Staff, User
from billing.columns import KEY_LENGTH_MAX, dollars
from billing.pricing import NANO

PAYLOAD_LENGTH_MAX = 128  # bytes, sendInvoice


class Snapshot(Protocol):
    """The four numbers Stars are reckoned by."""

    usd_per_star: Decimal
    k1: Decimal
    k2: Decimal
    k3: Decimal


def worth(stars: int, rate: Snapshot) -> Decimal:
    """Dollars credited for so many Stars: stars × usd_per_star × (1 − k1 − k2 − k3), at nine places."""
    kept = 1 - rate.k1 - rate.k2 - rate.k3
    return (stars * rate.usd_per_star * kept).quantize(NANO)


class StarRate(models.Model):
    """What a Telegram Star is worth from a date on: stars × usd_per_star × (1 − k1 − k2 − k3)."""

    effective_from = models.DateTimeField(unique=True, help_text="From when on it counts.")
    usd_per_star = dollars(help_text="Dollars Telegram pays for one Star.")
    k1 = models.DecimalField(max_digits=7, decimal_places=6, help_text="Telegram's share at withdrawal.")
    k2 = models.DecimalField(
        max_digits=7, decimal_places=6, help_text="Telegram's fee for topics in private chats."
    )
    k3 = models.DecimalField(max_digits=7, decimal_places=6, help_text="The owner's margin.")
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(usd_per_star__gt=0, usd_per_star__lte=1), name="star_rate_is_sane"
            ),
            models.CheckConstraint(
                condition=Q(k1__gte=0, k2__gte=0, k3__gte=0) & Q(k1__lt=1 - F("k2") - F("k3")),
                name="star_rate_shares_leave_something",
            ),
        ]
        ordering = ["-effective_from"]

    def __str__(self) -> str:
        return f"{self.usd_per_star:f} from {self.effective_from:%Y-%m-%d}"

    @property
    def usd(self) -> Decimal:
        """Dollars credited for one Star."""
        return worth(1, self)


class Payment(models.Model):
    """A purchase of dollars with Stars, from the order to a refund.

    The order keeps the rate it was made at, and the credit uses it. A second payment of one order, and
    every renewal of a subscription, is a row of its own: what tells payments apart is Telegram's charge id.
    """

    class State(models.TextChoices):
        ORDERED = "ordered", "Ordered"
        PAID = "paid", "Paid"
        REFUND_REQUESTED = "refund_requested", "Refund requested"
        REFUND_DEBITED = "refund_debited", "Refund debited"
        REFUND_SENT = "refund_sent", "Refund asked of Telegram"
        REFUNDED = "refunded", "Refunded"
        REFUND_RETURNED = "refund_returned", "Refund refused, dollars given back"

    class Subscription(models.TextChoices):
        ACTIVE = "active", "Active"
        CANCELED = "canceled", "Canceled, runs to its end"
        FAILED = "failed", "A renewal failed"

    # A refund may be asked for from these; what is under way stands in the last three of the enumeration.
    KEPT = (State.PAID, State.REFUND_RETURNED)
    UNDER_WAY = (State.REFUND_REQUESTED, State.REFUND_DEBITED, State.REFUND_SENT)

    user = models.ForeignKey(
        User, on_delete=models.PROTECT, related_name="payments", help_text="Who ordered, and is credited."
    )
    state = models.CharField(max_length=20, choices=State, default=State.ORDERED, help_text="How far it is.")
    charge_id = models.CharField(
        max_length=KEY_LENGTH_MAX,
        unique=True,
        null=True,
        blank=True,
        help_text="Telegram's; empty until paid.",
    )
    payload = models.CharField(
        max_length=PAYLOAD_LENGTH_MAX,
        unique=True,
        null=True,
        blank=True,
        help_text="What the invoice carries: random, so that nobody can guess an order.",
    )
    order = models.ForeignKey(
        "self",
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="further",
        help_text="The order that was paid once more, or the subscription that was renewed.",
    )
    package = models.CharField(max_length=16, blank=True, help_text="Its name; empty for any amount.")
    stars = models.PositiveIntegerField(help_text="As ordered; once paid, as paid.")
    usd = dollars(help_text="Dollars this many Stars are credited as.")
    usd_per_star = dollars(help_text="Of the rate it was ordered at: dollars Telegram pays for a Star.")
    k1 = models.DecimalField(
        max_digits=7, decimal_places=6, help_text="Of that rate: Telegram's share at withdrawal."
    )
    k2 = models.DecimalField(
        max_digits=7, decimal_places=6, help_text="Of that rate: its fee for topics in private chats."
    )
    k3 = models.DecimalField(max_digits=7, decimal_places=6, help_text="Of that rate: the owner's margin.")
    expires_at = models.DateTimeField(help_text="After this the order is not approved any more.")
    paid_at = models.DateTimeField(
        null=True, blank=True, help_text="When Telegram says it was paid; empty until then."
    )
    receipt_sent_at = models.DateTimeField(
        null=True,
        blank=True,
        help_text="When the person was told of the state it is in; empty: still to be told.",
    )
    monthly = models.BooleanField(default=False, help_text="A subscription, or a renewal of one.")
    subscription = models.CharField(
        max_length=16,
        choices=Subscription,
        blank=True,
        help_text="Of a subscription's first payment: how it stands.",
    )
    subscription_until = models.DateTimeField(null=True, blank=True, help_text="Paid up to then.")
    refund_reason = models.CharField(max_length=500, blank=True, help_text="Why it was to go back.")
    refund_actor = models.ForeignKey(
        Staff,
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="+",
        help_text="Who of the staff.",
    )
    refund_forced = models.BooleanField(
        default=False, help_text="Also when the dollars are spent: the balance may fall below zero."
    )
    refund_tries = models.PositiveSmallIntegerField(
        default=0, help_text="How often its dollars were taken back; part of the operation's key."
    )
    refund_called_at = models.DateTimeField(
        null=True, blank=True, help_text="When Telegram was last asked to give the Stars back."
    )
    flagged = models.BooleanField(default=False, help_text="Staff should look at it.")
    note = models.CharField(max_length=500, blank=True, help_text="Why it is flagged.")
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(stars__gt=0), name="payment_has_stars"),
            models.CheckConstraint(
                condition=Q(usd__gt=0, usd__lt=Decimal(10) ** 11), name="payment_has_a_worth"
            ),
            models.CheckConstraint(
                condition=Q(state="ordered", charge_id__isnull=True, paid_at__isnull=True)
                | (
                    ~Q(state="ordered") & ~Q(charge_id="") & Q(charge_id__isnull=False, paid_at__isnull=False)
                ),
                name="payment_is_paid_when_it_has_a_charge_id",
            ),
            models.CheckConstraint(
                condition=Q(subscription="") | Q(monthly=True), name="payment_only_monthly_has_a_subscription"
            ),
        ]
        indexes = [
            models.Index(fields=["user", "-id"], name="payment_of_user"),
            models.Index(
                fields=["id"],
                condition=Q(state__in=("refund_requested", "refund_debited", "refund_sent")),
                name="payment_refund_under_way",
            ),
            models.Index(
                fields=["id"],
                condition=Q(state__in=("paid", "refunded", "refund_returned"), receipt_sent_at__isnull=True),
                name="payment_receipt_due",
            ),
            models.Index(fields=["id"], condition=Q(flagged=True), name="payment_flagged"),
        ]
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"{self.stars} ⭐ {self.state}"


class Reconciliation(models.Model):
    """How far Telegram's list of Star transactions was compared with our payments. One row."""

    seen = models.PositiveBigIntegerField(default=0, help_text="Transactions gone through, from the first.")
    asked_at = models.DateTimeField(null=True, blank=True, help_text="When staff asked for it to run now.")
    ran_at = models.DateTimeField(null=True, blank=True, help_text="When it last came to its end.")
    found = models.CharField(max_length=200, blank=True, help_text="What the last run changed.")

    class Meta:
        constraints = [models.CheckConstraint(condition=Q(id=1), name="one_reconciliation")]

    def __str__(self) -> str:
        return f"{self.seen} transactions"


class UnmatchedTransaction(models.Model):
    """A Star transaction of Telegram's that belongs to no payment of ours."""

    transaction_id = models.CharField(
        max_length=KEY_LENGTH_MAX, help_text="Telegram's id of it; a payment's is its charge id."
    )
    incoming = models.BooleanField(help_text="Stars came to the bot; else they left it.")
    stars = models.BigIntegerField(help_text="How many.")
    partner = models.CharField(max_length=200, help_text="With whom, in Telegram's words.")
    happened_at = models.DateTimeField(help_text="When, as Telegram says.")
    settled_at = models.DateTimeField(null=True, blank=True, help_text="When staff had looked at it.")
    settled_reason = models.CharField(
        max_length=500, blank=True, help_text="What it was, in the words of staff."
    )
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["transaction_id", "incoming"], name="one_unmatched_row_per_transaction"
            ),
        ]
        indexes = [
            models.Index(fields=["id"], condition=Q(settled_at__isnull=True), name="unmatched_not_settled")
        ]
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"{self.stars} ⭐ {'from' if self.incoming else 'to'} {self.partner}"
