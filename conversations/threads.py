"""Chats, threads and what people wrote in them."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from datetime import date
from typing import Any

from django.db import connection, transaction
from django.db.models import QuerySet
from django.template.loader import render_to_string
from django.utils import timezone

from accounts.models import User
from conversations.contracts import Model, Tool, ToolSpec
from conversations.files import Arrived, add_arrivals
from conversations.history import Row
from conversations.models import Chat, Message, Thread, Turn
from conversations.parts import Part, Parts
from conversations.said import warm

UNCLAIMED = """
    SELECT * FROM conversations_message AS message WHERE thread_id = %s AND seq IS NULL AND NOT EXISTS (
        SELECT FROM conversations_turn AS turn WHERE turn.thread_id = message.thread_id AND turn.state = 'running'
    ) ORDER BY id
"""
# Numbers messages on from the thread's last place, in the order of their ids.
PLACE = """
    WITH waiting AS (
        SELECT id, row_number() OVER (ORDER BY id) AS number FROM unnest(%s::bigint[]) AS given (id)
    ), thread AS (
        UPDATE conversations_thread
        SET last_seq = last_seq + (SELECT count(*) FROM waiting), spoken_on = (now() AT TIME ZONE 'UTC')::date
        WHERE id = %s RETURNING last_seq - (SELECT count(*) FROM waiting) AS before
    ) UPDATE conversations_message AS message SET seq = thread.before + waiting.number, turn_id = %s
    FROM waiting, thread WHERE message.id = waiting.id RETURNING thread.before
"""


def lane(
    *, telegram_id: int, kind: str, title: str, topic: int | None, user: User, tools: Iterable[Tool]
) -> Thread:
    """The thread that new messages of a chat or one of its topics belong to, locked, with its chat at hand.

    Call inside a transaction that already holds the person's row.
    """
    known = Thread.objects.select_for_update(of=("self",)).select_related("chat").defer("system", "tools")
    thread = known.filter(chat__telegram_id=telegram_id, topic=topic, is_current=True).first()
    if thread is None:
        chat = sync_chat(telegram_id=telegram_id, kind=kind, title=title)
        return current_thread(chat, topic=topic, user=user, tools=tools)
    _bring_up_to_date(thread.chat, kind, title)
    return thread


def sync_chat(*, telegram_id: int, kind: str, title: str) -> Chat:
    """The chat's row, made or brought up to date. A chat that speaks to us is alive."""
    chat = Chat.objects.filter(telegram_id=telegram_id).first()
    if chat is None:
        chat, _ = Chat.objects.get_or_create(telegram_id=telegram_id, defaults={"kind": kind, "title": title})
    _bring_up_to_date(chat, kind, title)
    return chat


def _bring_up_to_date(chat: Chat, kind: str, title: str) -> None:
    if (chat.kind, chat.title, chat.dead_at) != (kind, title, None):
        chat.kind, chat.title, chat.dead_at = kind, title, None
        chat.save(update_fields=["kind", "title", "dead_at"])


def set_chat_dead(chat_id: int) -> None:
    """Nothing can be sent there any more: the chat was deleted, or the bot was thrown out or blocked."""
    Chat.objects.filter(pk=chat_id, dead_at__isnull=True).update(dead_at=timezone.now())


def current_thread(chat: Chat, *, topic: int | None, user: User, tools: Iterable[Tool]) -> Thread:
    """The thread that new messages of this lane belong to, locked; started if there is none.

    Call inside a transaction that already holds the person's row.
    """
    lane = Thread.objects.filter(chat=chat, topic=topic, is_current=True)
    thread = lane.select_for_update().first()
    if thread is None:
        started = _new_thread(chat, topic, user, tools)
        Thread.objects.bulk_create([started], ignore_conflicts=True)  # two first messages, one thread
        thread = lane.select_for_update().get()
        warm(thread)
    thread.chat = chat  # at hand for whoever answers; no second query
    return thread


@transaction.atomic
def start_thread(chat: Chat, *, topic: int | None, user: User, tools: Iterable[Tool]) -> Thread:
    """/new: the lane's old thread keeps everything and steps aside for a fresh one."""
    User.objects.select_for_update().get(pk=user.pk)
    lane = Thread.objects.select_for_update().filter(chat=chat, topic=topic, is_current=True)
    lane.update(is_current=False)
    thread = _new_thread(chat, topic, user, tools)
    thread.save()
    warm(thread)
    return thread


def start_beside(chat: Chat, *, user: User, tools: Iterable[Tool]) -> Thread:
    """A thread that does not take the place of the chat's current one: a question asked from elsewhere."""
    thread = _new_thread(chat, None, user, tools)
    thread.is_current = False
    thread.save()
    return thread


def _new_thread(chat: Chat, topic: int | None, user: User, tools: Iterable[Tool]) -> Thread:
    theirs, alone = instructions_in(chat, user), chat.kind == Chat.Kind.PRIVATE
    system, specs = head_of(theirs, tools, began=timezone.now().date(), alone=alone)
    return Thread(chat=chat, topic=topic, system=system, tools=specs, instructions=theirs)


def instructions_in(chat: Chat, user: User) -> str:
    """What a person asks of every answer, in a chat of their own; a group is nobody's own."""
    return user.instructions if chat.kind == Chat.Kind.PRIVATE else ""


def head_of(instructions: str, tools: Iterable[Tool], *, began: date, alone: bool) -> tuple[str, str]:
    """What stands before the messages of an epoch: the system prompt, and the tools as JSON.

    Not `alone`: in a group, where several people speak.
    """
    specs = [asdict(tool.spec) for tool in sorted(tools, key=lambda tool: tool.name)]
    words = {"today": began, "instructions": instructions, "alone": alone}
    system = render_to_string("prompts/system.md", words)
    return system.strip(), json.dumps(specs, ensure_ascii=False)


def tools_for(model: Model, thread: Thread) -> tuple[ToolSpec, ...]:
    """The tools as they were written down when the thread's epoch began, without those only other vendors run."""
    specs = [ToolSpec(**spec) for spec in json.loads(thread.tools)] if model.tools else []
    return tuple(spec for spec in specs if not spec.native or spec.name in model.native)


def receive(
    thread: Thread, *, author: User, messages: Sequence[tuple[int, Sequence[Part | Arrived]]]
) -> None:
    """Store what a person sent, each message by its Telegram id; they wait until a turn takes them in.

    One that Telegram delivered twice is stored once. Files become files of the thread in the same commit.
    """
    shared = {"thread": thread, "chat_id": thread.chat_id, "author": author, "role": "user"}
    said = add_arrivals(thread, user_id=author.pk, messages=[parts for _, parts in messages])
    rows = [
        Message(**shared, telegram_id=number, parts=parts)
        for (number, _), parts in zip(messages, said, strict=True)
    ]
    Message.objects.bulk_create(rows, ignore_conflicts=True)


def waiting_messages(thread_id: int, *, author: int | None = None) -> list[Message]:
    """What one person wrote in a thread and no turn has taken in, oldest first: `author`, or who waits longest.

    A turn has one payer, so what others wrote meanwhile waits for a turn of their own.
    """
    waiting = Message.objects.filter(thread_id=thread_id, seq__isnull=True).order_by("pk")
    return _of_one_person(list(waiting), author)


def unclaimed_messages(thread_id: int, *, author: int) -> list[Message]:
    """The same, as long as no turn is running: then its next step takes them in, or its end does."""
    return _of_one_person(list(Message.objects.raw(UNCLAIMED, [thread_id])), author)


def is_asked(waiting: Sequence[Message]) -> bool:
    """Does somebody ask? A note about an edit waits for the next question."""
    return any(message.role == "user" for message in waiting)


def _of_one_person(waiting: Sequence[Message], author: int | None) -> list[Message]:
    author = waiting[0].author_id if waiting and author is None else author
    return [message for message in waiting if message.author_id == author]


def take_in(turn: Turn, waiting: Sequence[Message]) -> list[Message]:
    """Give waiting messages their place behind everything said so far, in one statement; locks the thread's row."""
    if not waiting:
        return []
    with connection.cursor() as cursor:
        cursor.execute(PLACE, [[message.pk for message in waiting], turn.thread_id, turn.pk])
        before = cursor.fetchone()[0]
    for number, message in enumerate(waiting, start=before + 1):
        message.seq, message.turn = number, turn
    return list(waiting)


def append(turn_id: int, thread_id: int, chat_id: int, role: str, parts: Parts, **fields: Any) -> Message:
    """Add a message behind everything said so far."""
    seq = _next_place(thread_id)
    return Message.objects.create(
        turn_id=turn_id, thread_id=thread_id, chat_id=chat_id, role=role, parts=parts, seq=seq, **fields
    )


def _next_place(thread_id: int) -> int:
    """Reserve the place at the end of a thread; locks the thread's row."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE conversations_thread SET last_seq = last_seq + 1, spoken_on = (now() AT TIME ZONE 'UTC')::date"
            " WHERE id = %s RETURNING last_seq",
            [thread_id],
        )
        return int(cursor.fetchone()[0])


def said_in(thread: Thread) -> QuerySet[Message]:
    """What a model is told of a thread: the messages of its present epoch."""
    return Message.objects.filter(thread_id=thread.pk, superseded=False, seq__gte=thread.epoch_begins)


def rows_of(messages: QuerySet[Message]) -> list[Row]:
    """Placed messages in their order, as history reads them."""
    placed = messages.filter(seq__isnull=False).order_by("seq")
    said: Any = placed.values_list("role", "parts", "reason", "usage", "created_at")
    return [Row(*row) for row in said]


def rows_of_turn(turn_id: int, *, user_id: int) -> list[Row] | None:
    """Everything a turn has said, also what was asked again since; None when it is not this person's, or gone."""
    if not Turn.objects.filter(pk=turn_id, user_id=user_id).exists():
        return None
    return rows_of(Message.objects.filter(turn_id=turn_id))


def news_for(thread: Thread, user: User, today: date) -> list[str]:
    """What the model of a running thread must be told before its person's next words.

    Call with the thread's row locked.
    """
    news = (day_changed(thread.spoken_on, today), instructions_changed(thread, user))
    return [words for words in news if words]


def day_changed(last: date | None, today: date) -> str | None:
    """The words that tell a model of a new day, when the thread's last message is of another one."""
    if last is None or last == today:
        return None
    return f"Today is {today:%A, %d %B %Y}."


def instructions_changed(thread: Thread, user: User) -> str | None:
    """The words that tell a model what its person asks of it by now, when it was told something else."""
    theirs = instructions_in(thread.chat, user)
    if thread.instructions == theirs:
        return None
    thread.instructions = theirs
    thread.save(update_fields=["instructions"])
    return render_to_string("prompts/instructions.md", {"instructions": theirs}).strip()
