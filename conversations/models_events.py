"""Behind the conversations: copies in the cache that must go, and events that could not be written."""

from django.db import models


class StaleCopy(models.Model):
    """A copy in the cache that must go: written with what made it stale, taken away once the copy is gone.

    Without it a process killed behind its commit, or a Redis that was away, would leave erased words in
    Redis until they expire by themselves.
    """

    class Of(models.TextChoices):
        THREAD = "thread", "Thread"
        USER = "user", "User"

    of = models.CharField(max_length=8, choices=Of, help_text="What was copied.")
    number = models.BigIntegerField(help_text="Its id; the row itself may be gone.")
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return f"{self.of} {self.number}"


class DeadEvent(models.Model):
    """An event that could not be written after every try; staff replay or discard it."""

    id = models.UUIDField(primary_key=True)
    kind = models.CharField(max_length=64, help_text="What it tells of.")
    version = models.PositiveIntegerField(default=1, help_text="Of the event's shape.")
    payload = models.TextField(help_text="JSON text as it was queued.")
    error = models.TextField(help_text="What the last attempt failed with.")
    attempts = models.PositiveIntegerField(help_text="How often it was tried.")
    happened_at = models.DateTimeField(help_text="When what it tells of happened.")
    died_at = models.DateTimeField(auto_now_add=True, help_text="When it was given up.")

    def __str__(self) -> str:
        return f"{self.kind} {self.pk}"
