"""What the loop does at the end of a model call and of each tool call."""

from collections.abc import Mapping

from billing.prices import terms
from conversations.charging import absorb_late
from conversations.closing import Closed, close_step, record_result
from conversations.compaction import close_summary
from conversations.contracts import ProviderError, Tool
from conversations.errors import LeaseLost
from conversations.events import tool_call_event
from conversations.parts import ToolCall
from conversations.reply import Reply
from conversations.steps import Place, Step
from conversations.tool_runs import Ran
from conversations.write_behind import record


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
    record(
        "tool_call",
        tool_call_event(
            user_id=step.user_id,
            thread_id=step.thread_id,
            turn_id=step.turn_id,
            call=call,
            result=ran.result,
            status=ran.status,
            seconds=ran.seconds,
            cost=terms().on(ran.cost),
        ),
    )
    return closed
