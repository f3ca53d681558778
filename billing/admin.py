"""Money, to look at. It moves in one place only: the page that adjusts a balance, through the ledger."""

from collections.abc import Mapping
from functools import partial
from typing import Any

from django.contrib import admin
from django.urls import URLPattern, path
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.decorators import display

from accounts.admin_pages import NOTHING, LookPage, link_column, money_column
from accounts.money import cost_dollars, dollars, exact_dollars
from billing import admin_adjust, admin_prices, admin_stars
from billing.models import (
    AbsorbedCost,
    BalanceOperation,
    Hold,
    Payment,
    Price,
    PriceProposal,
    StarRate,
    UnmatchedTransaction,
    Voucher,
)


def _listed(details: Mapping[str, Any]) -> SafeString | str:
    lines = [f"{name}: {value}" for name, value in details.items()]
    return format_html('<pre class="starling-pre">{}</pre>', "\n".join(lines)) if lines else NOTHING


@admin.register(BalanceOperation)
class OperationPage(LookPage[BalanceOperation]):
    """Every movement of money. Written once, by the ledger; never changed, by anybody."""

    list_display = ("kind_shown", "person", "amount_usd", "after_usd", "key", "actor", "created_at")
    list_filter = ("kind",)
    list_select_related = ("user", "actor")
    search_fields = ("=key", "=user__telegram_id", "user__username")
    search_help_text = "A key, a username or a Telegram id"
    date_hierarchy = "created_at"
    fields = (
        ("kind", "user"),
        ("amount_exact", "after_exact"),
        "cost_exact",
        "key",
        ("actor", "reason"),
        "details_shown",
        "created_at",
    )
    amount_usd = money_column("amount")
    after_usd = money_column("balance_after")
    person = link_column("user", "person")

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
        return exact_dollars(operation.amount)

    @admin.display(description="balance after")
    def after_exact(self, operation: BalanceOperation) -> str:
        return exact_dollars(operation.balance_after)

    @admin.display(description="its vendor asks")
    def cost_exact(self, operation: BalanceOperation) -> str:
        if operation.kind not in BalanceOperation.CHARGES:
            return NOTHING
        return exact_dollars(-operation.amount if operation.cost is None else operation.cost)

    @admin.display(description="details")
    def details_shown(self, operation: BalanceOperation) -> SafeString | str:
        return _listed(operation.details)

    def get_urls(self) -> list[URLPattern]:
        guarded = self.admin_site.admin_view
        adjust = guarded(partial(admin_adjust.adjust, self))
        confirm = guarded(partial(admin_adjust.confirm, self))
        return [
            path("adjust/<int:person_id>/", adjust, name="billing_balanceoperation_adjust"),
            path("confirm/<str:signed>/", confirm, name="billing_balanceoperation_confirm"),
            *super().get_urls(),
        ]


@admin.register(Hold)
class HoldPage(LookPage[Hold]):
    """Dollars set aside for turns. The ledger's, like operations."""

    list_display = ("key", "person", "state_shown", "amount_usd", "spent_usd", "overdraft", "expires_at")
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
    person = link_column("user", "person")
    amount_usd = money_column("amount", "set aside", written=cost_dollars)
    spent_usd = money_column("spent", written=cost_dollars)

    @display(  # type: ignore[untyped-decorator]
        description="state",
        ordering="state",
        label={"Open": "info", "Settled": "success", "Expired": "warning"},
    )
    def state_shown(self, hold: Hold) -> str:
        return Hold.State(hold.state).name.capitalize()


@admin.register(AbsorbedCost)
class AbsorbedCostPage(LookPage[AbsorbedCost]):
    """What vendors ask that nobody was charged for."""

    list_display = ("kind", "person", "cost_usd", "key", "created_at")
    list_filter = ("kind",)
    list_select_related = ("user",)
    search_fields = ("=key", "=user__telegram_id", "user__username")
    search_help_text = "A key, a username or a Telegram id"
    date_hierarchy = "created_at"
    fields = (("kind", "user"), "cost_exact", "key", "details_shown", "created_at")
    person = link_column("user", "person")
    cost_usd = money_column("cost")

    @admin.display(description="cost")
    def cost_exact(self, row: AbsorbedCost) -> str:
        return exact_dollars(row.cost)

    @admin.display(description="details")
    def details_shown(self, row: AbsorbedCost) -> SafeString | str:
        return _listed(row.details)


admin.site.register(Payment, admin_stars.PaymentPage)
admin.site.register(UnmatchedTransaction, admin_stars.UnmatchedPage)
admin.site.register(Voucher, admin_stars.VoucherPage)


admin.site.register(Price, admin_prices.PricePage)
admin.site.register(PriceProposal, admin_prices.ProposalPage)


@admin.register(StarRate)
class StarRatePage(admin_prices.DatedPage):
    """What a Star is worth."""

    list_display = ("effective_from", "star_usd", "kept", "credited", "created_at")
    star_usd = money_column("usd_per_star", "Telegram pays for one Star")
    date_hierarchy = "effective_from"
    ordering = ("-effective_from",)
    fields = ("effective_from", "usd_per_star", "k1", "k2", "k3")

    @admin.display(description="k1 + k2 + k3")
    def kept(self, rate: StarRate) -> str:
        return admin_stars.shares_kept(rate)

    @admin.display(description="credited for one Star")
    def credited(self, rate: StarRate) -> str:
        return dollars(rate.usd)
