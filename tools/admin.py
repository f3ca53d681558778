"""The history of tool calls."""

from collections.abc import Iterable
from datetime import timedelta
from decimal import Decimal
from typing import Any

from django.contrib import admin
from django.core.cache import cache
from django.db.models import Count, F, Q, QuerySet, Sum
from django.db.models.functions import Coalesce, Now
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from unfold.decorators import display

from accounts.admin_pages import NOTHING, WordsPage, link_column, money_column, pre_column
from accounts.money import cost_dollars
from tools.models import LongRun, ToolCall

SUMMED_OVER = timedelta(days=30)
SUMS_SECONDS = 60  # how old the sums above the list may be
SUMS_KEY = "tools:sums:1"
Status = ToolCall.Status


class Cost(admin.SimpleListFilter):
    """What a call cost."""

    title = "cost"
    parameter_name = "cost"
    LOOKUPS: dict[str, tuple[str, dict[str, Any]]] = {
        "free": ("Nothing", {"cost": 0}),
        "paid": ("Something", {"cost__gt": 0}),
        "cent": ("A cent and more", {"cost__gte": Decimal("0.01")}),
        "dime": ("Ten cents and more", {"cost__gte": Decimal("0.10")}),
    }

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterable[tuple[str, str]]:
        return [(name, words) for name, (words, _) in self.LOOKUPS.items()]

    def queryset(self, request: HttpRequest, queryset: QuerySet[ToolCall]) -> QuerySet[ToolCall]:
        chosen = self.LOOKUPS.get(self.value() or "")
        return queryset.filter(**chosen[1]) if chosen else queryset


class Slow(admin.SimpleListFilter):
    """How long a call took."""

    title = "time"
    parameter_name = "seconds"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterable[tuple[str, str]]:
        return [("1", "A second and more"), ("10", "10 seconds and more"), ("60", "A minute and more")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[ToolCall]) -> QuerySet[ToolCall]:
        chosen = self.value()
        return queryset.filter(seconds__gte=int(chosen)) if chosen in {"1", "10", "60"} else queryset


def sums() -> list[dict[str, str]]:
    """Each tool's runs, failures, seconds and dollars of the last days, the most used first."""
    kept: list[dict[str, str]] | None = cache.get(SUMS_KEY)
    if kept is not None:
        return kept
    rows = list(
        ToolCall.objects.filter(started_at__gte=timezone.now() - SUMMED_OVER)
        .order_by()
        .values("name")
        .annotate(
            runs=Count("*"),
            failures=Count("pk", filter=Q(status__in=(Status.FAILED, Status.TIMED_OUT, Status.INTERRUPTED))),
            took=Sum("seconds"),
            dollars=Sum("cost"),
        )
        .order_by("-runs")
    )
    most = max((row["runs"] for row in rows), default=1)
    made = [
        {
            "name": row["name"],
            "value": f"{row['runs']:,} runs",
            "percent": f"{100 * row['runs'] / most:.1f}",
            "note": (
                f"{row['failures']:,} failed ({100 * row['failures'] / row['runs']:.0f} %) · "
                f"{row['took'] / row['runs']:.1f} s each · {cost_dollars(row['dollars'])}"
            ),
        }
        for row in rows
    ]
    cache.set(SUMS_KEY, made, SUMS_SECONDS)
    return made


@admin.register(ToolCall)
class ToolCallPage(WordsPage[ToolCall]):
    """One run of one tool."""

    list_display = ("name", "person", "turn_link", "status_shown", "took", "cost_usd", "started_at")
    list_filter = ("status", "name", Cost, Slow)
    list_before_template = "admin/tool_sums.html"
    list_select_related = ("user", "turn")
    search_fields = ("=call_id", "=user__telegram_id", "user__username")
    search_help_text = "A call id, a username or a Telegram id"
    date_hierarchy = "started_at"
    ordering = ("-started_at",)
    fields = (
        ("name", "status"),
        ("user", "cost_usd"),
        ("thread", "turn"),
        ("started_at", "took"),
        ("call_id", "files"),
    )
    words = ("arguments_shown", "result_shown", "error_shown")
    closed = ("arguments", "result", "error")
    person = link_column("user", "person")
    turn_link = link_column("turn")
    cost_usd = money_column("cost", written=cost_dollars)
    arguments_shown = pre_column("arguments")
    result_shown = pre_column("result")
    error_shown = pre_column("error")

    @admin.display(description="seconds", ordering="seconds")
    def took(self, call: ToolCall) -> str:
        return f"{call.seconds:.2f}"

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        table = {"title": f"The last {SUMMED_OVER.days} days", "rows": sums()}
        return super().changelist_view(request, {**(extra_context or {}), "table": table})

    @display(  # type: ignore[untyped-decorator]
        description="status",
        ordering="status",
        label={"Done": "success", "Failed": "danger", "Refused": "warning", "Timed out": "danger"},
    )
    def status_shown(self, call: ToolCall) -> str:
        return call.get_status_display()


class Took(admin.SimpleListFilter):
    """How long a run took, or has taken so far."""

    title = "time"
    parameter_name = "took"
    AT_LEAST = {"10": "10 seconds and more", "60": "A minute and more", "600": "10 minutes and more"}

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterable[tuple[str, str]]:
        return self.AT_LEAST.items()

    def queryset(self, request: HttpRequest, queryset: QuerySet[LongRun]) -> QuerySet[LongRun]:
        chosen = self.value()
        if chosen not in self.AT_LEAST:
            return queryset
        return queryset.annotate(until=Coalesce("ended_at", Now())).filter(
            until__gte=F("created_at") + timedelta(seconds=int(chosen))
        )


@admin.register(LongRun)
class LongRunPage(WordsPage[LongRun]):
    """A tool call on its way through a worker; kept for a day."""

    list_display = (
        "name",
        "person",
        "turn_link",
        "state_shown",
        "attempts",
        "took",
        "cost_usd",
        "created_at",
    )
    list_filter = ("state", "name", Took, ("created_at", admin.DateFieldListFilter))
    list_select_related = ("user", "turn")
    search_fields = ("=call_id", "=user__telegram_id", "user__username")
    search_help_text = "A call id, a username or a Telegram id"
    date_hierarchy = "created_at"
    ordering = ("-created_at",)
    fields = (
        ("name", "state"),
        ("user", "cost_usd"),
        ("thread", "turn"),
        ("created_at", "ended_at"),
        ("took", "attempts"),
        ("asked_at", "lease_until"),
        ("call_id", "lease_owner"),
    )
    words = ("arguments_shown", "progress_shown", "text_shown", "files_shown", "deliveries_shown")
    closed = ("arguments", "progress", "text", "files", "deliveries")
    person = link_column("user", "person")
    turn_link = link_column("turn")
    cost_usd = money_column("cost")
    arguments_shown = pre_column("arguments")
    progress_shown = pre_column("progress", "last line")
    text_shown = pre_column("text", "what the model is told")
    deliveries_shown = pre_column("deliveries", "files of the thread that go along")

    @admin.display(description="files it made")
    def files_shown(self, run: LongRun) -> str:
        return ", ".join(f"{file['name']} ({file['mime']})" for file in run.files) or NOTHING

    @admin.display(description="seconds")
    def took(self, run: LongRun) -> str:
        return f"{((run.ended_at or timezone.now()) - run.created_at).total_seconds():.1f}"

    @display(  # type: ignore[untyped-decorator]
        description="state",
        ordering="state",
        label={
            "Done": "success",
            "Running": "info",
            "Failed": "danger",
            "Crashed": "danger",
            "Interrupted": "danger",
            "Stopped": "warning",
        },
    )
    def state_shown(self, run: LongRun) -> str:
        return run.get_state_display()
