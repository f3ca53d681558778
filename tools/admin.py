"""The history of tool calls."""

from django.contrib import admin
from unfold.decorators import display

from accounts.admin_pages import WordsPage, link_column, money_column, pre_column
from tools.models import ToolCall


@admin.register(ToolCall)
class ToolCallPage(WordsPage[ToolCall]):
    """One run of one tool."""

    list_display = ("name", "person", "turn_link", "status_shown", "seconds", "cost_usd", "started_at")
    list_filter = ("status", "name")
    list_select_related = ("user", "turn")
    search_fields = ("=call_id", "=user__telegram_id", "user__username")
    search_help_text = "A call id, a username or a Telegram id"
    date_hierarchy = "started_at"
    ordering = ("-started_at",)
    fields = (
        ("name", "status"),
        ("user", "cost_usd"),
        ("thread", "turn"),
        ("started_at", "seconds"),
        ("call_id", "files"),
    )
    words = ("arguments_shown", "result_shown", "error_shown")
    closed = ("arguments", "result", "error")
    person = link_column("user", "person")
    turn_link = link_column("turn")
    cost_usd = money_column("cost")
    arguments_shown = pre_column("arguments")
    result_shown = pre_column("result")
    error_shown = pre_column("error")

    @display(  # type: ignore[untyped-decorator]
        description="status",
        ordering="status",
        label={"Done": "success", "Failed": "danger", "Refused": "warning", "Timed out": "danger"},
    )
    def status_shown(self, call: ToolCall) -> str:
        return call.get_status_display()
