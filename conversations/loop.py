"""The turn, as one async generator: ask the model, run its tools, ask again, until it has answered."""

import asyncio
import time
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import structlog

from billing import ledger
from billing.policy import can_use_paid_tool
from config.aio import in_db
from config.patience import patiently
from conversations.contracts import Event, ProviderError, Reply, Tool, ToolContext, ToolFailed, ToolOutput
from conversations.events import tool_call_event
from conversations.files import ThreadFiles, part_of, store_file
from conversations.history import NO_RESULT
from conversations.models import UserFile
from conversations.parts import File, ToolCall, ToolResult
from conversations.steps import HOLD_FOR, Closed, Step, close_step, record_result
from conversations.write_behind import record

RESULT_MAX = 100_000  # characters of one tool result that a model is shown

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class StepBegan:
    """A model call begins; `continues` when it goes on in the middle of the answer before."""

    continues: bool


@dataclass(frozen=True, slots=True)
class ToolBegan:
    call_id: str
    tool: Tool


@dataclass(frozen=True, slots=True)
class ToolEnded:
    call_id: str


@dataclass(frozen=True, slots=True)
class FileReady:
    """A tool made a file for the person; it is stored and belongs behind the words so far."""

    file: File


@dataclass(frozen=True, slots=True)
class Failed:
    """The turn ends without a whole answer; `key` names the sentence the person gets."""

    key: str


TurnEvent = Event | StepBegan | ToolBegan | ToolEnded | FileReady | Failed


@dataclass(frozen=True, slots=True)
class Ran:
    """What came of one tool call, before it is kept."""

    result: ToolResult
    status: str  # tools.ToolCall.Status
    seconds: float
    cost: Decimal = Decimal(0)
    details: Mapping[str, Any] = field(default_factory=dict)
    files: tuple[UserFile, ...] = ()


async def run_turn(
    step: Step | None, tools: Mapping[str, Tool], language: str
) -> AsyncGenerator[TurnEvent, None]:
    """Drive one turn to its end, yielding everything the person should see.

    Consume it with `contextlib.aclosing`: closed early, it keeps and charges what was said.
    Raises LeaseLost when another process has taken the turn over.
    """
    while step is not None:
        closed = Closed(calls=step.calls)  # calls made before a crash: only their results are missing
        if not step.calls:
            yield StepBegan(step.continues)
            reply = Reply()
            error: ProviderError | None = ProviderError("cut")  # unless the stream ends by itself
            try:
                async with aclosing(step.model.stream(step.model, step.request)) as events:
                    async for event in events:
                        reply.add(event)
                        yield event
                error = None if reply.done else error
            except ProviderError as failed:
                error = failed
            except (asyncio.CancelledError, GeneratorExit):
                error = None  # stopped: no fault of anybody
                raise
            finally:
                # Whatever was said before a stop is kept and charged, so this runs even when cancelled.
                closed = await asyncio.shield(patiently(close_step)(step, reply, error))
        if closed.calls:
            async with aclosing(_run_tools(step, closed.calls, tools, language)) as ran:
                async for outcome in ran:
                    if isinstance(outcome, Closed):
                        closed = outcome
                    else:
                        yield outcome
        if closed.failure:
            yield Failed(closed.failure)
        step = closed.next


async def _run_tools(
    step: Step, calls: Sequence[ToolCall], tools: Mapping[str, Tool], language: str
) -> AsyncGenerator[TurnEvent | Closed, None]:
    """Run the calls of a step side by side; each result is kept as soon as it is there. Ends with what follows."""
    running = {asyncio.create_task(run_tool(step, call, tools, language)): call for call in calls}
    pending = set(running)
    try:
        for call in calls:
            if call.name in tools:
                yield ToolBegan(call.id, tools[call.name])
        while pending:
            done, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
            for count, task in enumerate(done, start=1):
                ran = task.result()
                last = not pending and count == len(done)
                closed = await asyncio.shield(patiently(_keep)(step, running[task], ran, last))
                yield ToolEnded(ran.result.call_id)
                for file in ran.result.files:
                    yield FileReady(file)
        yield closed
    finally:
        for task in pending:
            task.cancel()
        await asyncio.gather(*pending, return_exceptions=True)


def _keep(step: Step, call: ToolCall, ran: Ran, last: bool) -> Closed:
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
            cost=ran.cost,
        ),
    )
    return closed


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
