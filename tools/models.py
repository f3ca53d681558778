"""What tools were asked to do and what came of it."""

from decimal import Decimal

from django.db import models

from accounts.models import User
from conversations.models import Thread, Turn


class ToolCall(models.Model):
    """One run of one tool. History, written behind: the answer itself stands on its Message."""

    class Status(models.TextChoices):
        DONE = "done", "Done"
        FAILED = "failed", "Failed"
        REFUSED = "refused", "Refused"
        STOPPED = "stopped", "Stopped"
        TIMED_OUT = "timed_out", "Timed out"
        INTERRUPTED = "interrupted", "Interrupted"

    # The event's own id: the same event delivered twice is one row.
    id = models.UUIDField(primary_key=True)
    user = models.ForeignKey(User, on_delete=models.PROTECT, related_name="tool_calls", db_constraint=True)
    thread = models.ForeignKey(Thread, null=True, on_delete=models.SET_NULL, related_name="tool_calls")
    turn = models.ForeignKey(Turn, null=True, on_delete=models.SET_NULL, related_name="tool_calls")
    call_id = models.CharField(max_length=128)
    name = models.CharField(max_length=64, db_index=True)
    arguments = models.TextField(blank=True, help_text="JSON text, trimmed.")
    result = models.TextField(blank=True, help_text="What the model was told, trimmed.")
    files = models.JSONField(default=list, blank=True, help_text="Short ids of the files it made.")
    status = models.CharField(max_length=16, choices=Status, db_index=True)
    seconds = models.FloatField(default=0)
    cost = models.DecimalField(max_digits=20, decimal_places=9, default=Decimal(0))
    error = models.CharField(max_length=255, blank=True)
    started_at = models.DateTimeField(db_index=True)

    def __str__(self) -> str:
        return f"{self.name} {self.call_id}"
