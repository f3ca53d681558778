"""One tool call, from a model's wish to its result."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import structlog

from billing import ledger
from billing.policy import can_use_paid_tool
from config.aio import in_db
from conversations.contracts import Tool, ToolContext, ToolFailed, ToolOutput
from conversations.files import ThreadFiles, part_of, store_file
from conversations.history import NO_RESULT
from conversations.models import UserFile
from conversations.parts import ToolCall, ToolResult
from conversations.steps import HOLD_FOR, Step

RESULT_MAX = 100_000  # characters of one tool result that a model is shown

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Ran:
    """What came of one tool call, before it is kept."""

    result: ToolResult
    status: str  # tools.ToolCall.Status
    seconds: float
    cost: Decimal = Decimal(0)
    details: Mapping[str, Any] = field(default_factory=dict)
    files: tuple[UserFile, ...] = ()


async def run_tool(step: Step, call: ToolCall, tools: Mapping[str, Tool], language: str) -> Ran:
    """One call to its result. Never raises for what a tool or a model did: a failure is a result too."""
    began = time.monotonic()
    tool = tools.get(call.name)
    output, status = ToolOutput(""), "done"
    try:
        if tool is None:
            raise ToolFailed(f"There is no tool {call.name!r}. The tools are: {', '.join(sorted(tools))}.")
        if step.calls and not tool.repeatable:
            status = "interrupted"
            raise ToolFailed(NO_RESULT)
        if tool.price_max and not await in_db(_affords)(step, tool):
            status = "refused"
            raise ToolFailed("The person's balance does not cover this tool. Say so, and name /pay.")
        context = ToolContext(step.user_id, step.thread_id, language, ThreadFiles(step.thread_id))
        async with asyncio.timeout(tool.seconds_max):
            output = await tool.run(context, **call.arguments)
    except ToolFailed as failed:
        status = "failed" if status == "done" else status
        output = ToolOutput(str(failed))
    except TimeoutError:
        status = "timed_out"
        output = ToolOutput(f"The tool was stopped after {tool.seconds_max if tool else 0:.0f} seconds.")
    except Exception:
        log.exception("tool.crashed", tool=call.name, turn=step.turn_id)
        status = "failed"
        output = ToolOutput(
            "The tool broke down. This is no fault of the arguments; do not try it again now."
        )
    files = tuple(
        [
            await in_db(store_file)(new, thread_id=step.thread_id, user_id=step.user_id, made_by=call.name)
            for new in output.files
        ]
    )
    result = ToolResult(
        call.id,
        call.name,
        _told(output.text, files),
        is_error=status != "done",
        files=tuple(part_of(file) for file in files),
    )
    return Ran(result, status, time.monotonic() - began, output.cost, output.details, files)


def _affords(step: Step, tool: Tool) -> bool:
    """Does the hold cover the dearest outcome of this tool?"""
    if not can_use_paid_tool(step.user_id, tool.price_max):
        return False
    return ledger.extend(step.hold_key, needed=tool.price_max, expires_in=HOLD_FOR) >= tool.price_max


def _told(text: str, files: Sequence[UserFile]) -> str:
    """A result as the model reads it: cut to a sane size, with the id of every file it may name again."""
    if len(text) > RESULT_MAX:
        text = text[:RESULT_MAX] + f"\n(cut: {len(text) - RESULT_MAX} more characters)"
    lines = [
        f"File {file.short_id}: {file.name} ({file.mime}, {file.size} bytes), sent to the person."
        for file in files
    ]
    return "\n".join([text, *lines]) if lines else text
