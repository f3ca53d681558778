"""Vouchers: dollars behind a code."""

from decimal import Decimal

from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now

from accounts.models import Staff, User
from billing.columns import dollars

CODE_LENGTH_MAX = 40
ALONE_MAX = Decimal(
    50
)  # dollars a voucher may give away in all on one person's word; beyond, another confirms


class Voucher(models.Model):
    """A code that is worth dollars, to so many people, once each."""

    code = models.CharField(
        max_length=CODE_LENGTH_MAX, unique=True, help_text="In capitals; people may type it in small letters."
    )
    usd = dollars(help_text="Dollars for each person.")
    uses = models.PositiveIntegerField(default=1, help_text="How many people may redeem it.")
    used = models.PositiveIntegerField(default=0, editable=False, help_text="How many have.")
    expires_at = models.DateTimeField(null=True, blank=True, help_text="Good until then; empty: for ever.")
    reason = models.CharField(max_length=500, help_text="Why it was made.")
    made_by = models.ForeignKey(
        Staff, on_delete=models.PROTECT, related_name="+", editable=False, help_text="Who of the staff."
    )
    confirmed_by = models.ForeignKey(
        Staff,
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="+",
        editable=False,
        help_text="Of a large one: who else of the staff agreed.",
    )
    confirmed_at = models.DateTimeField(
        null=True, blank=True, editable=False, help_text="When they did; until then nobody can redeem it."
    )
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=~Q(code="") & ~Q(reason=""), name="voucher_has_code_and_reason"),
            models.CheckConstraint(
                condition=Q(usd__gt=0, usd__lte=Decimal(1000)), name="voucher_usd_is_sane"
            ),
            models.CheckConstraint(condition=Q(used__lte=F("uses")), name="voucher_is_not_overused"),
            models.CheckConstraint(
                condition=Q(used=0) | Q(confirmed_at__isnull=False) | Q(uses__lte=ALONE_MAX / F("usd")),
                name="voucher_large_is_confirmed_before_it_is_used",
            ),
            models.CheckConstraint(
                condition=Q(confirmed_by__isnull=True) | ~Q(confirmed_by=F("made_by")),
                name="voucher_is_confirmed_by_somebody_else",
            ),
        ]
        ordering = ["-id"]

    def __str__(self) -> str:
        return self.code

    @property
    def waits(self) -> bool:
        """Must somebody else confirm it before it is good?"""
        return self.confirmed_at is None and self.usd * self.uses > ALONE_MAX


class VoucherUse(models.Model):
    """One person has redeemed one voucher."""

    voucher = models.ForeignKey(
        Voucher, on_delete=models.PROTECT, related_name="redeemed", help_text="Which code."
    )
    user = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+", help_text="Who redeemed it.")
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["voucher", "user"], name="once_per_voucher_and_person"),
        ]
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"{self.voucher} by {self.user}"


class WrongCode(models.Model):
    """Somebody tried a code that is none; kept for an hour, so that nobody tries them all."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+", help_text="Who tried.")
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        indexes = [models.Index(fields=["user", "created_at"], name="wrong_code_of_user")]

    def __str__(self) -> str:
        return f"wrong code of {self.user_id}"
