"""Money, to look at. It moves in one place only: the page that adjusts a balance, through the ledger."""

import uuid
from decimal import Decimal
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import URLPattern, path
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.decorators import display
from unfold.widgets import UnfoldAdminDecimalFieldWidget

from accounts.admin_pages import LookPage, ReasonForm, address_of, keep_in_log, money_column
from accounts.models import User
from accounts.money import dollars
from billing import ledger
from billing.errors import KeyMisused
from billing.models import LONG_FIELDS, RATE_FIELDS, BalanceOperation, Hold, Payment, Price, StarRate

ADJUST_BALANCE = "billing.adjust_balance"
NANO_PLACES = 9  # as the columns of dollars
EMPTY_DETAILS = "–"


class AdjustForm(ReasonForm):
    """How much and why. `form` is this form's own id, and the key of the operation: a second click of
    the same form finds the first click's operation."""

    amount = forms.DecimalField(
        max_digits=20,
        decimal_places=NANO_PLACES,
        min_value=-ledger.AMOUNT_MAX,
        max_value=ledger.AMOUNT_MAX,
        widget=UnfoldAdminDecimalFieldWidget(attrs={"step": "any", "autofocus": True}),
        help_text="US dollars; with a minus sign it lowers the balance.",
    )
    form = forms.UUIDField(widget=forms.HiddenInput)
    field_order = ("amount", "reason", "form")

    def clean_amount(self) -> Decimal:
        amount: Decimal = self.cleaned_data["amount"]
        if not amount:
            raise ValidationError("Nothing would change.")
        return amount


@admin.register(BalanceOperation)
class OperationPage(LookPage[BalanceOperation]):
    """Every movement of money. Written once, by the ledger; never changed, by anybody."""

    list_display = ("kind_shown", "user", "amount_usd", "after_usd", "key", "actor", "created_at")
    list_filter = ("kind",)
    list_select_related = ("user", "actor")
    search_fields = ("=key", "=user__telegram_id", "user__username")
    search_help_text = "A key, a username or a Telegram id"
    date_hierarchy = "created_at"
    fields = (
        ("kind", "user"),
        ("amount_exact", "after_exact"),
        "key",
        ("actor", "reason"),
        "details_shown",
        "created_at",
    )
    amount_usd = money_column("amount")
    after_usd = money_column("balance_after")

    @display(  # type: ignore[untyped-decorator]
        description="kind",
        ordering="kind",
        label={
            "Grant": "success",
            "Top-up": "success",
            "Gift received": "success",
            "Refund": "warning",
            "Refund given back": "warning",
            "Chargeback": "danger",
            "Adjustment by staff": "primary",
        },
    )
    def kind_shown(self, operation: BalanceOperation) -> str:
        return operation.get_kind_display()

    @admin.display(description="amount")
    def amount_exact(self, operation: BalanceOperation) -> str:
        return _exactly(operation.amount)

    @admin.display(description="balance after")
    def after_exact(self, operation: BalanceOperation) -> str:
        return _exactly(operation.balance_after)

    @admin.display(description="details")
    def details_shown(self, operation: BalanceOperation) -> SafeString | str:
        lines = [f"{name}: {value}" for name, value in operation.details.items()]
        return format_html('<pre class="starling-pre">{}</pre>', "\n".join(lines)) if lines else EMPTY_DETAILS

    def get_urls(self) -> list[URLPattern]:
        adjust = path(
            "adjust/<int:person_id>/",
            self.admin_site.admin_view(self.adjust),
            name="billing_balanceoperation_adjust",
        )
        return [adjust, *super().get_urls()]

    def adjust(self, request: HttpRequest, person_id: int) -> HttpResponse:
        """Correct a person's balance by hand, once per form, for a reason that is kept."""
        if not request.user.has_perm(ADJUST_BALANCE):
            raise PermissionDenied
        person = get_object_or_404(User, pk=person_id)
        form = AdjustForm(request.POST or None, initial={"form": uuid.uuid4()})
        if form.is_valid() and self._adjusted(request, person, form):
            return HttpResponseRedirect(address_of(person))
        held = f", of which {dollars(person.held)} is held by running turns" if person.held else ""
        return self.form_page(
            request,
            person,
            form,
            title="Adjust balance",
            explanation=f"{person.display_name} has {dollars(person.balance)}{held}.",
            button="Adjust balance",
        )

    def _adjusted(self, request: HttpRequest, person: User, form: AdjustForm) -> bool:
        """Move the money and log it; False when this form's id was used for something else."""
        amount, reason = form.cleaned_data["amount"], form.cleaned_data["reason"]
        key = f"admin:{form.cleaned_data['form']}"
        known = BalanceOperation.objects.filter(key=key).exists()
        assert request.user.pk is not None, "admin_view lets nobody else in"
        try:
            operation = ledger.adjust(
                person.pk, key=key, amount=amount, reason=reason, actor_id=request.user.pk
            )
        except KeyMisused:
            form.add_error(None, "This form was sent before with other words or numbers. Open it anew.")
            return False
        before = operation.balance_after - operation.amount
        change = f"{dollars(before)} → {dollars(operation.balance_after)}"
        if not known:
            keep_in_log(request, person, f"Adjusted the balance by {_exactly(amount)}, {change}: {reason}")
        messages.success(request, f"Balance adjusted: {change}.")
        return True


def _exactly(amount: Decimal) -> str:
    """All the digits there are."""
    shown = f"{abs(amount.normalize()):,f}"
    return f"{'−' if amount < 0 else ''}${shown}"


@admin.register(Hold)
class HoldPage(LookPage[Hold]):
    """Dollars set aside for turns. The ledger's, like operations."""

    list_display = ("key", "user", "state_shown", "amount_usd", "spent_usd", "overdraft", "expires_at")
    list_filter = ("state", "overdraft")
    list_select_related = ("user",)
    search_fields = ("=key", "=user__telegram_id", "user__username")
    search_help_text = "A key, a username or a Telegram id"
    date_hierarchy = "created_at"
    fields = (
        ("key", "user"),
        ("state", "overdraft"),
        ("amount_usd", "spent_usd"),
        ("expires_at", "created_at"),
    )
    amount_usd = money_column("amount", "set aside")
    spent_usd = money_column("spent")

    @display(  # type: ignore[untyped-decorator]
        description="state",
        ordering="state",
        label={"Open": "info", "Settled": "success", "Expired": "warning"},
    )
    def state_shown(self, hold: Hold) -> str:
        return Hold.State(hold.state).name.capitalize()


@admin.register(Payment)
class PaymentPage(LookPage[Payment]):
    """Purchases of dollars with Stars."""

    list_display = ("id", "user", "stars", "usd_shown", "state_shown", "flagged", "paid_at", "created_at")
    list_filter = ("state", "flagged")
    list_select_related = ("user",)
    search_fields = ("=charge_id", "=user__telegram_id", "user__username")
    search_help_text = "A charge id, a username or a Telegram id"
    date_hierarchy = "created_at"
    fields = (
        ("user", "state"),
        ("stars", "usd_shown"),
        ("usd_per_star", "k1", "k2", "k3"),
        "charge_id",
        ("created_at", "expires_at", "paid_at"),
        "refund_reason",
        ("flagged", "note"),
    )
    usd_shown = money_column("usd", "worth")

    @display(  # type: ignore[untyped-decorator]
        description="state",
        ordering="state",
        label={"Ordered": "info", "Paid": "success", "Refunded": "warning"},
    )
    def state_shown(self, payment: Payment) -> str:
        return payment.get_state_display()


class DatedPage(LookPage[Any]):
    """Rows that begin at a date: a change is a new row, so old operations keep the one they were made with."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return admin.ModelAdmin.has_add_permission(self, request)


@admin.register(Price)
class PricePage(DatedPage):
    """What models and units cost. Of a row that exists, only whether it is offered, and where, may change."""

    list_display = (
        "item",
        "effective_from",
        "input",
        "output",
        "cache_read",
        "per_unit",
        "enabled",
        "display_order",
        "source",
    )
    list_filter = ("enabled", "source")
    search_fields = ("item",)
    date_hierarchy = "effective_from"
    ordering = ("display_order", "item", "-effective_from")
    fieldsets = (
        (None, {"fields": (("item", "effective_from"), ("enabled", "display_order"), "source")}),
        ("A model: dollars per million tokens", {"fields": (RATE_FIELDS, "web_search")}),
        ("A model's long prompts", {"fields": ("long_above", LONG_FIELDS)}),
        ("Anything else", {"fields": ("per_unit",)}),
    )

    def has_change_permission(self, request: HttpRequest, obj: Price | None = None) -> bool:
        return admin.ModelAdmin.has_change_permission(self, request, obj)

    def get_readonly_fields(self, request: HttpRequest, obj: Price | None = None) -> tuple[str, ...]:
        if obj is None:
            return ()
        return (
            "item",
            "effective_from",
            "source",
            *RATE_FIELDS,
            "web_search",
            "long_above",
            *LONG_FIELDS,
            "per_unit",
        )


@admin.register(StarRate)
class StarRatePage(DatedPage):
    """What a Star is worth."""

    list_display = ("effective_from", "usd_per_star", "k1", "k2", "k3", "credited", "created_at")
    date_hierarchy = "effective_from"
    ordering = ("-effective_from",)
    fields = ("effective_from", "usd_per_star", "k1", "k2", "k3")

    @admin.display(description="credited for one Star")
    def credited(self, rate: StarRate) -> str:
        return dollars(rate.usd)
