"""What the loop does at the end of a model call and of each tool call."""

from collections.abc import Mapping
from decimal import Decimal

from billing.prices import terms
from conversations.charging import absorb_late
from conversations.closing import Closed, close_step, record_result
from conversations.compaction import close_summary
from conversations.contracts import ProviderError, Tool
from conversations.errors import LeaseLost
from conversations.events import tool_call_event
from conversations.models import Turn
from conversations.parts import ToolCall, ToolResult
from conversations.reply import Reply
from conversations.steps import Place, Step
from conversations.tool_runs import Ran
from conversations.write_behind import record

STOPPED = "The tool was stopped."
ZERO = Decimal(0)


def close(step: Step, reply: Reply, error: ProviderError | None, tools: Mapping[str, Tool]) -> Closed:
    """End a model call. Raises LeaseLost: then what it cost is the operator's."""
    try:
        if step.sums_up_for:
            return close_summary(step, reply, error, tools=tools.values())
        return close_step(step, reply, error)
    except LeaseLost:
        absorb_late(step, reply)
        raise


def keep(step: Place, call: ToolCall, ran: Ran, last: bool) -> Closed:
    """End a tool call: its result in the conversation, its history behind it."""
    closed = record_result(
        step, ran.result, cost=ran.cost, details=dict(ran.details), files=ran.files, last=last
    )
    _tell(step, call, ran.result, ran.status, ran.seconds, terms().on(ran.cost))
    return closed


def note_stopped(step: Place, call: ToolCall, seconds: float) -> None:
    """A call that its person stopped has no result, and costs them nothing, but has its place in the history.

    One that runs in a worker tells of its own end. And where nobody stopped the turn, its next process goes on.
    """
    if Turn.objects.filter(pk=step.turn_id, stop_requested=True).exists():
        _tell(step, call, ToolResult(call.id, call.name, STOPPED, is_error=True), "stopped", seconds, ZERO)


def _tell(
    step: Place, call: ToolCall, result: ToolResult, status: str, seconds: float, cost: Decimal
) -> None:
    event = tool_call_event(
        user_id=step.user_id,
        thread_id=step.thread_id,
        turn_id=step.turn_id,
        call=call,
        result=result,
        status=status,
        seconds=seconds,
        cost=cost,
    )
    record("tool_call", event)
