"""The operator's side of the books: what vendors ask that nobody is charged for, and all accounts together."""

from decimal import Decimal

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from accounts.models import User
from billing.columns import KEY_LENGTH_MAX, ExactJSONEncoder, dollars


class AbsorbedCost(models.Model):
    """What a vendor asks for something no person was charged for: the operator's own. Never changed.

    What a charge itself leaves to the operator (a subsidy) is no row here: it stands in the operation's cost.
    """

    class Kind(models.TextChoices):
        FAILED = "failed", "A call that ended before it said anything"
        TITLE = "title", "A title that could not be used"
        LATE = "late", "An answer that came when another process had the turn"
        KILLED = "killed", "A call whose process was killed: its prompt, as we count it"
        HEARD_AGAIN = "heard_again", "A recording that two processes heard"

    key = models.CharField(
        max_length=KEY_LENGTH_MAX, unique=True, help_text="Natural id of the call it was asked for."
    )
    kind = models.CharField(max_length=16, choices=Kind, help_text="Why nobody paid for it.")
    cost = dollars(help_text="Dollars its vendor asks.")
    user = models.ForeignKey(
        User, on_delete=models.PROTECT, related_name="+", help_text="For whom it was asked."
    )
    details = models.JSONField(
        default=dict,
        blank=True,
        encoder=ExactJSONEncoder,
        help_text="Model, usage and price behind the cost.",
    )
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=~Q(key=""), name="absorbed_cost_has_a_key"),
            models.CheckConstraint(
                condition=Q(cost__gt=0, cost__lt=Decimal(10) ** 11), name="absorbed_cost_is_positive"
            ),
        ]
        indexes = [models.Index(fields=["created_at"], name="absorbed_cost_by_time")]
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"{self.kind} {self.cost:f}"


class BookAccount(models.Model):
    """Double entry: every account and what stands in it. A view over the rows; its sum is always zero.

    `people` is what all people have. The operator's accounts: `stars` and `given` (what was credited for
    Stars, and for nothing: grants, adjustments), `vendors` (all that vendors asked), `margin` (what was
    charged beyond what vendors asked, below zero where a subsidy is larger) and `absorbed`.
    """

    account = models.CharField(max_length=16, primary_key=True, help_text="Its name.")
    amount = dollars(help_text="Dollars; what is owed to the account is above zero.")

    class Meta:
        managed = False
        db_table = "billing_books"
        ordering = ["account"]

    def __str__(self) -> str:
        return f"{self.account} {self.amount:f}"
