"""The inbox, to look at; announcements stand in a file of their own."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from unfold.decorators import display

from accounts.admin_pages import WordsPage, pre_column
from telegram_bot.admin_announcements import AnnouncementPage, DeliveryPage
from telegram_bot.models import Update

__all__ = ["AnnouncementPage", "DeliveryPage", "UpdatePage"]


class Fate(admin.SimpleListFilter):
    """What became of an update."""

    title = "fate"
    parameter_name = "fate"
    LOOKUPS: dict[str, tuple[str, dict[str, Any]]] = {
        "waiting": ("Waiting", {"handled_at__isnull": True}),
        "dead": ("Dead", {"handled_at__isnull": False, "error__gt": ""}),
    }

    def lookups(self, request: HttpRequest, model_admin: object) -> list[tuple[str, str]]:
        return [(name, words) for name, (words, _) in self.LOOKUPS.items()]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Update]) -> QuerySet[Update]:
        chosen = self.LOOKUPS.get(self.value() or "")
        return queryset.filter(**chosen[1]) if chosen else queryset


@admin.register(Update)
class UpdatePage(WordsPage[Update]):
    """What Telegram sent. The payload holds people's words."""

    list_display = ("update_id", "kind", "lane", "fate", "attempts", "received_at", "handled_at")
    list_filter = (Fate, "kind")
    search_fields = ("=update_id", "=lane")
    search_help_text = "An update's number, or a chat's Telegram id"
    date_hierarchy = "received_at"
    fields = (("update_id", "kind"), "lane", ("received_at", "handled_at"), "attempts", "first_line")
    words = ("payload_shown", "error_shown")
    closed = ("payload", "error")
    error_shown = pre_column("error")
    payload_shown = pre_column("payload")

    @admin.display(description="error")
    def first_line(self, update: Update) -> str:
        """PostgreSQL puts the row itself, and with it people's words, on the lines after the first."""
        return update.error.partition("\n")[0]

    @display(  # type: ignore[untyped-decorator]
        description="fate", label={"Handled": "success", "Waiting": "info", "Dead": "danger"}
    )
    def fate(self, update: Update) -> str:
        if update.error:
            return "Dead"
        return "Handled" if update.handled_at else "Waiting"
