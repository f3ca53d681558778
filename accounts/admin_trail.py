"""The audit trail: what staff did, whose words they read, when they came in."""

from collections.abc import Iterable
from typing import Any

from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString

from accounts.admin_pages import LookPage
from accounts.models import Ban

BANS = Q(change_message__startswith="Blocked") | Q(change_message__startswith="Unblocked")


class Act(admin.SimpleListFilter):
    """What kind of thing was done."""

    title = "act"
    parameter_name = "act"
    LOOKUPS: dict[str, tuple[str, Q]] = {
        "money": (
            "Balances adjusted",
            Q(change_message__startswith="Adjusted") | Q(change_message__startswith="Asked to adjust"),
        ),
        "blocks": ("People blocked and unblocked", BANS),
        "prices": ("Prices and Star rates", Q(content_type__model__in=("price", "starrate"))),
        "looks": (
            "Words read, files downloaded",
            Q(change_message__startswith="Read the words") | Q(change_message__startswith="Downloaded"),
        ),
        "announcements": ("Announcements", Q(content_type__model="announcement")),
        "exports": ("Exports", Q(change_message__startswith="Exported")),
        "logins": ("Logins", Q(change_message__startswith="Logged in")),
        "staff": (
            "Staff and groups",
            Q(content_type__model__in=("staff", "group")) & ~Q(change_message__startswith="Logged in"),
        ),
    }

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterable[tuple[str, str]]:
        return [(name, words) for name, (words, _) in self.LOOKUPS.items()]

    def queryset(self, request: HttpRequest, queryset: QuerySet[LogEntry]) -> QuerySet[LogEntry]:
        chosen = self.LOOKUPS.get(self.value() or "")
        return queryset.filter(chosen[1]) if chosen else queryset


class Entries(LookPage[LogEntry]):
    """What both pages show of an entry."""

    search_fields = ("object_repr", "change_message", "=object_id", "user__username")
    list_select_related = ("user", "content_type")
    date_hierarchy = "action_time"
    fields = ("action_time", "user", "content_type", "object_id", "object_repr", "message")

    @admin.display(description="to", ordering="object_repr")
    def thing(self, entry: LogEntry) -> SafeString | str:
        address = entry.get_admin_url()
        if address is None:
            return entry.object_repr
        return format_html('<a class="text-link" href="{}">{}</a>', address, entry.object_repr)

    @admin.display(description="what")
    def message(self, entry: LogEntry) -> str:
        return str(entry.get_change_message())


@admin.register(LogEntry)
class LogPage(Entries):
    """The audit trail: who did what to whom and when, with what was before and after; logins and looks too."""

    list_display = ("action_time", "user", "content_type", "thing", "message")
    list_filter = (Act, "user", "content_type")
    search_help_text = "A name, a number, a word of what was done, or who did it"


@admin.register(Ban)
class BanPage(Entries):
    """Who was blocked and let in again: by whom, when and why. Who is blocked now is a filter of People."""

    list_display = ("action_time", "user", "thing", "message")
    list_filter = ("user",)
    search_help_text = "A person's name or number, a word of the reason, or who did it"

    def get_queryset(self, request: HttpRequest) -> QuerySet[LogEntry]:
        return super().get_queryset(request).filter(BANS, content_type__model="user")
