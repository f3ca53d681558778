"""What the next model call reads: out of the context cache in one round trip, and what it lacks out of the table.

PostgreSQL stays the truth. A copy is only ever extended: it may be older than the table (a process died
between its commit and telling the cache), so what stands behind its last number is asked for, unless the
caller placed it in this very transaction. Rows that change are a reason to `forget`.
"""

import json
from collections.abc import Sequence
from datetime import datetime
from functools import partial
from typing import Any

from django.db import transaction

from conversations import cache
from conversations.history import Row
from conversations.models import Message, Thread, Turn
from conversations.parts import dump, load

Placed = tuple[int, Row]  # a row and its number in the thread


def gather(turn: Turn, placed: Sequence[Message] = ()) -> list[Row]:
    """Everything said in the thread's present epoch, in order; `turn.thread` has its head at hand afterwards.

    `placed` are the messages that this transaction has just placed, if they are all there is since the
    thread's row was read. Call with the thread's row, or the running turn of it, locked.
    """
    thread = turn.thread
    context = cache.read(turn.user_id, thread.pk)
    _put_head_at_hand(thread, context)
    known = None if context.messages is None else [_decoded(body) for body in context.messages]
    new = [(message.seq or 0, row_of(message)) for message in placed]
    if known is None:
        rows = new if new and new[0][0] == 1 else _from_table(thread, behind=0)
        last = rows[-1][0] if rows else 0
        bodies = [_encoded(*row) for row in rows]
        transaction.on_commit(partial(cache.rebuild, thread.pk, last, bodies, lease=context.lease))
        return [row for _, row in rows]
    if not new or context.seq != new[0][0] - 1:
        new = _from_table(thread, behind=context.seq or 0)
    for row in new:
        transaction.on_commit(partial(cache.append, thread.pk, row[0], _encoded(*row)))
    return [row for number, row in [*known, *new] if number >= thread.epoch_begins]


def remember(message: Message) -> None:
    """Behind the commit, the cache knows the last thing said too: the next turn asks the table nothing."""
    assert message.seq is not None, "a message is placed before it is remembered"
    body = _encoded(message.seq, row_of(message))
    transaction.on_commit(partial(cache.append, message.thread_id, message.seq, body))


def forget(thread_id: int) -> None:
    """Something else than a new message: the copy goes now, for this transaction, and behind its commit for all."""
    cache.forget(thread_id)
    transaction.on_commit(partial(cache.forget, thread_id))


def warm(thread: Thread) -> None:
    """A thread that was just made has nothing to be looked up: its first message asks the table nothing."""
    transaction.on_commit(partial(cache.warm, thread.pk, head=_head(thread), files=b"[]"))


def row_of(message: Message) -> Row:
    role: Any = message.role  # the table allows the three only
    return Row(role, message.parts, message.reason, message.usage, message.created_at)


def _put_head_at_hand(thread: Thread, context: cache.Context) -> None:
    """The frozen head, unless it was loaded: then it may be newer than the copy."""
    if not thread.get_deferred_fields():
        return
    if context.head is not None:
        thread.system, thread.tools = json.loads(context.head)
        return
    thread.refresh_from_db(fields=["system", "tools"])
    transaction.on_commit(partial(cache.put_head, thread.pk, _head(thread), lease=context.lease))


def _head(thread: Thread) -> bytes:
    return json.dumps([thread.system, thread.tools]).encode()


def _from_table(thread: Thread, *, behind: int) -> list[Placed]:
    said = Message.objects.filter(thread_id=thread.pk, superseded=False, seq__gt=behind)
    said = said.filter(seq__gte=thread.epoch_begins).order_by("seq")
    columns = said.values_list("seq", "role", "parts", "reason", "usage", "created_at")
    return [(number or 0, Row(*row)) for number, *row in columns]


def _encoded(number: int, row: Row) -> bytes:
    said_at = row.said_at.isoformat() if row.said_at else None
    return json.dumps([number, row.role, dump(row.parts), row.reason, row.usage, said_at]).encode()


def _decoded(body: bytes) -> Placed:
    number, role, parts, reason, usage, said_at = json.loads(body)
    return number, Row(role, load(parts), reason, usage, datetime.fromisoformat(said_at) if said_at else None)
