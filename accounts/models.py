"""Who a person is and what they prefer."""

from decimal import Decimal
from typing import Any

from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import AbstractUser
from django.db import models
from django.db.models import Q


class User(models.Model):
    """A person on Telegram.

    `balance` and `held` are sums over billing's rows, kept here because this row is the lock every
    movement of money takes first. Only billing/ledger.py writes them.
    """

    class Rendering(models.TextChoices):
        AUTO = "auto", "Automatic"
        CLASSIC = "classic", "Classic"
        RICH = "rich", "Rich"

    # Not the primary key: a person who asks to be forgotten loses this number, money rows stay.
    telegram_id = models.BigIntegerField(
        unique=True,
        null=True,
        blank=True,
        help_text="Telegram's number of the person; empty once they had themselves erased.",
    )
    username = models.CharField(
        max_length=64, blank=True, db_index=True, help_text="Without the @; empty where they have none."
    )
    first_name = models.CharField(max_length=128, blank=True, help_text="As Telegram last reported it.")
    last_name = models.CharField(max_length=128, blank=True, help_text="As Telegram last reported it.")
    telegram_language = models.CharField(max_length=16, blank=True, help_text="As Telegram last reported it.")
    is_premium = models.BooleanField(default=False, help_text="They have Telegram Premium.")

    language = models.CharField(
        max_length=8, blank=True, help_text="The person's own choice; empty follows Telegram."
    )
    model = models.CharField(max_length=128, blank=True, help_text="Model id; empty means the default model.")
    instructions = models.TextField(blank=True, help_text="The person's own words to the model.")
    rendering = models.CharField(
        max_length=8, choices=Rendering, default=Rendering.AUTO, help_text="How answers are formatted."
    )
    live_drafts = models.BooleanField(
        default=True,
        help_text="Answers are shown while they grow; off, only whole ones arrive (for screen readers).",
    )
    receipts = models.BooleanField(default=False, help_text="A line with the cost under each answer.")
    transcripts = models.BooleanField(default=True, help_text="Shows what was heard in a voice note, folded.")
    daily_cap = models.DecimalField(
        max_digits=20,
        decimal_places=9,
        null=True,
        blank=True,
        help_text="Dollars the person wants to spend in a day (UTC) at most; empty means no limit of their own.",
    )
    retention = models.PositiveSmallIntegerField(
        null=True,
        blank=True,
        help_text="Days of silence after which a private conversation is erased; empty keeps it.",
    )
    instructions_asked_at = models.DateTimeField(
        null=True,
        blank=True,
        editable=False,
        help_text="When the bot asked for new instructions; the next text in private within the hour is taken as them.",
    )

    balance = models.DecimalField(
        max_digits=20,
        decimal_places=9,
        default=Decimal(0),
        editable=False,
        help_text="Dollars they have: the sum of their operations, kept beside the lock.",
    )
    held = models.DecimalField(
        max_digits=20,
        decimal_places=9,
        default=Decimal(0),
        editable=False,
        help_text="Dollars of these set aside for turns under way: the sum of their open holds.",
    )
    spending_blocked_at = models.DateTimeField(
        null=True, blank=True, help_text="Set by the audit when the sums do not agree; staff clear it."
    )

    blocked_at = models.DateTimeField(null=True, blank=True, help_text="Blocked by staff.")
    blocked_reason = models.CharField(max_length=255, blank=True, help_text="Why, for staff.")
    unreachable_at = models.DateTimeField(null=True, blank=True, help_text="The person blocked the bot.")
    last_seen_at = models.DateTimeField(
        null=True, blank=True, help_text="When they last wrote or pressed something, to ten minutes."
    )
    forgotten_as = models.CharField(
        max_length=64,
        blank=True,
        db_index=True,
        editable=False,
        help_text="Keyed hash of the Telegram id of a person who had themselves erased; empty for everybody else.",
    )
    returned = models.BooleanField(
        default=False,
        editable=False,
        help_text="They were here before and had themselves erased: no second starting credit.",
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(held__gte=0), name="user_held_is_not_negative"),
            models.CheckConstraint(
                condition=Q(forgotten_as="") | Q(telegram_id__isnull=True),
                name="user_forgotten_has_no_telegram_id",
            ),
        ]
        verbose_name = "person"
        verbose_name_plural = "people"

    def __str__(self) -> str:
        return self.display_name

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Save everything but the sums: a row read before a charge must not write back what it saw."""
        if not self._state.adding and kwargs.get("update_fields") is None:
            fields = (field for field in self._meta.concrete_fields if not field.primary_key)
            kwargs["update_fields"] = [
                field.name for field in fields if field.name not in ("balance", "held")
            ]
        super().save(*args, **kwargs)

    @property
    def display_name(self) -> str:
        """The name a person is called by: their own, else @username, else the number."""
        name = f"{self.first_name} {self.last_name}".strip()
        return name or (f"@{self.username}" if self.username else f"person {self.pk}")

    @property
    def available(self) -> Decimal:
        """Dollars nothing else has a claim on."""
        return self.balance - self.held


class Staff(AbstractUser):
    """Somebody who works in the admin; linked to a person, they may use staff commands in Telegram."""

    person = models.OneToOneField(
        User,
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="staff",
        help_text="Their own account in Telegram, from which they may use staff commands.",
    )

    class Meta:
        verbose_name = "staff member"
        verbose_name_plural = "staff"


class GroupGrant(models.Model):
    """A permission that a ready-made group of staff was once given: taken away by hand, it is not given again."""

    group = models.CharField(max_length=150, help_text="Its name, as in config/staff.py.")
    permission = models.CharField(max_length=200, help_text="As code asks for it: billing.view_payment.")
    created_at = models.DateTimeField(auto_now_add=True, help_text="When it was given.")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["group", "permission"], name="a_group_is_given_a_permission_once"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.group}: {self.permission}"


class Ban(LogEntry):
    """A block or its end, as the audit trail has it: a view of that for those who may not see all of it."""

    class Meta:
        proxy = True
