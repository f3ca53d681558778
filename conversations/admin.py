"""Conversations: who asked, how the answer went and what it cost. The words themselves are closed pages."""

from collections.abc import Iterable
from functools import partial

import redis
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import FileResponse, HttpRequest
from django.utils.safestring import SafeString
from unfold.decorators import action, display

from accounts.admin_pages import (
    NOTHING,
    ROWS_MAX,
    LookPage,
    Table,
    WordsPage,
    keep_in_log,
    link_column,
    link_to,
    list_address,
    money_column,
    pre_column,
    when,
)
from accounts.downloads import streamed
from accounts.money import cost_dollars, dollars
from billing.models import BalanceOperation, Hold
from conversations import write_behind
from conversations.admin_words import latest, prompt_of, shape_of, words_of, words_of_all
from conversations.models import Chat, DeadEvent, Message, Thread, Turn, UserFile

BLOCK_BYTES = 4096  # of a file that is downloaded
STATE_LABELS = {"Running": "info", "Done": "success", "Failed": "danger", "Interrupted": "warning"}
REPLAY = "conversations.change_deadevent"
DISCARD = "conversations.delete_deadevent"


@admin.register(Chat)
class ChatPage(LookPage[Chat]):
    """A Telegram chat."""

    list_display = ("shown", "telegram_id", "kind", "dead_at", "created_at")
    list_filter = ("kind", ("dead_at", admin.EmptyFieldListFilter))
    search_fields = ("=telegram_id", "title")
    date_hierarchy = "created_at"
    fields = (("title", "kind"), "telegram_id", ("created_at", "dead_at"))

    @admin.display(description="chat", ordering="title")
    def shown(self, chat: Chat) -> str:
        return str(chat)

    def tables(self, request: HttpRequest, obj: Chat) -> Iterable[Table]:
        threads = obj.threads.order_by("-pk")[:ROWS_MAX]
        yield Table(
            "Threads",
            ("Thread", "Current", "Messages", "Since"),
            [
                (link_to(row), "yes" if row.is_current else "no", str(row.last_seq), when(row.created_at))
                for row in threads
            ],
            list_address(Thread, chat__id__exact=obj.pk),
        )


@admin.register(Thread)
class ThreadPage(WordsPage[Thread]):
    """One conversation. Its title is shown; what was said in it is not, unless asked for."""

    list_display = ("shown", "chat_link", "topic", "is_current", "last_seq", "created_at")
    list_filter = ("is_current", "chat__kind")
    list_select_related = ("chat",)
    search_fields = ("title", "=chat__telegram_id", "chat__title")
    search_help_text = "A title, a chat or its Telegram id"
    date_hierarchy = "created_at"
    fields = (("title", "chat"), ("topic", "is_current"), ("last_seq", "created_at"))
    words = ("conversation", "system_shown", "tools_shown")
    closed = ("system", "tools")
    chat_link = link_column("chat")
    system_shown = pre_column("system", "system prompt")
    tools_shown = pre_column("tools")

    @admin.display(description="thread", ordering="title")
    def shown(self, thread: Thread) -> str:
        return str(thread)

    def tables(self, request: HttpRequest, obj: Thread) -> Iterable[Table]:
        turns = obj.turns.select_related("user").order_by("-pk")[:ROWS_MAX]
        yield Table(
            "Turns",
            ("Turn", "Who asked", "State", "Model", "Steps", "Cost", "When"),
            [
                (
                    link_to(row),
                    link_to(row.user),
                    row.get_state_display(),
                    row.model,
                    str(row.steps),
                    cost_dollars(row.cost),
                    when(row.created_at),
                )
                for row in turns
            ],
            list_address(Turn, thread__id__exact=obj.pk),
        )
        yield _messages(obj.messages.all(), list_address(Message, thread__id__exact=obj.pk))

    @admin.display(description="conversation")
    def conversation(self, thread: Thread) -> SafeString:
        return words_of_all(thread.messages.all())


def _messages(messages: QuerySet[Message], link: str) -> Table:
    """What messages are and what they cost, without a word of what they say."""
    return Table(
        "Messages",
        ("Message", "Role", "Step", "Parts", "Prompt", "Cached", "Cost", "When"),
        [
            (
                link_to(row),
                row.role,
                NOTHING if row.step is None else str(row.step),
                shape_of(row.parts),
                *prompt_of(row.usage),
                NOTHING if row.cost is None else cost_dollars(row.cost),
                when(row.created_at),
            )
            for row in latest(messages)
        ],
        link,
    )


@admin.register(Turn)
class TurnPage(WordsPage[Turn]):
    """A promise to answer, and everything that came of it."""

    list_display = ("shown", "person", "state_shown", "failure", "model", "steps", "cost_usd", "created_at")
    list_filter = ("state", "failure", "model")
    list_select_related = ("user",)
    search_fields = ("=id", "=user__telegram_id", "user__username")
    search_help_text = "A turn's number, a username or a Telegram id"
    date_hierarchy = "created_at"
    fields = (
        ("user", "thread"),
        ("state", "failure"),
        ("model", "cost_usd"),
        ("steps", "attempts"),
        ("created_at", "finished_at"),
        ("seconds", "stop_requested"),
        ("lease_owner", "lease_until"),
        "sent",
    )
    person = link_column("user", "person")
    cost_usd = money_column("cost", written=cost_dollars)
    words = ("conversation",)

    @admin.display(description="conversation")
    def conversation(self, turn: Turn) -> SafeString:
        return words_of_all(turn.messages.all())

    @admin.display(description="turn", ordering="pk")
    def shown(self, turn: Turn) -> str:
        return str(turn)

    @display(description="state", ordering="state", label=STATE_LABELS)  # type: ignore[untyped-decorator]
    def state_shown(self, turn: Turn) -> str:
        return turn.get_state_display()

    @admin.display(description="seconds")
    def seconds(self, turn: Turn) -> str:
        if turn.finished_at is None:
            return NOTHING
        return f"{(turn.finished_at - turn.created_at).total_seconds():.1f}"

    def tables(self, request: HttpRequest, obj: Turn) -> Iterable[Table]:
        yield _messages(obj.messages.all(), list_address(Message, turn__id__exact=obj.pk))
        calls = obj.tool_calls.order_by("started_at")[:ROWS_MAX]
        yield Table(
            "Tool calls",
            ("Tool", "Status", "Seconds", "Cost", "When"),
            [
                (
                    link_to(row, row.name),
                    row.get_status_display(),
                    f"{row.seconds:.2f}",
                    cost_dollars(row.cost),
                    when(row.started_at),
                )
                for row in calls
            ],
        )
        if request.user.has_perm("billing.view_balanceoperation"):
            yield _operations(obj)
            yield _holds(obj)


def _operations(turn: Turn) -> Table:
    rows = BalanceOperation.objects.filter(key__startswith=f"{turn.hold_key}:").order_by("pk")[:ROWS_MAX]
    return Table(
        "Operations",
        ("Operation", "Key", "Amount", "Balance after", "When"),
        [
            (
                link_to(row, row.get_kind_display()),
                row.key,
                dollars(row.amount),
                dollars(row.balance_after),
                when(row.created_at),
            )
            for row in rows
        ],
    )


def _holds(turn: Turn) -> Table:
    rows = Hold.objects.filter(key=turn.hold_key)
    return Table(
        "Hold",
        ("Hold", "State", "Set aside", "Spent", "Until"),
        [
            (
                link_to(row, row.key),
                row.get_state_display(),
                cost_dollars(row.amount),
                cost_dollars(row.spent),
                when(row.expires_at),
            )
            for row in rows
        ],
    )


@admin.register(Message)
class MessagePage(WordsPage[Message]):
    """One row of a conversation: whose, when and at what cost; what it says only to those who may read."""

    list_display = ("shown", "role", "thread_link", "turn_link", "step", "reason", "cost_usd", "created_at")
    list_filter = ("role", "reason", "superseded")
    list_select_related = ("thread", "turn")
    search_fields = ("=telegram_id", "=author__telegram_id", "author__username")
    search_help_text = "A message's or a person's Telegram id, or a username"
    date_hierarchy = "created_at"
    fields = (
        ("thread", "turn"),
        ("chat", "author"),
        ("role", "telegram_id"),
        ("seq", "step"),
        ("reason", "superseded"),
        "shape",
        ("cost_usd", "usage"),
        ("cached", "created_at"),
    )
    words = ("said",)
    closed = ("parts",)
    thread_link = link_column("thread")
    turn_link = link_column("turn")
    cost_usd = money_column("cost", written=cost_dollars)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Message]:
        """Lists do not fetch the words: they may be long, and nobody sees them there."""
        rows = super().get_queryset(request)
        at = request.resolver_match
        return rows.defer("parts") if at and at.url_name and at.url_name.endswith("changelist") else rows

    @admin.display(description="message", ordering="pk")
    def shown(self, message: Message) -> str:
        return f"message {message.pk}"

    @admin.display(description="parts")
    def shape(self, message: Message) -> str:
        return shape_of(message.parts)

    @admin.display(description="of its prompt, read from the cache")
    def cached(self, message: Message) -> str:
        return prompt_of(message.usage)[1]

    @admin.display(description="what it says")
    def said(self, message: Message) -> SafeString:
        return words_of(message)


@admin.register(UserFile)
class UserFilePage(LookPage[UserFile]):
    """A file of a conversation. What is in it may be fetched by those who may read the words."""

    list_display = ("short_id", "name", "mime", "size", "thread_link", "made_by", "created_at")
    list_display_links = ("short_id", "name")
    list_filter = ("made_by", "mime")
    list_select_related = ("thread",)
    search_fields = ("=short_id", "name", "=user__telegram_id")
    search_help_text = "A short id, a name or a Telegram id"
    date_hierarchy = "created_at"
    fields = (
        ("short_id", "name"),
        ("mime", "size"),
        ("thread", "user"),
        "made_by",
        "telegram_file_id",
        "vendor_ids",
        ("created_at", "expires_at"),
    )
    actions_detail = ("content",)
    thread_link = link_column("thread")

    @action(description="Download", icon="download", permissions=["read_words"])  # type: ignore[untyped-decorator]
    def content(self, request: HttpRequest, object_id: str) -> FileResponse:
        """The bytes, never shown in the browser: they are somebody's, and could be a page."""
        file = self.found(request, object_id)
        content = file.stored.open("rb")
        keep_in_log(request, file, "Downloaded the file.")
        response = FileResponse(
            content, as_attachment=True, filename=file.name, content_type="application/octet-stream"
        )
        response.streaming_content = streamed(request, iter(partial(content.read, BLOCK_BYTES), b""))
        response["Content-Security-Policy"] = "sandbox"
        return response


@admin.register(DeadEvent)
class DeadEventPage(WordsPage[DeadEvent]):
    """Events that could not be written: queue them again, or throw them away."""

    list_display = ("id", "kind", "version", "attempts", "first_line", "happened_at", "died_at")
    list_filter = ("kind",)
    date_hierarchy = "died_at"
    ordering = ("-died_at",)
    fields = (("kind", "version"), "attempts", "first_line", ("happened_at", "died_at"))
    words = ("error_shown", "payload_shown")
    closed = ("error", "payload")
    error_shown = pre_column("error")
    payload_shown = pre_column("payload")
    actions = ("replay", "discard")

    @admin.display(description="error")
    def first_line(self, event: DeadEvent) -> str:
        """PostgreSQL puts the row itself, and with it people's words, on the lines after the first."""
        return event.error.partition("\n")[0]

    @admin.action(description="Queue again", permissions=["replay"])
    def replay(self, request: HttpRequest, events: QuerySet[DeadEvent]) -> None:
        for event in events:
            try:
                write_behind.replay(event)
            except (ValueError, redis.RedisError) as error:
                messages.error(request, f"{event.kind} {event.pk} stays: {error}")
                return
            keep_in_log(request, event, "Queued again.")
        messages.success(request, "Queued again.")

    @admin.action(description="Throw away for good", permissions=["discard"])
    def discard(self, request: HttpRequest, events: QuerySet[DeadEvent]) -> None:
        for event in events:
            self.log_deletions(request, events.filter(pk=event.pk))
            write_behind.discard(event)
        messages.success(request, "Thrown away.")

    def has_replay_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm(REPLAY)

    def has_discard_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm(DISCARD)
