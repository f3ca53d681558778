"""The tables of prices: what a model or a unit costs from a date on, and what waits to be approved."""

from decimal import Decimal
from typing import Any

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from accounts.models import Staff
from billing.columns import dollars
from billing.pricing import RATE_MAX, Rates, Tier

RATE_FIELDS = ("input", "output", "cache_read", "cache_write_5m", "cache_write_1h")
LONG_FIELDS = tuple(f"long_{name}" for name in RATE_FIELDS)


def _rate(help_text: str) -> "models.DecimalField[Any, Any]":
    return dollars(null=True, blank=True, help_text=help_text)


def _all_null(names: tuple[str, ...], null: bool) -> Q:
    return Q(**{f"{name}__isnull": null for name in names})


class PriceNumbers(models.Model):
    """What a price is made of: of a model five rates per million tokens, and five more for long prompts if its
    vendor has such a tier; of anything else (an image, a second of audio or of a sandbox) `per_unit`."""

    item = models.CharField(max_length=128, help_text="Exact model id, or the id of a unit.")
    input = _rate("Dollars per million tokens.")
    output = _rate("Dollars per million tokens, thinking included.")
    cache_read = _rate("Dollars per million tokens read from a cache.")
    cache_write_5m = _rate("Dollars per million tokens written to a cache of five minutes.")
    cache_write_1h = _rate("Dollars per million tokens written to a cache of an hour.")
    long_above = models.PositiveIntegerField(
        null=True, blank=True, help_text="Prompts of more tokens than this are charged at the long rates."
    )
    long_input = _rate("The input rate of a long prompt.")
    long_output = _rate("The output rate behind a long prompt.")
    long_cache_read = _rate("The cache read rate of a long prompt.")
    long_cache_write_5m = _rate("The rate of a long prompt's writes to a cache of five minutes.")
    long_cache_write_1h = _rate("The rate of a long prompt's writes to a cache of an hour.")
    web_search = _rate("Dollars for one web search by this model's vendor.")
    per_unit = _rate("Dollars for one unit, when this is no model.")
    display_order = models.PositiveSmallIntegerField(
        default=100, help_text="Its place among the models that are offered; the smallest first."
    )
    source = models.CharField(max_length=64, help_text="Where the numbers are from.")
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        abstract = True
        constraints = [
            models.CheckConstraint(condition=~Q(item=""), name="%(class)s_has_an_item"),
            models.CheckConstraint(
                condition=(_all_null(RATE_FIELDS, False) & Q(per_unit__isnull=True))
                | (_all_null((*RATE_FIELDS, "web_search", "long_above"), True) & Q(per_unit__isnull=False)),
                name="%(class)s_is_of_a_model_or_of_a_unit",
            ),
            models.CheckConstraint(
                condition=_all_null(("long_above", *LONG_FIELDS), True)
                | (_all_null(("long_above", *LONG_FIELDS), False) & Q(long_above__gt=0)),
                name="%(class)s_long_tier_is_whole",
            ),
            *(
                # NaN is greater than every number in PostgreSQL, so it fails the upper bound.
                models.CheckConstraint(
                    condition=Q(**{f"{name}__isnull": True})
                    | Q(**{f"{name}__gt": 0, f"{name}__lte": RATE_MAX}),
                    name=f"%(class)s_{name}_is_sane",
                )
                for name in (*RATE_FIELDS, *LONG_FIELDS, "web_search", "per_unit")
            ),
        ]

    def rates(self) -> Rates:
        """This row as `Rates`. Raises PriceUnusable when it has no usable rates."""
        tiers = [Tier(above=0, **{name: getattr(self, name) for name in RATE_FIELDS})]
        if self.long_above is not None:
            long = {name: getattr(self, f"long_{name}") for name in RATE_FIELDS}
            tiers.append(Tier(above=self.long_above, **long))
        return Rates(tiers=tuple(tiers), web_search=self.web_search or Decimal(0), price_id=self.pk)


NUMBERS = (*RATE_FIELDS, "long_above", *LONG_FIELDS, "web_search", "per_unit")


class Price(PriceNumbers):
    """What a model's tokens, or one unit of something else, cost from a date on.

    Prices are never edited: a change is a new row with a later date, so old operations keep the row they
    were made with. `enabled` and `display_order` may be edited; they count on the row in force.
    """

    effective_from = models.DateTimeField(help_text="From when on it is charged.")
    enabled = models.BooleanField(default=True, help_text="Off: nothing may be asked of it.")

    class Meta(PriceNumbers.Meta):
        constraints = [
            models.UniqueConstraint(fields=["item", "effective_from"], name="one_price_per_item_and_date"),
            *PriceNumbers.Meta.constraints,
        ]
        ordering = ["display_order", "item", "-effective_from"]

    def __str__(self) -> str:
        return f"{self.item} from {self.effective_from:%Y-%m-%d}"


class PriceProposal(PriceNumbers):
    """A price that syncprices found and staff have not approved: nothing is charged by it, nothing asked.

    Approved it becomes a Price; until then the one before stays, and what is new stays refused.
    """

    class State(models.TextChoices):
        WAITING = "waiting", "Waiting"
        APPROVED = "approved", "Approved"
        REFUSED = "refused", "Refused"
        OUTDATED = "outdated", "Outdated: the source says something newer"

    effective_from = models.DateTimeField(
        null=True, blank=True, help_text="The day its vendor announced; empty: from its approval on."
    )
    state = models.CharField(
        max_length=16, choices=State, default=State.WAITING, help_text="What became of it."
    )
    decided_by = models.ForeignKey(
        Staff,
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="+",
        help_text="Who of the staff.",
    )
    decided_at = models.DateTimeField(null=True, blank=True, help_text="When it was approved or refused.")
    reason = models.CharField(max_length=500, blank=True, help_text="Why it was approved or refused.")

    class Meta(PriceNumbers.Meta):
        constraints = [
            models.UniqueConstraint(
                fields=["item", "effective_from"],
                condition=Q(state="waiting"),
                nulls_distinct=False,
                name="one_waiting_proposal_per_item_and_date",
            ),
            *PriceNumbers.Meta.constraints,
        ]
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"{self.item} {self.state}"
