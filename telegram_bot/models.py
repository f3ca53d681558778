"""The durable inbox, and what staff announce to many."""

from django.conf import settings
from django.db import models
from django.db.models import Q

from accounts.models import Staff, User


class Update(models.Model):
    """One update as Telegram sent it, stored before Telegram is told that it arrived."""

    update_id = models.BigIntegerField(primary_key=True, help_text="Telegram's number of it.")
    payload = models.TextField(help_text="JSON text as received: jsonb would refuse a NUL.")
    kind = models.CharField(max_length=40, blank=True, help_text="What it tells of, by Bot API's name.")
    lane = models.BigIntegerField(
        null=True, blank=True, help_text="Telegram's chat id; updates of one lane go in order."
    )
    received_at = models.DateTimeField(auto_now_add=True, help_text="When it was stored.")
    handled_at = models.DateTimeField(
        null=True, blank=True, help_text="When it was done with; empty: it waits, or is in hand."
    )
    attempts = models.PositiveIntegerField(
        default=0, help_text="How often a handler raised before it was given up."
    )
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

    user = models.ForeignKey(
        User, on_delete=models.PROTECT, related_name="exports", help_text="Who asked for it."
    )
    language = models.CharField(max_length=8, help_text="In which its pages are written.")
    state = models.CharField(
        max_length=16, choices=State, default=State.REQUESTED, help_text="How far it is."
    )
    attempts = models.PositiveIntegerField(default=0, help_text="Times a worker has begun to gather it.")
    pieces = models.JSONField(
        default=list, blank=True, help_text="Names in storage of what is still to be delivered."
    )
    parts = models.PositiveIntegerField(default=0, help_text="How many pieces there were.")
    lease_until = models.DateTimeField(
        null=True, blank=True, help_text="Until then one bot is delivering it."
    )
    created_at = models.DateTimeField(auto_now_add=True)
    closed_at = models.DateTimeField(null=True, blank=True, help_text="When it was sent or given up.")

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


class Announcement(models.Model):
    """A word from staff to many people: a draft until somebody confirms it, then sent by the bot process.

    Whom it goes to is decided at the confirmation and stands in a Delivery for each person; what those say
    is all that counts after a crash.
    """

    class Audience(models.TextChoices):
        ALL = "all", "Everybody"
        ACTIVE = "active", "Seen in the last 30 days"
        PAID = "paid", "Who has ever paid"

    class State(models.TextChoices):
        DRAFT = "draft", "Draft"
        SENDING = "sending", "Sending"
        PAUSED = "paused", "Paused"
        DONE = "done", "Done"

    audience = models.CharField(max_length=16, choices=Audience, default=Audience.ALL, help_text="To whom.")
    language = models.CharField(
        max_length=8,
        choices=settings.LANGUAGES,
        blank=True,
        help_text="Only to people the bot speaks this language with; empty: to all.",
    )
    text_en = models.TextField("English text", help_text="Markdown; one message of Telegram at most.")
    text_ru = models.TextField("Russian text", help_text="What people read with whom the bot speaks Russian.")
    state = models.CharField(
        max_length=16, choices=State, default=State.DRAFT, help_text="How far it has come."
    )
    made_by = models.ForeignKey(Staff, on_delete=models.PROTECT, related_name="+", help_text="Who wrote it.")
    preview_to = models.ForeignKey(
        User,
        null=True,
        on_delete=models.SET_NULL,
        related_name="+",
        help_text="A person the bot is still to show it to, before anybody else.",
    )
    next_at = models.DateTimeField(
        null=True, help_text="Nothing more of it is sent before: the pace, by the database's clock."
    )
    created_at = models.DateTimeField(auto_now_add=True, help_text="When it was written.")
    confirmed_at = models.DateTimeField(null=True, help_text="When it was decided to send it.")
    finished_at = models.DateTimeField(null=True, help_text="When the last person was tried.")

    class Meta:
        indexes = [
            models.Index(fields=["id"], condition=Q(state="sending"), name="announcement_sending"),
            models.Index(
                fields=["id"], condition=Q(preview_to__isnull=False), name="announcement_to_preview"
            ),
        ]

    def __str__(self) -> str:
        return f"announcement {self.pk}"


class Delivery(models.Model):
    """What became of an announcement for one person. Claimed before it is sent, so that nobody gets it twice."""

    class State(models.TextChoices):
        WAITING = "waiting", "Waiting"
        CLAIMED = "claimed", "Being sent"
        SENT = "sent", "Sent"
        UNREACHABLE = "unreachable", "Blocked the bot or is gone"
        REFUSED = "refused", "Refused by Telegram"
        UNKNOWN = "unknown", "Perhaps sent: the connection or the bot broke off"

    announcement = models.ForeignKey(
        Announcement, on_delete=models.CASCADE, related_name="deliveries", help_text="What is sent."
    )
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+", help_text="To whom.")
    state = models.CharField(
        max_length=16,
        choices=State,
        default=State.WAITING,
        help_text="How it went; unknown is not tried again.",
    )
    claimed_at = models.DateTimeField(null=True, help_text="When the bot took it in hand.")
    error = models.CharField(max_length=255, blank=True, help_text="What Telegram said.")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["announcement", "user"], name="one_delivery_per_person"),
        ]
        indexes = [
            models.Index(fields=["announcement", "state", "id"], name="delivery_by_state"),
        ]
        verbose_name_plural = "deliveries"

    def __str__(self) -> str:
        return f"delivery {self.pk}"
