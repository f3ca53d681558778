"""The durable inbox."""

from django.db import models
from django.db.models import Q

from accounts.models import User


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


class Export(models.Model):
    """Everything of one person, gathered by a worker and delivered by the bot: a promise that outlives both."""

    class State(models.TextChoices):
        REQUESTED = "requested", "Requested"
        GATHERED = "gathered", "Gathered, to be delivered"
        FAILED = "failed", "Could not be gathered, to be said"
        CLOSED = "closed", "Closed"

    user = models.ForeignKey(User, on_delete=models.PROTECT, related_name="exports")
    language = models.CharField(max_length=8, help_text="In which its pages are written.")
    state = models.CharField(max_length=16, choices=State, default=State.REQUESTED)
    attempts = models.PositiveIntegerField(default=0, help_text="Times a worker has begun to gather it.")
    pieces = models.JSONField(
        default=list, blank=True, help_text="Names in storage of what is still to be delivered."
    )
    parts = models.PositiveIntegerField(default=0, help_text="How many pieces there were.")
    lease_until = models.DateTimeField(
        null=True, blank=True, help_text="Until then one bot is delivering it."
    )
    created_at = models.DateTimeField(auto_now_add=True)
    closed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["user"], condition=~Q(state="closed"), name="one_open_export_per_user"
            ),
        ]
        indexes = [
            models.Index(fields=["state"], condition=~Q(state="closed"), name="export_open"),
        ]

    def __str__(self) -> str:
        return f"export {self.pk}"
