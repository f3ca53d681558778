"""People, staff and groups; the audit trail stands in a file of its own."""

from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin, UserAdmin
from django.contrib.auth.models import Group
from django.db.models import OuterRef, QuerySet, Subquery, Sum
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.template.defaultfilters import filesizeformat
from django.urls import reverse
from unfold.decorators import action, display
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm

from accounts import blocking
from accounts.admin_pages import (
    NOTHING,
    Table,
    WordsPage,
    keep_in_log,
    link_to,
    list_address,
    money_column,
    when,
)
from accounts.admin_trail import LogPage
from accounts.export import as_csv
from accounts.models import Staff, User
from accounts.money import cost_dollars, dollars

if TYPE_CHECKING:
    from django.contrib.admin import ModelAdmin
else:
    from unfold.admin import ModelAdmin

__all__ = ["GroupPage", "LogPage", "PersonPage", "StaffPage"]

LATEST = 10  # rows of each table on a person's page
BLOCK_PERSON = "accounts.block_person"
ALLOW_SPENDING = "accounts.allow_spending"
ADJUST_BALANCE = "billing.adjust_balance"
EXPORT = "accounts.export_rows"
Operation: Any = User._meta.get_field("operations").related_model  # billing's, which this app may not import


class Standing(admin.SimpleListFilter):
    """Who may use the bot, and who may not."""

    title = "standing"
    parameter_name = "standing"
    LOOKUPS: dict[str, tuple[str, dict[str, Any]]] = {
        "blocked": ("Blocked by staff", {"blocked_at__isnull": False}),
        "spending": ("Spending blocked", {"spending_blocked_at__isnull": False}),
        "unreachable": ("Blocked the bot", {"unreachable_at__isnull": False}),
        "in_debt": ("Balance below zero", {"balance__lt": 0}),
    }

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterable[tuple[str, str]]:
        return [(name, words) for name, (words, _) in self.LOOKUPS.items()]

    def queryset(self, request: HttpRequest, queryset: QuerySet[User]) -> QuerySet[User]:
        chosen = self.LOOKUPS.get(self.value() or "")
        return queryset.filter(**chosen[1]) if chosen else queryset


@admin.register(User)
class PersonPage(WordsPage[User]):
    """A person on Telegram: what they have, what they did, and what staff may do about it."""

    list_display = (
        "name", "username", "telegram_id", "balance_usd", "held_usd", "spent_usd", "standing", "last_seen_at",
    )  # fmt: skip
    list_display_links = ("name",)
    list_filter = (Standing, "is_premium", "telegram_language")
    search_fields = ("=telegram_id", "username", "first_name", "last_name")
    search_help_text = "A name, an @username or a Telegram id"
    date_hierarchy = "created_at"
    actions_list = ("export_people", "export_operations")
    words = ("instructions",)
    closed = ("instructions",)
    fieldsets = (
        (
            None,
            {
                "fields": (
                    ("first_name", "last_name"),
                    ("username", "telegram_id"),
                    ("telegram_language", "is_premium"),
                    ("created_at", "last_seen_at"),
                )
            },
        ),
        (
            "Money",
            {"fields": (("balance_usd", "held_usd"), ("available_usd", "spent_usd"), "spending_blocked_at")},
        ),
        ("Standing", {"fields": (("blocked_at", "blocked_reason"), "unreachable_at")}),
        (
            "Preferences",
            {
                "fields": (
                    ("language", "model"),
                    ("rendering", "live_drafts"),
                    ("receipts", "transcripts"),
                    ("daily_cap_usd", "retention"),
                )
            },
        ),
    )
    actions_detail = (
        "adjust_balance",
        "block",
        "unblock",
        "allow_spending",
        "read_the_words",
    )

    balance_usd = money_column("balance")
    held_usd = money_column("held", written=cost_dollars)
    available_usd = money_column("available")
    daily_cap_usd = money_column("daily_cap")

    def get_queryset(self, request: HttpRequest) -> QuerySet[User]:
        """With what each has spent in all; PostgreSQL adds it up for the rows of a page only."""
        charges = Operation.objects.filter(user=OuterRef("pk"), kind__in=Operation.CHARGES).order_by()
        spent = charges.values("user").annotate(dollars=-Sum("amount")).values("dollars")
        return super().get_queryset(request).annotate(spent=Subquery(spent))

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[User], search_term: str
    ) -> tuple[QuerySet[User], bool]:
        """@name is a username as people write it."""
        words = " ".join(word.removeprefix("@") for word in search_term.split())
        return super().get_search_results(request, queryset, words)

    @admin.display(description="spent")
    def spent_usd(self, person: User) -> str:
        return cost_dollars(getattr(person, "spent", None) or Decimal(0))

    def has_export_permission(self, request: HttpRequest, _object_id: object = None) -> bool:
        return request.user.has_perm(EXPORT)

    @action(description="Export people", icon="download", permissions=["export"])  # type: ignore[untyped-decorator]
    def export_people(self, request: HttpRequest) -> HttpResponseBase:
        fields = (
            "id", "telegram_id", "username", "first_name", "last_name", "telegram_language", "balance", "held",
            "blocked_at", "blocked_reason", "last_seen_at", "created_at",
        )  # fmt: skip
        return self._export(request, "people", fields, User.objects.order_by("pk"))

    @action(description="Export operations", icon="receipt_long", permissions=["export"])  # type: ignore[untyped-decorator]
    def export_operations(self, request: HttpRequest) -> HttpResponseBase:
        fields = (
            "id", "user_id", "user__telegram_id", "kind", "amount", "balance_after", "key", "actor__username",
            "reason", "created_at",
        )  # fmt: skip
        return self._export(request, "operations", fields, Operation.objects.order_by("pk"))

    def _export(
        self, request: HttpRequest, name: str, fields: Sequence[str], rows: QuerySet[Any]
    ) -> HttpResponseBase:
        assert isinstance(request.user, Staff)
        keep_in_log(request, request.user, f"Exported {name}.")
        return as_csv(request, name, fields, rows.values_list(*fields).iterator(chunk_size=2000))

    @display(description="name", header=False, ordering="first_name")  # type: ignore[untyped-decorator]
    def name(self, person: User) -> str:
        return person.display_name

    @display(  # type: ignore[untyped-decorator]
        description="standing",
        label={"Blocked": "danger", "No spending": "warning", "Left": "info", "Fine": "success"},
    )
    def standing(self, person: User) -> str:
        if person.blocked_at:
            return "Blocked"
        if person.spending_blocked_at:
            return "No spending"
        return "Left" if person.unreachable_at else "Fine"

    def get_actions_detail(self, request: HttpRequest, object_id: str) -> list[Any]:
        """Blocking for those who are not blocked, and the other way round."""
        person = User.objects.filter(pk=object_id).only("blocked_at", "spending_blocked_at").first()
        pointless = {"unblock", "allow_spending"}
        if person is not None:
            pointless = {
                "block" if person.blocked_at else "unblock",
                "" if person.spending_blocked_at else "allow_spending",
            }
        actions: list[Any] = super().get_actions_detail(request, object_id)  # type: ignore[misc]
        return [one for one in actions if one.path.removesuffix("/") not in pointless]

    # unfold hands the row's number over as the second argument.
    def has_adjust_balance_permission(self, request: HttpRequest, _object_id: object = None) -> bool:
        return request.user.has_perm(ADJUST_BALANCE)

    def has_block_permission(self, request: HttpRequest, _object_id: object = None) -> bool:
        return request.user.has_perm(BLOCK_PERSON)

    def has_allow_spending_permission(self, request: HttpRequest, _object_id: object = None) -> bool:
        return request.user.has_perm(ALLOW_SPENDING)

    @action(description="Adjust balance", icon="paid", permissions=["adjust_balance"])  # type: ignore[untyped-decorator]
    def adjust_balance(self, request: HttpRequest, object_id: str) -> HttpResponse:
        person = self.found(request, object_id)
        return HttpResponseRedirect(reverse("admin:billing_balanceoperation_adjust", args=[person.pk]))

    @action(description="Block", icon="block", permissions=["block"])  # type: ignore[untyped-decorator]
    def block(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self.act(
            request,
            object_id,
            blocking.block,
            done="Blocked.",
            title="Block this person",
            explanation="Nothing they write will be answered until they are unblocked. Their money stays theirs.",
            button="Block",
        )

    @action(description="Unblock", icon="lock_open", permissions=["block"])  # type: ignore[untyped-decorator]
    def unblock(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self.act(
            request,
            object_id,
            lambda person, _: blocking.unblock(person),
            done="Unblocked.",
            title="Unblock this person",
            explanation="What they write will be answered again.",
            button="Unblock",
        )

    @action(description="Allow spending", icon="credit_score", permissions=["allow_spending"])  # type: ignore[untyped-decorator]
    def allow_spending(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self.act(
            request,
            object_id,
            lambda person, _: blocking.allow_spending(person),
            done="Spending allowed.",
            title="Allow this person to spend again",
            explanation=(
                "The audit found that their balance was not the sum of their operations. Find out why first: "
                "if the sums still disagree, the next audit blocks them again."
            ),
            button="Allow spending",
        )

    def tables(self, request: HttpRequest, obj: User) -> Iterable[Table]:
        """The latest of what belongs to them; the tables of higher apps are reached from the person."""
        for permission, table in (
            ("billing.view_balanceoperation", _operations),
            ("conversations.view_turn", _turns),
            ("conversations.view_userfile", _files),
            ("billing.view_payment", _payments),
            ("tools.view_toolcall", _tool_calls),
        ):
            if request.user.has_perm(permission):
                yield table(obj)


def _operations(obj: User) -> Table:
    operations = obj.operations.all()[:LATEST]
    return Table(
        "Latest operations",
        ("Operation", "Amount", "Balance after", "Reason", "When"),
        [
            (
                link_to(row, row.get_kind_display()),
                dollars(row.amount),
                dollars(row.balance_after),
                row.reason or NOTHING,
                when(row.created_at),
            )
            for row in operations
        ],
        list_address(obj.operations.model, user__id__exact=obj.pk),
    )


def _turns(obj: User) -> Table:
    turns = obj.turns.order_by("-pk")[:LATEST]
    return Table(
        "Latest turns",
        ("Turn", "State", "Model", "Steps", "Cost", "When"),
        [
            (
                link_to(row),
                row.get_state_display(),
                row.model,
                str(row.steps),
                cost_dollars(row.cost),
                when(row.created_at),
            )
            for row in turns
        ],
        list_address(obj.turns.model, user__id__exact=obj.pk),
    )


def _files(obj: User) -> Table:
    files = obj.files.order_by("-pk")[:LATEST]
    return Table(
        "Latest files",
        ("File", "Kind", "Size", "Made by", "When"),
        [
            (
                link_to(row, row.short_id),
                row.mime,
                filesizeformat(row.size),
                row.made_by or "the person",
                when(row.created_at),
            )
            for row in files
        ],
        list_address(obj.files.model, user__id__exact=obj.pk),
    )


def _payments(obj: User) -> Table:
    payments = obj.payments.all()[:LATEST]
    return Table(
        "Latest payments",
        ("Payment", "State", "Worth", "When"),
        [(link_to(row), row.get_state_display(), dollars(row.usd), when(row.created_at)) for row in payments],
        list_address(obj.payments.model, user__id__exact=obj.pk),
    )


def _tool_calls(obj: User) -> Table:
    calls = obj.tool_calls.order_by("-started_at")[:LATEST]
    return Table(
        "Latest tool calls",
        ("Tool", "Status", "Seconds", "Cost", "When"),
        [
            (
                link_to(row, row.name),
                row.get_status_display(),
                f"{row.seconds:.1f}",
                cost_dollars(row.cost),
                when(row.started_at),
            )
            for row in calls
        ],
        list_address(obj.tool_calls.model, user__id__exact=obj.pk),
    )


admin.site.unregister(Group)


@admin.register(Group)
class GroupPage(GroupAdmin, ModelAdmin[Group]):
    """What staff of one kind may do."""


@admin.register(Staff)
class StaffPage(UserAdmin[Staff], ModelAdmin[Staff]):
    """Somebody who works here. Who may do what is for superusers to say."""

    form = UserChangeForm
    add_form = UserCreationForm
    change_password_form = AdminPasswordChangeForm
    list_display = ("username", "first_name", "last_name", "is_active", "is_superuser", "last_login")
    list_filter = ("is_active", "is_superuser", "groups")
    raw_id_fields = ("person",)
    fieldsets = (
        (None, {"fields": ("username", "password")}),
        ("Who", {"fields": ("first_name", "last_name", "email", "person")}),
        ("Rights", {"fields": ("is_active", "is_staff", "is_superuser", "groups", "user_permissions")}),
        ("Dates", {"fields": ("last_login", "date_joined")}),
    )

    def has_add_permission(self, request: HttpRequest) -> bool:
        return _is_superuser(request)

    def has_change_permission(self, request: HttpRequest, obj: Staff | None = None) -> bool:
        return _is_superuser(request)

    def has_delete_permission(self, request: HttpRequest, obj: Staff | None = None) -> bool:
        """Nobody: what staff did stays with their name. An account is made inactive instead."""
        return False


def _is_superuser(request: HttpRequest) -> bool:
    return bool(request.user.is_active and request.user.is_superuser)
