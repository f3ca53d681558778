"""The tables of money: constraints before code.

Dollars are Decimal(20, 9) from end to end. Only billing/ledger.py writes operations and holds, and
an operation, once written, is never changed: triggers of migration 0002 refuse it. Prices, Stars,
vouchers and the operator's own costs have files of their own and are imported from here like the rest.
"""

from decimal import Decimal

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from accounts.models import Staff, User
from billing.columns import KEY_LENGTH_MAX, ExactJSONEncoder, dollars
from billing.models_costs import AbsorbedCost as AbsorbedCost
from billing.models_costs import BookAccount as BookAccount
from billing.models_prices import LONG_FIELDS as LONG_FIELDS
from billing.models_prices import RATE_FIELDS as RATE_FIELDS
from billing.models_prices import Price as Price
from billing.models_prices import PriceProposal as PriceProposal
from billing.models_stars import Payment as Payment
from billing.models_stars import Reconciliation as Reconciliation
from billing.models_stars import StarRate as StarRate
from billing.models_stars import UnmatchedTransaction as UnmatchedTransaction
from billing.models_vouchers import Voucher as Voucher
from billing.models_vouchers import VoucherUse as VoucherUse
from billing.models_vouchers import WrongCode as WrongCode


class BalanceOperation(models.Model):
    """One movement of money, never changed once written; a mistake is mended by another one."""

    class Kind(models.TextChoices):
        GRANT = "grant", "Grant"
        TOP_UP = "top_up", "Top-up"
        USAGE = "usage", "Model call"
        TOOL = "tool", "Paid tool"
        REFUND = "refund", "Refund"
        REFUND_RETURN = "refund_return", "Refund given back"
        CHARGEBACK = "chargeback", "Chargeback"
        ADJUSTMENT = "adjustment", "Adjustment by staff"
        GIFT_IN = "gift_in", "Gift received"
        GIFT_OUT = "gift_out", "Gift given"

    INCOME = (Kind.GRANT, Kind.TOP_UP, Kind.REFUND_RETURN, Kind.GIFT_IN)
    CHARGES = (Kind.USAGE, Kind.TOOL)  # what a turn spends, through its hold
    DEBITS = (Kind.REFUND, Kind.CHARGEBACK, Kind.GIFT_OUT)

    user = models.ForeignKey(
        User, on_delete=models.PROTECT, related_name="operations", help_text="Whose balance it moved."
    )
    kind = models.CharField(max_length=16, choices=Kind, help_text="What it was; a kind alone says the sign.")
    amount = dollars(help_text="Dollars; positive raises the balance.")
    balance_after = dollars(help_text="The balance it left.")
    cost = dollars(
        null=True,
        blank=True,
        help_text="Of a charge: dollars its vendor asks; empty where that is what was charged.",
    )
    key = models.CharField(max_length=KEY_LENGTH_MAX, unique=True, help_text="Natural id of what caused it.")
    params_hash = models.CharField(
        max_length=64,
        editable=False,
        help_text="Of what must be the same when its key comes again: person, kind, amount, reason and actor.",
    )
    details = models.JSONField(
        default=dict,
        blank=True,
        encoder=ExactJSONEncoder,
        help_text="What explains it: model, usage, price and terms; a payment's Stars and its rate.",
    )
    actor = models.ForeignKey(
        Staff,
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="+",
        help_text="Who of the staff did it; empty where nobody did.",
    )
    reason = models.CharField(max_length=500, blank=True, help_text="Why, where staff did it.")
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=~Q(key=""), name="operation_has_a_key"),
            models.CheckConstraint(
                condition=(
                    Q(kind__in=("grant", "top_up", "refund_return", "gift_in"), amount__gt=0)
                    | Q(kind__in=("usage", "tool", "refund", "chargeback", "gift_out"), amount__lt=0)
                    | (Q(kind="adjustment") & ~Q(amount=0))
                )
                # NaN is greater than every number in PostgreSQL.
                & Q(amount__lt=Decimal(10) ** 11, balance_after__lt=Decimal(10) ** 11),
                name="operation_sign_fits_its_kind",
            ),
            models.CheckConstraint(
                condition=Q(cost__isnull=True)
                | Q(kind__in=("usage", "tool"), cost__gte=0, cost__lt=Decimal(10) ** 11),
                name="operation_cost_is_of_a_charge",
            ),
            models.CheckConstraint(
                condition=~Q(kind="adjustment") | (~Q(reason="") & Q(actor__isnull=False)),
                name="operation_by_staff_has_actor_and_reason",
            ),
        ]
        indexes = [
            models.Index(fields=["user", "-id"], name="operation_of_user"),
            # The daily caps sum this without touching the table.
            models.Index(
                fields=["created_at"],
                include=["user", "amount"],
                condition=Q(kind__in=("usage", "tool")),
                name="operation_spent_by_time",
            ),
        ]
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"{self.kind} {self.amount:+f}"


class Hold(models.Model):
    """Dollars set aside for a turn under way, so that no other turn spends them too."""

    class State(models.TextChoices):
        OPEN = "open", "Open"
        SETTLED = "settled", "Closed, something was charged"
        RELEASED = "released", "Closed, nothing was charged"
        EXPIRED = "expired", "Closed by the sweeper"

    key = models.CharField(
        max_length=KEY_LENGTH_MAX, unique=True, help_text="Natural id of what it is for, such as turn:812."
    )
    user = models.ForeignKey(
        User, on_delete=models.PROTECT, related_name="holds", help_text="Whose dollars they are."
    )
    amount = dollars(help_text="Dollars still set aside; of a closed hold, what was given back.")
    spent = dollars(default=Decimal(0), help_text="Dollars charged through it so far.")
    overdraft = models.BooleanField(default=False, help_text="It sets aside more than there was.")
    state = models.CharField(
        max_length=16, choices=State, default=State.OPEN, help_text="Open, or how it was closed."
    )
    expires_at = models.DateTimeField(help_text="Past this the sweeper closes it, by the database's clock.")
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=~Q(key=""), name="hold_has_a_key"),
            models.CheckConstraint(
                condition=Q(amount__gte=0, amount__lt=Decimal(10) ** 11), name="hold_is_not_negative"
            ),
            models.CheckConstraint(
                condition=Q(spent__gte=0, spent__lt=Decimal(10) ** 11), name="hold_spent_is_not_negative"
            ),
            models.UniqueConstraint(
                fields=["user"],
                condition=Q(state="open", overdraft=True),
                name="one_open_overdraft_per_user",
            ),
        ]
        indexes = [
            models.Index(fields=["user"], condition=Q(state="open"), name="hold_open_of_user"),
            models.Index(fields=["expires_at"], condition=Q(state="open"), name="hold_open_by_expiry"),
        ]

    def __str__(self) -> str:
        return f"{self.key} {self.state} {self.amount:f}"
