"""What was said, and the promises to answer.

A Thread is one conversation. A Turn is a promise to answer a burst of messages: a row with a state,
a lease and a cost, so that a crash leaves behind where we were. A Step is one model call inside a
turn; its row is the assistant Message, which carries the usage.
"""

from decimal import Decimal
from typing import Any

from django.db import models
from django.db.models import Q

from accounts.models import User
from conversations import parts
from conversations.models_events import DeadEvent as DeadEvent
from conversations.models_events import StaleCopy as StaleCopy


class Chat(models.Model):
    """A Telegram chat. Its number changes when a group becomes a supergroup, so it is no key."""

    class Kind(models.TextChoices):
        PRIVATE = "private", "Private"
        GROUP = "group", "Group"
        SUPERGROUP = "supergroup", "Supergroup"
        CHANNEL = "channel", "Channel"

    telegram_id = models.BigIntegerField(unique=True, help_text="Telegram's number of the chat.")
    kind = models.CharField(
        max_length=16, choices=Kind, help_text="A person's private chat, or a group of which kind."
    )
    title = models.CharField(max_length=255, blank=True, help_text="As Telegram last reported it.")
    dead_at = models.DateTimeField(
        null=True, blank=True, help_text="Telegram says nothing can be sent there."
    )
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return self.title or f"{self.kind} chat {self.pk}"


class Thread(models.Model):
    """One conversation in one Telegram topic, or in a chat's plain lane (`topic` is null).

    `system` and `tools` are frozen when the thread starts: a signed thinking block is valid only
    while everything before it keeps its bytes. When the conversation has grown too long it is summed up:
    a new epoch begins, with a fresh `system` and `tools`, and what was said before is no longer said.
    """

    chat = models.ForeignKey(
        Chat, on_delete=models.CASCADE, related_name="threads", help_text="Where it is held."
    )
    topic = models.BigIntegerField(
        null=True, blank=True, help_text="Telegram's message_thread_id of a real topic."
    )
    is_current = models.BooleanField(default=True, help_text="New messages of its lane come here.")
    title = models.CharField(
        max_length=128, blank=True, help_text="What it is about; empty until it has a name."
    )
    title_tries = models.PositiveSmallIntegerField(
        default=0, editable=False, help_text="How often a model was asked for a title."
    )
    title_asked_at = models.DateTimeField(
        null=True, editable=False, help_text="When last; for a while nobody else asks."
    )
    system = models.TextField(
        editable=False, help_text="The prompt it begins with, frozen: what a vendor cached stays valid."
    )
    tools = models.TextField(editable=False, help_text="JSON list of the tools this thread was started with.")
    instructions = models.TextField(
        blank=True,
        editable=False,
        help_text="The person's instructions, as the model here was last told them.",
    )
    last_seq = models.PositiveBigIntegerField(
        default=0, editable=False, help_text="The number of its last message."
    )
    epoch_begins = models.PositiveBigIntegerField(
        default=0,
        editable=False,
        help_text="Place of the summary the present epoch begins with; messages before it are no longer said.",
    )
    spoken_on = models.DateField(null=True, editable=False, help_text="The day (UTC) of the last message.")
    dead_at = models.DateTimeField(
        null=True, blank=True, help_text="Telegram says its topic is gone or closed: nothing is sent there."
    )
    hidden_at = models.DateTimeField(
        null=True, blank=True, help_text="The person took it off their list; its content stays."
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            # NULL is a lane of its own, so it must collide with itself.
            models.UniqueConstraint(
                fields=["chat", "topic"],
                condition=Q(is_current=True),
                nulls_distinct=False,
                name="one_current_thread_per_lane",
            ),
        ]

    def __str__(self) -> str:
        return self.title or f"thread {self.pk}"


class Topic(models.Model):
    """A Telegram topic as its service messages describe it; its conversations are the threads of its lane."""

    chat = models.ForeignKey(
        Chat, on_delete=models.CASCADE, related_name="topics", help_text="The group it is in."
    )
    telegram_id = models.BigIntegerField(help_text="Telegram's message_thread_id.")
    title = models.CharField(max_length=128, blank=True, help_text="As Telegram last reported it.")
    may_be_renamed = models.BooleanField(
        default=False, help_text="Nobody chose its name; Telegram expects the bot to find one."
    )

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["chat", "telegram_id"], name="one_topic_per_number"),
        ]

    def __str__(self) -> str:
        return self.title or f"topic {self.telegram_id}"


class Turn(models.Model):
    """From a person's burst to the finished answer: a promise that survives a crash.

    `lease_until` is on the database's clock. Whoever holds the lease may write; a process that lost
    it is fenced off at its next transaction. `failure` is the key of the sentence the person gets;
    the state leaves `running` only when they were told. `sent` lists, for each piece of the answer
    that was delivered, its Telegram message ids: recovery goes on behind the last.
    """

    class State(models.TextChoices):
        RUNNING = "running", "Running"
        DONE = "done", "Done"
        STOPPED = "stopped", "Stopped"
        FAILED = "failed", "Failed"
        INTERRUPTED = "interrupted", "Interrupted"

    thread = models.ForeignKey(
        Thread, on_delete=models.CASCADE, related_name="turns", help_text="The conversation it answers in."
    )
    user = models.ForeignKey(
        User, on_delete=models.PROTECT, related_name="turns", help_text="Who asked, and pays."
    )
    model = models.CharField(max_length=128, help_text="The exact id of the model that answers.")
    state = models.CharField(
        max_length=16, choices=State, default=State.RUNNING, help_text="Running, or how it ended."
    )
    gone_model = models.CharField(
        max_length=128, blank=True, help_text="The model its person had chosen, when it could not be asked."
    )
    failure = models.CharField(
        max_length=32,
        blank=True,
        help_text="The key of the sentence its person got; empty where all went well.",
    )
    stop_requested = models.BooleanField(default=False, help_text="Its person pressed Stop.")
    steps = models.PositiveIntegerField(default=0, help_text="Model calls opened so far.")
    attempts = models.PositiveIntegerField(default=1, help_text="Processes that have worked on it.")
    cost = models.DecimalField(
        max_digits=20, decimal_places=9, default=Decimal(0), help_text="Dollars charged for it so far."
    )
    sent = models.JSONField(
        default=list, blank=True, help_text="The messages its person was shown it in, by Telegram's numbers."
    )
    growing = models.BigIntegerField(
        null=True,
        blank=True,
        help_text="Telegram's id of the group message that grows by edits; complete once `sent` has it.",
    )
    guest_message = models.CharField(
        max_length=128,
        blank=True,
        help_text="Telegram's inline message id: the answer is given as a guest, in a chat the bot is not in.",
    )
    lease_owner = models.CharField(max_length=64, blank=True, help_text="The process that works on it.")
    lease_until = models.DateTimeField(
        null=True,
        blank=True,
        help_text="Until then that process is taken to be alive, by the database's clock.",
    )
    created_at = models.DateTimeField(auto_now_add=True)
    finished_at = models.DateTimeField(null=True, blank=True, help_text="When its person had been told.")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["thread"], condition=Q(state="running"), name="one_running_turn_per_thread"
            ),
            models.CheckConstraint(
                condition=Q(state="running", finished_at__isnull=True)
                | (~Q(state="running") & Q(finished_at__isnull=False)),
                name="turn_ends_when_it_is_finished",
            ),
        ]
        indexes = [
            models.Index(fields=["lease_until"], condition=Q(state="running"), name="turn_running_by_lease"),
            models.Index(fields=["user"], condition=Q(state="running"), name="turn_running_by_user"),
        ]

    def __str__(self) -> str:
        return f"turn {self.pk}"

    @property
    def hold_key(self) -> str:
        return f"turn:{self.pk}"


class PartsField(models.TextField[Any, Any]):
    """Parts as JSON text. Not jsonb: see parts.dump."""

    _pyi_private_set_type: Any  # what the type checker is to know of the attribute
    _pyi_private_get_type: Any

    def from_db_value(
        self, value: str | None, _expression: object, _connection: object
    ) -> parts.Parts | None:
        return None if value is None else parts.load(value)

    def to_python(self, value: object) -> object:
        return parts.load(value) if isinstance(value, str) else value

    def get_prep_value(self, value: Any) -> str | None:
        return value if value is None or isinstance(value, str) else parts.dump(value)

    def value_to_string(self, obj: models.Model) -> str:
        return parts.dump(self.value_from_object(obj))


class Message(models.Model):
    """One row of a conversation: a role and its parts, numbered within the thread without gaps.

    The number is given when a message is taken into a turn, not when it arrives: a message that comes
    while a model speaks must stand behind the answer, or the history the model has signed would change.
    Until then `seq` is null and the message waits. `superseded` rows were answered anew: kept for the
    record, no longer said to the model.
    """

    thread = models.ForeignKey(
        Thread, on_delete=models.CASCADE, related_name="messages", help_text="The conversation it belongs to."
    )
    turn = models.ForeignKey(
        Turn,
        null=True,
        blank=True,
        on_delete=models.CASCADE,
        related_name="messages",
        help_text="The turn that took it in or said it; empty while it waits.",
    )
    seq = models.PositiveBigIntegerField(
        null=True, blank=True, help_text="Its place in the conversation; empty while it waits."
    )
    role = models.CharField(
        max_length=16,
        choices=[(role, role) for role in ("user", "assistant", "system")],
        help_text="Who speaks.",
    )
    parts = PartsField(
        help_text="What was said, as text, files, thoughts, calls and results; the bytes are kept as they were."
    )
    author = models.ForeignKey(
        User,
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="+",
        help_text="The person who wrote it; empty for a model's.",
    )
    # Of the person's message. Telegram numbers messages per chat, so the pair is the external id.
    chat = models.ForeignKey(
        Chat, on_delete=models.CASCADE, related_name="+", help_text="Where it was written."
    )
    telegram_id = models.BigIntegerField(
        null=True,
        blank=True,
        help_text="Telegram's number of it in that chat; empty for what is not seen there.",
    )
    step = models.PositiveIntegerField(
        null=True, blank=True, help_text="Which model call of its turn said it."
    )
    reason = models.CharField(
        max_length=16, blank=True, help_text="Why the model stopped; empty when it was cut."
    )
    usage = models.JSONField(null=True, blank=True, help_text="Of a model's: the tokens its vendor counted.")
    cost = models.DecimalField(
        max_digits=20,
        decimal_places=9,
        null=True,
        blank=True,
        help_text="Of a model's: dollars charged for it.",
    )
    superseded = models.BooleanField(
        default=False, help_text="It is said no more: edited, asked anew or refused."
    )
    edited_at = models.DateTimeField(
        null=True, blank=True, help_text="Telegram's date of the newest edit that was taken in."
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["thread", "seq"], name="one_message_per_place"),
            models.UniqueConstraint(fields=["chat", "telegram_id"], name="one_row_per_telegram_message"),
            models.UniqueConstraint(
                fields=["turn", "step"], condition=Q(role="assistant"), name="one_message_per_step"
            ),
        ]
        indexes = [
            models.Index(fields=["thread"], condition=Q(seq__isnull=True), name="message_waiting"),
        ]

    def __str__(self) -> str:
        return f"{self.role} message {self.pk}"


class UserFile(models.Model):
    """A file of one thread: bytes in storage, and the ids that Telegram and vendors know it by."""

    thread = models.ForeignKey(
        Thread, on_delete=models.CASCADE, related_name="files", help_text="The conversation it belongs to."
    )
    user = models.ForeignKey(
        User,
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="files",
        help_text="Who sent it, or for whom it was made.",
    )
    short_id = models.CharField(max_length=16, help_text="What the model calls it: f_7k2q.")
    name = models.CharField(
        max_length=255, help_text="As its sender or its tool called it; a label, never a path."
    )
    mime = models.CharField(max_length=128, help_text="The media type it came with.")
    size = models.PositiveBigIntegerField(help_text="bytes")
    stored = models.FileField(
        upload_to="files/%Y/%m/", max_length=255, help_text="Where its bytes are, under a name of our own."
    )
    made_by = models.CharField(
        max_length=64, blank=True, help_text="The tool that made it; empty: the person sent it."
    )
    shown = models.FileField(
        max_length=255,
        blank=True,
        help_text="What models are shown instead: upright, smaller, of a kind they read.",
    )
    telegram_file_id = models.CharField(
        max_length=255,
        blank=True,
        help_text="By which Telegram sends it again; empty until it was sent or fetched.",
    )
    vendor_ids = models.JSONField(
        default=dict, blank=True, help_text="By which vendors know it; nothing sets it so far."
    )
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField(
        null=True,
        blank=True,
        help_text="When its bytes may go earlier than its conversation; nothing sets it so far.",
    )

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["thread", "short_id"], name="one_file_per_short_id"),
        ]
        verbose_name = "file"

    def __str__(self) -> str:
        return f"{self.short_id} {self.name}"


class Transcript(models.Model):
    """What was heard in a person's recording: kept with its charge, so that a crash asks and charges once.

    Only until the conversation has it: pruned after a week.
    """

    key = models.CharField(
        max_length=64, unique=True, help_text="transcribe:<chat>:<message>, as in the ledger."
    )
    user = models.ForeignKey(
        User, on_delete=models.CASCADE, related_name="+", help_text="Who spoke, and pays."
    )
    text = models.TextField(help_text="The words that were heard.")
    told_at = models.DateTimeField(null=True, blank=True, help_text="When the person was shown it.")
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return self.key
