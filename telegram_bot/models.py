"""The durable inbox."""

from django.db import models
from django.db.models import Q


class Update(models.Model):
    """One update as Telegram sent it, stored before Telegram is told that it arrived."""

    update_id = models.BigIntegerField(primary_key=True)
    payload = models.TextField(help_text="JSON text as received: jsonb would refuse a NUL.")
    kind = models.CharField(max_length=40, blank=True)
    lane = models.BigIntegerField(
        null=True, blank=True, help_text="Telegram's chat id; updates of one lane go in order."
    )
    received_at = models.DateTimeField(auto_now_add=True)
    handled_at = models.DateTimeField(null=True, blank=True)
    attempts = models.PositiveIntegerField(default=0)
    error = models.CharField(max_length=255, blank=True, help_text="Why it is dead: three tries failed.")

    class Meta:
        indexes = [
            models.Index(fields=["update_id"], condition=Q(handled_at__isnull=True), name="update_unhandled"),
            models.Index(fields=["handled_at"], name="update_by_handled"),
        ]

    def __str__(self) -> str:
        return f"update {self.update_id}"
