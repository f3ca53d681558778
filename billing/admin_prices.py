"""Prices in the admin: what is charged from a date on, and what waits to be approved."""

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from unfold.decorators import action, display

from accounts.admin_pages import NOTHING, LookPage, Table, money_column
from accounts.money import cost_dollars, exact_dollars
from billing import price_proposals
from billing.errors import ProposalDecided
from billing.models import LONG_FIELDS, RATE_FIELDS, Price, PriceProposal

APPROVE_PRICE = "billing.approve_price"
NUMBERS: Any = (
    ("A model: dollars per million tokens", {"fields": (*RATE_FIELDS, "web_search")}),
    ("A model's long prompts", {"fields": ("long_above", *LONG_FIELDS)}),
    ("Anything else", {"fields": ("per_unit",)}),
)


class DatedPage(LookPage[Any]):
    """Rows that begin at a date: a change is a new row, so old operations keep the one they were made with."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return admin.ModelAdmin.has_add_permission(self, request)


class PricePage(DatedPage):
    """What models and units cost. Of a row that exists, only whether it is offered, and where, may change."""

    list_display = (
        "item",
        "effective_from",
        "input_usd",
        "output_usd",
        "cache_read_usd",
        "per_unit_usd",
        "enabled",
        "source",
    )
    input_usd = money_column("input", written=cost_dollars)
    output_usd = money_column("output", written=cost_dollars)
    cache_read_usd = money_column("cache_read", written=cost_dollars)
    per_unit_usd = money_column("per_unit", written=cost_dollars)
    list_filter = ("enabled", "source")
    search_fields = ("item",)
    date_hierarchy = "effective_from"
    ordering = ("display_order", "item", "-effective_from")
    fieldsets = (
        (None, {"fields": ("item", "effective_from", ("enabled", "display_order"), "source")}),
        *NUMBERS,
    )

    def has_change_permission(self, request: HttpRequest, obj: Price | None = None) -> bool:
        return admin.ModelAdmin.has_change_permission(self, request, obj)

    def save_model(self, request: HttpRequest, obj: Price, form: Any, change: bool) -> None:
        """What is chosen for a model counts for its announced prices too: none switches it on again."""
        super().save_model(request, obj, form, change)
        later = Price.objects.filter(item=obj.item, effective_from__gt=obj.effective_from)
        if change:
            later.update(enabled=obj.enabled, display_order=obj.display_order)

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


class ProposalPage(LookPage[PriceProposal]):
    """Prices that syncprices found; approved they are charged, until then what was charged before stays."""

    list_display = (
        "item",
        "state_shown",
        "input_usd",
        "output_usd",
        "per_unit_usd",
        "effective_from",
        "source",
        "created_at",
    )
    input_usd = money_column("input", written=cost_dollars)
    output_usd = money_column("output", written=cost_dollars)
    per_unit_usd = money_column("per_unit", written=cost_dollars)
    list_filter = ("state",)
    list_select_related = ("decided_by",)
    search_fields = ("item",)
    search_help_text = "A model's id, or a unit's"
    date_hierarchy = "created_at"
    fieldsets = (
        (
            None,
            {
                "fields": (
                    ("item", "state"),
                    ("effective_from", "source"),
                    ("decided_by", "decided_at"),
                    "reason",
                    "created_at",
                )
            },
        ),
        *NUMBERS,
    )
    actions_detail = ("approve", "refuse")

    @display(  # type: ignore[untyped-decorator]
        description="state",
        ordering="state",
        label={"Waiting": "warning", "Approved": "success", "Refused": "danger", "Outdated": "info"},
    )
    def state_shown(self, proposal: PriceProposal) -> str:
        return PriceProposal.State(proposal.state).name.capitalize()

    def tables(self, request: HttpRequest, obj: PriceProposal) -> Iterable[Table]:
        if obj.state == PriceProposal.State.WAITING:
            yield Table(
                "What would change",
                ("Number", "Now", "Then"),
                [
                    (name.replace("_", " "), _shown(before), _shown(after))
                    for name, before, after in price_proposals.differences(obj)
                ],
            )

    def get_actions_detail(self, request: HttpRequest, object_id: str) -> list[Any]:
        """What is decided is decided."""
        proposal = self.get_object(request, str(object_id))
        if proposal is None or proposal.state != PriceProposal.State.WAITING:
            return []
        actions: list[Any] = super().get_actions_detail(request, object_id)  # type: ignore[misc]
        return actions

    def has_approve_permission(self, request: HttpRequest, _object_id: object = None) -> bool:
        return request.user.has_perm(APPROVE_PRICE)

    @action(description="Approve", icon="check", permissions=["approve"])  # type: ignore[untyped-decorator]
    def approve(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self._decide(
            request,
            object_id,
            price_proposals.approve,
            done="Approved.",
            title="Charge by this price",
            explanation="Compare it with its vendor's own page first. What was charged before stays as it was.",
            button="Approve",
        )

    @action(description="Refuse", icon="close", permissions=["approve"])  # type: ignore[untyped-decorator]
    def refuse(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self._decide(
            request,
            object_id,
            price_proposals.refuse,
            done="Refused.",
            title="Leave the price as it is",
            explanation="These numbers are not proposed again. A model that has no price stays refused.",
            button="Refuse",
        )

    def _decide(self, request: HttpRequest, object_id: str, decide: Any, **words: str) -> HttpResponse:
        def do(proposal: PriceProposal, reason: str) -> None:
            try:
                decide(proposal.pk, by=request.user.pk, reason=reason)
            except ProposalDecided as error:
                raise PermissionDenied(f"It waits no more: {error}.") from error

        return self.act(request, object_id, do, **words)


def _shown(number: Decimal | int | None) -> str:
    if number is None:
        return NOTHING
    return f"{number:,}" if isinstance(number, int) else exact_dollars(number)
