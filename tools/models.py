"""What tools were asked to do and what came of it."""

from decimal import Decimal

from django.db import models

from accounts.models import User
from conversations.models import Thread, Turn

PROGRESS_MAX = 200  # characters of a line of progress


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
    user = models.ForeignKey(
        User,
        on_delete=models.PROTECT,
        related_name="tool_calls",
        db_constraint=True,
        help_text="For whom it ran.",
    )
    thread = models.ForeignKey(
        Thread,
        null=True,
        on_delete=models.SET_NULL,
        related_name="tool_calls",
        help_text="In which conversation; empty once that is erased.",
    )
    turn = models.ForeignKey(
        Turn,
        null=True,
        on_delete=models.SET_NULL,
        related_name="tool_calls",
        help_text="For which answer; empty once that is erased.",
    )
    call_id = models.CharField(max_length=128, help_text="The model's id of the call.")
    name = models.CharField(max_length=64, db_index=True, help_text="The tool.")
    arguments = models.TextField(blank=True, help_text="JSON text, trimmed.")
    result = models.TextField(blank=True, help_text="What the model was told, trimmed.")
    files = models.JSONField(default=list, blank=True, help_text="Short ids of the files it made.")
    status = models.CharField(max_length=16, choices=Status, db_index=True, help_text="How it ended.")
    seconds = models.FloatField(default=0, help_text="How long it ran.")
    cost = models.DecimalField(
        max_digits=20, decimal_places=9, default=Decimal(0), help_text="Dollars charged for it."
    )
    error = models.CharField(max_length=255, blank=True, help_text="What went wrong, in a line.")
    started_at = models.DateTimeField(db_index=True, help_text="When it began.")

    def __str__(self) -> str:
        return f"{self.name} {self.call_id}"


class LongRun(models.Model):
    """One tool call on its way through a worker: first the wish, then who works on it, then what came of it.

    The bot makes the row and waits for it; the broker carries only its id. A run that has ended stands,
    whoever asks again. The worker's lease is on the database's clock: when it runs out, the worker is gone.
    """

    class State(models.TextChoices):
        WAITING = "waiting", "Waiting"
        RUNNING = "running", "Running"
        DONE = "done", "Done"
        FAILED = "failed", "Failed"
        CRASHED = "crashed", "Crashed"
        TIMED_OUT = "timed_out", "Timed out"
        INTERRUPTED = "interrupted", "Interrupted"
        STOPPED = "stopped", "Stopped"

    turn = models.ForeignKey(
        Turn, on_delete=models.CASCADE, related_name="long_runs", help_text="For which answer."
    )
    call_id = models.CharField(
        max_length=128, help_text="The model's id of the call; with the turn it is the key."
    )
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+", help_text="For whom.")
    thread = models.ForeignKey(
        Thread, on_delete=models.CASCADE, related_name="+", help_text="In which conversation."
    )
    name = models.CharField(max_length=64, help_text="The tool.")
    arguments = models.TextField(help_text="JSON text, whole.")
    language = models.CharField(max_length=8, help_text="Of the person, for the tool.")
    state = models.CharField(
        max_length=16, choices=State, default=State.WAITING, help_text="How far it is, or how it ended."
    )
    attempts = models.PositiveSmallIntegerField(default=0, help_text="How many workers have begun it.")
    lease_owner = models.CharField(max_length=32, blank=True, help_text="The attempt that may write.")
    lease_until = models.DateTimeField(null=True, help_text="Until then its worker is taken to be alive.")
    progress = models.CharField(
        max_length=PROGRESS_MAX, blank=True, help_text="Its last line, for who waits."
    )
    text = models.TextField(blank=True, help_text="What the model is told.")
    files = models.JSONField(
        default=list, help_text="Name, media type and place in storage of each file it made."
    )
    deliveries = models.TextField(
        default="[]", help_text="JSON text: files the thread has already that go to the person too."
    )
    cost = models.DecimalField(
        max_digits=20, decimal_places=9, default=Decimal(0), help_text="Dollars to charge."
    )
    details = models.JSONField(default=dict, help_text="Units and usage behind the cost.")
    created_at = models.DateTimeField(auto_now_add=True)
    asked_at = models.DateTimeField(help_text="When a worker was last asked to take it up.")
    ended_at = models.DateTimeField(null=True, help_text="When it ended, however it did.")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["turn", "call_id"], name="one_long_run_per_call"),
        ]
        indexes = [models.Index(fields=["created_at"], name="long_run_by_age")]

    def __str__(self) -> str:
        return f"{self.name} {self.call_id}"


class ThreadSandbox(models.Model):
    """Which sandbox of E2B is a conversation's.

    A row first: the key of its creation stands here before one is asked for, so that whoever asks again, after
    a crash or at the same time, gets the same one. The row outlives its conversation until the sandbox is gone.
    """

    # No constraint: a conversation is erased whatever stands here, and its sandbox goes after it.
    thread = models.OneToOneField(
        Thread,
        primary_key=True,
        on_delete=models.DO_NOTHING,
        db_constraint=False,
        related_name="+",
        help_text="Whose conversation it is; the thread itself may be gone.",
    )
    creation_key = models.CharField(
        max_length=36, help_text="The idempotency key of its creation: asked for twice, E2B makes one."
    )
    sandbox_id = models.CharField(
        max_length=64, blank=True, help_text="E2B's id of it; empty while there is none."
    )
    made = models.PositiveIntegerField(
        default=0, help_text="How many it has had: from the second on, earlier files were lost."
    )
    lease_owner = models.CharField(max_length=32, blank=True, help_text="The run that uses it now.")
    lease_until = models.DateTimeField(null=True, help_text="Until then that run is taken to be alive.")
    used_at = models.DateTimeField(
        db_index=True, help_text="When code last began to run in it; long ago, it is taken away."
    )

    def __str__(self) -> str:
        return f"{self.sandbox_id or 'none'} of thread {self.thread_id}"
