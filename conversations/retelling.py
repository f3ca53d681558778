"""The history of tools behind a crash: what was kept is told again, for the process may have died before it told."""

from collections.abc import Sequence
from decimal import Decimal

from billing.models import BalanceOperation
from conversations.events import tool_call_event
from conversations.history import Row
from conversations.models import Turn
from conversations.parts import ToolCall, ToolResult
from conversations.write_behind import record


def tell_again(turn: Turn, rows: Sequence[Row]) -> None:
    """Record every call of a turn whose result was kept. One that was told of before is a row already, and stays so.

    How long it ran, and how exactly it failed, died with the process.
    """
    calls = {part.id: part for row in rows for part in row.parts if isinstance(part, ToolCall)}
    kept = [(part, row) for row in rows for part in row.parts if isinstance(part, ToolResult)]
    if not kept:
        return
    charges = BalanceOperation.objects.filter(key__startswith=f"turn:{turn.pk}:tool:")
    costs = dict(charges.values_list("key", "amount"))
    for result, row in kept:
        event = tool_call_event(
            user_id=turn.user_id,
            thread_id=turn.thread_id,
            turn_id=turn.pk,
            call=calls.get(result.call_id, ToolCall(result.call_id, result.name, {})),
            result=result,
            status="failed" if result.is_error else "done",
            seconds=0,
            cost=-costs.get(f"turn:{turn.pk}:tool:{result.call_id}", Decimal(0)),
            ended_at=row.said_at,
        )
        record("tool_call", event)
