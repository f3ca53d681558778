"""Stars and vouchers in the admin: what was paid, what goes back, what matches nothing, codes to give out."""

import secrets
from collections.abc import Iterable
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.db.models.functions import Now
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from unfold.decorators import action, display
from unfold.widgets import UnfoldBooleanSwitchWidget

from accounts.admin_pages import (
    LookPage,
    ReasonForm,
    Table,
    address_of,
    keep_in_log,
    link_column,
    link_to,
    list_address,
    money_column,
    when,
)
from accounts.models import Staff
from accounts.money import dollars
from billing import reconcile, refunds, vouchers
from billing.errors import RefundRefused
from billing.models import Payment, Reconciliation, StarRate, UnmatchedTransaction, Voucher

REFUND_PAYMENT = "billing.refund_payment"
CODE_BYTES = 5  # of chance in a code we make up: 2^40, and five tries an hour
USES_SHOWN = 20
WHY_NOT = {
    "already": "It was given back already, or is on its way.",
    "unknown": "It was never paid.",
    "old": "It is older than 30 days. Force it if that is meant.",
    "spent": "Less is available than was credited for it. Force it if the balance may fall below zero.",
}


def shares_kept(rate: Payment | StarRate) -> str:
    """What is kept of a Star before it becomes dollars on a balance: by Telegram's ways, by us."""
    return " + ".join(f"{(share * 100).normalize():f} %" for share in (rate.k1, rate.k2, rate.k3))


class RefundForm(ReasonForm):
    """Why a payment goes back, and whether that may cost more than there is."""

    force = forms.BooleanField(
        required=False,
        widget=UnfoldBooleanSwitchWidget(),
        help_text="Also when it is older than 30 days or its dollars are spent: the balance may fall below zero.",
    )


class PaymentPage(LookPage[Payment]):
    """Purchases of dollars with Stars."""

    list_display = ("id", "person", "stars", "usd_shown", "state_shown", "flagged", "paid_at", "created_at")
    list_filter = ("state", "flagged", "monthly")
    list_select_related = ("user",)
    search_fields = ("=charge_id", "=user__telegram_id", "user__username")
    search_help_text = "A charge id, a username or a Telegram id"
    date_hierarchy = "created_at"
    fields = (
        ("user", "state"),
        ("stars", "usd_shown"),
        ("star_usd", "kept"),
        "charge_id",
        ("package", "further_of"),
        ("created_at", "expires_at"),
        ("paid_at", "receipt_sent_at"),
        ("monthly", "subscription_until"),
        "subscription",
        ("refund_reason", "refund_actor"),
        ("refund_forced", "refund_called_at"),
        ("flagged", "note"),
    )
    person = link_column("user", "person")
    further_of = link_column("order", "of the order")
    usd_shown = money_column("usd", "worth")
    star_usd = money_column("usd_per_star", "Telegram pays for one Star")
    actions_detail = ("refund", "looked_at")
    actions_list = ("reconcile_now",)

    @display(  # type: ignore[untyped-decorator]
        description="state",
        ordering="state",
        label={
            "Ordered": "info",
            "Paid": "success",
            "Refunded": "warning",
            "Refund refused, dollars given back": "danger",
        },
    )
    def state_shown(self, payment: Payment) -> str:
        return payment.get_state_display()

    @admin.display(description="k1 + k2 + k3")
    def kept(self, payment: Payment) -> str:
        return shares_kept(payment)

    # unfold hands the row's number over as the second argument.
    def has_refund_permission(self, request: HttpRequest, _object_id: object = None) -> bool:
        return request.user.has_perm(REFUND_PAYMENT)

    def get_actions_detail(self, request: HttpRequest, object_id: str) -> list[Any]:
        """No button that could only say no."""
        payment = self.get_object(request, str(object_id))
        actions: list[Any] = super().get_actions_detail(request, object_id)  # type: ignore[misc]
        pointless = {
            "refund" if payment is None or payment.state not in Payment.KEPT else "",
            "looked-at" if payment is None or not payment.flagged else "",
        }
        return [one for one in actions if one.path.removesuffix("/").replace("_", "-") not in pointless]

    @action(description="Refund", icon="undo", permissions=["refund"])  # type: ignore[untyped-decorator]
    def refund(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask for a refund; the bot, which has the token, makes it within half a minute."""
        payment = self.found(request, object_id)
        form = RefundForm(request.POST or None)
        if form.is_valid():
            reason, force = form.cleaned_data["reason"], form.cleaned_data["force"]
            try:
                refunds.request(payment.pk, by_staff=request.user.pk, reason=reason, force=force)
            except RefundRefused as refused:
                form.add_error(None, WHY_NOT[refused.key])
            else:
                forced = " by force" if force else ""
                keep_in_log(request, payment, f"Asked for a refund{forced}: {reason}")
                messages.success(request, "The refund is asked for. The bot makes it within half a minute.")
                return HttpResponseRedirect(address_of(payment))
        worth = f"{payment.stars} Stars go back, {dollars(payment.usd)} leave the balance"
        person = payment.user
        return self.form_page(
            request,
            payment,
            form,
            title="Refund this payment",
            explanation=f"{worth}. {person.display_name} has {dollars(person.available)} available.",
            button="Refund",
        )

    @action(description="Looked at", icon="flag", permissions=["refund"])  # type: ignore[untyped-decorator]
    def looked_at(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self.act(
            request,
            object_id,
            lambda payment, _: Payment.objects.filter(pk=payment.pk).update(flagged=False),
            done="Looked at.",
            title="Take the flag off",
            explanation="The note stays. Say what you found.",
            button="Take off",
        )

    @action(description="Reconcile now", icon="sync", permissions=["refund"])  # type: ignore[untyped-decorator]
    def reconcile_now(self, request: HttpRequest) -> HttpResponse:
        """Have the bot compare Telegram's list with these rows."""
        reconcile.ask()
        row = Reconciliation.objects.get(pk=1)
        last = f" The last run, {when(row.ran_at)} UTC: {row.found}." if row.ran_at else ""
        messages.success(request, f"The bot compares with Telegram's list within half a minute.{last}")
        return HttpResponseRedirect(list_address(Payment))


class Settled(admin.SimpleListFilter):
    """What still has to be looked at."""

    title = "looked at"
    parameter_name = "settled"

    def lookups(self, request: HttpRequest, model_admin: object) -> list[tuple[str, str]]:
        return [("no", "Not yet"), ("yes", "Yes")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if self.value() not in ("no", "yes"):
            return queryset
        return queryset.filter(settled_at__isnull=self.value() == "no")


class UnmatchedPage(LookPage[UnmatchedTransaction]):
    """Star transactions of Telegram's that belong to no payment of ours: withdrawals, gifts, riddles."""

    list_display = ("id", "incoming", "stars", "partner", "happened_at", "settled_at")
    list_filter = (Settled, "incoming")
    search_fields = ("=transaction_id",)
    search_help_text = "Telegram's id of the transaction"
    date_hierarchy = "happened_at"
    fields = (
        ("transaction_id", "incoming"),
        ("stars", "partner"),
        ("happened_at", "created_at"),
        ("settled_at", "settled_reason"),
    )
    actions_detail = ("settle",)

    def has_settle_permission(self, request: HttpRequest, _object_id: object = None) -> bool:
        return request.user.has_perm(REFUND_PAYMENT)

    @action(description="Looked at", icon="done", permissions=["settle"])  # type: ignore[untyped-decorator]
    def settle(self, request: HttpRequest, object_id: str) -> HttpResponse:
        def do(row: UnmatchedTransaction, reason: str) -> None:
            UnmatchedTransaction.objects.filter(pk=row.pk).update(settled_at=Now(), settled_reason=reason)

        return self.act(
            request,
            object_id,
            do,
            done="Looked at.",
            title="This transaction is explained",
            explanation="Say what it was. No balance changes; adjust one if somebody is owed something.",
            button="Looked at",
        )


class VoucherPage(LookPage[Voucher]):
    """Codes that are worth dollars. A voucher is never changed; it is closed, and a new one made."""

    list_display = (
        "code",
        "usd_shown",
        "uses_shown",
        "good",
        "expires_at",
        "reason",
        "made_by",
        "created_at",
    )
    list_select_related = ("made_by",)
    search_fields = ("code", "reason")
    search_help_text = "A code, or a word of its reason"
    date_hierarchy = "created_at"
    fields = ("code", ("usd", "uses"), "expires_at", "reason")
    readonly_fields = ("made_by", "confirmed_by", "confirmed_at")
    usd_shown = money_column("usd", "worth")
    actions_detail = ("confirm", "close")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return admin.ModelAdmin.has_add_permission(self, request)

    def has_confirm_permission(self, request: HttpRequest, object_id: object = None) -> bool:
        """Who may make one may confirm another's."""
        return self.has_add_permission(request)

    def get_actions_detail(self, request: HttpRequest, object_id: str) -> list[Any]:
        voucher = self.get_object(request, str(object_id))
        may = voucher is not None and voucher.waits and voucher.made_by != request.user
        actions: list[Any] = super().get_actions_detail(request, object_id)  # type: ignore[misc]
        return [one for one in actions if may or one.path.removesuffix("/") != "confirm"]

    def get_fields(self, request: HttpRequest, obj: Voucher | None = None) -> Any:
        """Who made it and who agreed, once it is there."""
        return self.fields if obj is None else (*self.fields, ("made_by", "confirmed_by"), "confirmed_at")

    @admin.display(description="good", boolean=True)
    def good(self, voucher: Voucher) -> bool:
        return not voucher.waits

    def has_close_permission(self, request: HttpRequest, _object_id: object = None) -> bool:
        return self.has_add_permission(request)

    @admin.display(description="used", ordering="used")
    def uses_shown(self, voucher: Voucher) -> str:
        return f"{voucher.used} of {voucher.uses}"

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        return {"code": secrets.token_hex(CODE_BYTES).upper(), "uses": 1}

    def save_model(self, request: HttpRequest, obj: Voucher, form: Any, change: bool) -> None:
        if not isinstance(request.user, Staff):
            raise PermissionDenied
        obj.code, obj.made_by = obj.code.strip().upper(), request.user
        super().save_model(request, obj, form, change)
        if obj.waits:
            worth = dollars(obj.usd * obj.uses)
            messages.warning(
                request,
                f"It gives away {worth} in all: it is good once somebody else who may make vouchers confirms it "
                "on its page.",
            )

    @action(description="Confirm", icon="done_all", permissions=["confirm"])  # type: ignore[untyped-decorator]
    def confirm(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """The second pair of eyes for a voucher that gives away much."""
        voucher = self.found(request, object_id)
        assert request.user.pk is not None, "admin pages let nobody else in"
        who = request.user.pk
        if not voucher.waits or voucher.made_by_id == who:
            raise PermissionDenied("Somebody else than who made it confirms a voucher, once.")
        return self.act(
            request,
            object_id,
            lambda voucher, _: vouchers.confirm(voucher.pk, by=who),
            done="Confirmed.",
            title=f"Confirm this voucher of {dollars(voucher.usd * voucher.uses)} in all",
            explanation=f"{voucher.made_by} made it: {voucher.reason} From now on {voucher.uses} may redeem it.",
            button="Confirm",
        )

    @action(description="Close", icon="block", permissions=["close"])  # type: ignore[untyped-decorator]
    def close(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self.act(
            request,
            object_id,
            lambda voucher, _: Voucher.objects.filter(pk=voucher.pk).update(expires_at=Now()),
            done="Closed.",
            title="Close this voucher",
            explanation="Nobody else can redeem it. What was redeemed stays.",
            button="Close",
        )

    def tables(self, request: HttpRequest, obj: Voucher) -> Iterable[Table]:
        rows = obj.redeemed.select_related("user")[:USES_SHOWN]
        yield Table(
            f"Redeemed by {obj.used} of {obj.uses}",
            ("Person", "When"),
            [(link_to(row.user), when(row.created_at)) for row in rows],
        )
