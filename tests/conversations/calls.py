"""Finished tool calls as events, good ones and every kind of bad one."""

from decimal import Decimal
from typing import Any

from conversations.events import tool_call_event
from conversations.parts import ToolCall, ToolResult

POISON: dict[str, dict[str, Any]] = {
    "a NUL byte": {"result": "a\0b"},
    "a name too long": {"name": "n" * 65},
    "a status nobody knows": {"status": "sleeping"},
    "no such person": {"user_id": 10**9},
    "a cost that is no number": {"cost": "dear"},
    "a count beyond bigint": {"user_id": 2**70},
}


def payload(user_id: int, number: int) -> dict[str, Any]:
    return dict(
        tool_call_event(
            user_id=user_id,
            thread_id=1,
            turn_id=1,
            call=ToolCall(f"call_{number}", "render_latex", {"latex": "x" * 200}),
            result=ToolResult(f"call_{number}", "render_latex", "done"),
            status="done",
            seconds=0.1,
            cost=Decimal("0.01"),
        )
    )
