"""The history of tool calls: written behind, in batches."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, cast
from uuid import UUID

from django.db.models import QuerySet

from accounts.models import User
from conversations.events import Event, ToolCallPayload
from conversations.models import Thread, Turn
from tools.models import ToolCall

KIND = "tool_call"
WORDLESS: dict[str, Any] = {"arguments": "", "result": "", "files": [], "error": ""}  # an erased call


def write_tool_calls(events: Sequence[Event]) -> None:
    """Write finished calls (conversations.events.ToolCallPayload); one that is there already stays as it is.

    A thread erased in the meantime takes nothing with it: the call stays, without its thread. Of a person
    erased in the meantime it says no more than that it ran, and what it cost.
    """
    payloads = [cast(ToolCallPayload, event.payload) for event in events]
    people = User.objects.filter(pk__in={payload["user_id"] for payload in payloads})
    # The first lock of every path: the foreign keys would take the thread's and the turn's before it.
    locked = people.select_for_update(no_key=True).order_by("pk").values_list("pk", "telegram_id")
    forgotten = {pk for pk, telegram_id in locked if telegram_id is None}
    threads = set(
        Thread.objects.filter(pk__in={payload["thread_id"] for payload in payloads}).values_list(
            "pk", flat=True
        )
    )
    turns = set(
        Turn.objects.filter(pk__in={payload["turn_id"] for payload in payloads}).values_list("pk", flat=True)
    )
    rows = [_row(payload, threads, turns) for payload in payloads]
    for row in rows:
        if row.user_id in forgotten:
            vars(row).update(WORDLESS)
    ToolCall.objects.bulk_create(rows, ignore_conflicts=True)


def erase_words(calls: QuerySet[ToolCall]) -> None:
    """Take out of these calls what people and models said; that they ran, and what they cost, stays."""
    calls.update(**WORDLESS)


def _row(payload: ToolCallPayload, threads: set[int], turns: set[int]) -> ToolCall:
    return ToolCall(
        id=UUID(payload["id"]),
        user_id=payload["user_id"],
        thread_id=payload["thread_id"] if payload["thread_id"] in threads else None,
        turn_id=payload["turn_id"] if payload["turn_id"] in turns else None,
        call_id=payload["call_id"],
        name=payload["name"],
        arguments=payload["arguments"],
        result=payload["result"],
        files=payload["files"],
        status=ToolCall.Status(payload["status"]),
        seconds=payload["seconds"],
        cost=Decimal(payload["cost"]),
        error=payload["error"],
        started_at=datetime.fromisoformat(payload["started_at"]),
    )
