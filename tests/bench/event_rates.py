"""`python -m tests.bench.event_rates COUNT`: how fast so many tool calls become rows, each way; as JSON."""

import json
import sys
import time
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import django

django.setup()

from accounts.models import User  # noqa: E402  needs the settings
from conversations import write_behind  # noqa: E402
from conversations.events import tool_call_event  # noqa: E402
from conversations.parts import ToolCall as Call  # noqa: E402
from conversations.parts import ToolResult  # noqa: E402
from tools.models import ToolCall  # noqa: E402

WARM = 50  # connections, plans, the client


def payload(user: User, number: int) -> dict[str, Any]:
    return {
        **tool_call_event(
            user_id=user.pk,
            thread_id=0,
            turn_id=0,
            call=Call(f"call_{number}", "render_latex", {"latex": "x" * 200}),
            result=ToolResult(f"call_{number}", "render_latex", "done"),
            status="done",
            seconds=0.1,
            cost=Decimal("0.01"),
        ),
        "thread_id": None,
        "turn_id": None,
    }


def seconds_of(one: Callable[[int], object], numbers: range) -> float:
    began = time.perf_counter()
    for number in numbers:
        one(number)
    return time.perf_counter() - began


def flush_all() -> float:
    began = time.perf_counter()
    while write_behind.flush():
        pass
    return time.perf_counter() - began


def main(count: int) -> None:
    user = User.objects.create(telegram_id=1)

    def insert(number: int) -> None:
        ToolCall.objects.create(**payload(user, number))

    def record(number: int) -> None:
        write_behind.record("tool_call", payload(user, number))

    seconds_of(insert, range(WARM))
    seconds_of(record, range(WARM, 2 * WARM))
    flush_all()
    plain = seconds_of(insert, range(2 * WARM, 2 * WARM + count))
    taken = seconds_of(record, range(2 * WARM + count, 2 * (WARM + count)))
    flushed = flush_all()
    assert ToolCall.objects.count() == 2 * (WARM + count), "an event was lost, so nothing was measured"
    behind = {
        "events per second the caller is rid of": count / taken,
        "events per second written by a flush": count / flushed,
        "events per second, recorded and written": count / (taken + flushed),
    }
    print(
        json.dumps(
            {row: {"INSERT each": count / plain, "write-behind": rate} for row, rate in behind.items()}
        )
    )


if __name__ == "__main__":
    main(int(sys.argv[1]))
