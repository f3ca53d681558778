"""The turn, as one async generator: ask the model, run its tools, ask again, until it has answered."""

import asyncio
import time
from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from decimal import Decimal

from config.patience import patiently
from conversations.closing import Closed
from conversations.contracts import Event, ProviderError, Reason, TextDelta, Tool
from conversations.ends import close, keep, note_stopped
from conversations.files import ThreadFiles
from conversations.history import Row
from conversations.media import with_media
from conversations.parts import Delivery, Summary, Text, ToolCall, ToolResult
from conversations.repair import asked
from conversations.reply import Reply
from conversations.steps import Place, Resumed, Step
from conversations.tool_runs import InFlight, Told, run_tool


@dataclass(frozen=True, slots=True)
class StepBegan:
    """A model call begins; `continues` when it goes on in the middle of the answer before."""

    continues: bool


@dataclass(frozen=True, slots=True)
class ToolBegan:
    """A tool runs; once more for each line it tells of what it is doing."""

    call_id: str
    tool: Tool
    told: str = ""


@dataclass(frozen=True, slots=True)
class ToolEnded:
    call_id: str


@dataclass(frozen=True, slots=True)
class FileReady:
    """There is a file for the person; it is stored and belongs behind the words so far."""

    delivery: Delivery


@dataclass(frozen=True, slots=True)
class SummingUp:
    """The conversation has grown too long and is being summed up; nothing of that is part of the answer."""


@dataclass(frozen=True, slots=True)
class SummedUp:
    """It was, for so many dollars; None: it was not, and the turn goes on or fails without."""

    cost: Decimal | None


@dataclass(frozen=True, slots=True)
class Failed:
    """The turn ends without a whole answer; `key` names the sentence the person gets."""

    key: str


TurnEvent = Event | StepBegan | ToolBegan | ToolEnded | FileReady | SummingUp | SummedUp | Failed


async def run_turn(
    step: Step | Resumed | None, tools: Mapping[str, Tool], language: str
) -> AsyncGenerator[TurnEvent, None]:
    """Drive one turn to its end, yielding everything the person should see.

    Consume it with `contextlib.aclosing`: closed early, it keeps and charges what was said.
    Raises LeaseLost when another process has taken the turn over.
    """
    while step is not None:
        if isinstance(step, Resumed):
            closed = Closed(calls=step.calls)
        else:
            yield SummingUp() if step.sums_up_for else StepBegan(step.continues)
            reply = Reply()
            error: ProviderError | None = ProviderError("cut")  # unless the stream ends by itself
            try:
                request = await with_media(step.request, step.model, ThreadFiles(step.thread_id))
                async with aclosing(asked(step, request)) as events:
                    async for event in events:
                        reply.add(event)
                        if not step.sums_up_for:
                            yield event
                error = None if reply.done else error
            except ProviderError as failed:
                error = failed
            except (asyncio.CancelledError, GeneratorExit):
                error = None  # stopped: no fault of anybody
                raise
            finally:
                # Whatever was said before a stop is kept and charged, so this runs even when cancelled.
                closed = await asyncio.shield(patiently(close)(step, reply, error, tools))
            if step.sums_up_for:
                yield SummedUp(closed.summed_up)
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
    step: Place, calls: Sequence[ToolCall], tools: Mapping[str, Tool], language: str
) -> AsyncGenerator[TurnEvent | Closed, None]:
    """Run the calls of a step side by side and keep each result as soon as it is there; last, yield what follows."""
    began, in_flight = time.monotonic(), InFlight()
    told: asyncio.Queue[Told] = asyncio.Queue(1)
    running = {
        asyncio.create_task(run_tool(step, call, tools, language, in_flight, told)): call for call in calls
    }
    unkept, heard = set(running), asyncio.create_task(told.get())
    try:
        for call in calls:
            if call.name in tools:
                yield ToolBegan(call.id, tools[call.name])
        while unkept:
            await asyncio.wait({*unkept, heard}, return_when=asyncio.FIRST_COMPLETED)
            if heard.done():
                call, line = heard.result()
                yield ToolBegan(call.id, tools[call.name], line)
                heard = asyncio.create_task(told.get())
            for task in [task for task in unkept if task.done()]:
                ran = task.result()
                unkept.discard(task)  # kept even when we are cancelled here
                closed = await asyncio.shield(patiently(keep)(step, running[task], ran, not unkept))
                in_flight.landed(ran.result.call_id)
                yield ToolEnded(ran.result.call_id)
                for delivery in ran.result.shown:
                    yield FileReady(delivery)
        yield closed
    finally:
        heard.cancel()
        for task in unkept:
            task.cancel()
        await asyncio.gather(*unkept, return_exceptions=True)
        for task in unkept:  # what has ended was paid for: its result is kept and charged, also behind a Stop
            if not task.cancelled() and not task.exception():
                await asyncio.shield(patiently(keep)(step, running[task], task.result(), False))
            elif (tool := tools.get(running[task].name)) and tool.runs_in == "bot":
                seconds = time.monotonic() - began
                await asyncio.shield(patiently(note_stopped)(step, running[task], seconds))


def replay(rows: Sequence[Row]) -> Iterator[TurnEvent]:
    """What a turn has shown so far, out of its rows: the same words and files in the same order."""
    before: Row | None = None
    for row in rows:
        if row.role == "assistant":
            yield StepBegan(before is not None and before.reason in (Reason.LENGTH, Reason.PAUSE))
            before = row
        for part in row.parts:
            if isinstance(part, Text) and row.role == "assistant":
                yield TextDelta(part.text)
            elif isinstance(part, ToolResult):
                yield from (FileReady(delivery) for delivery in part.shown)
            elif isinstance(part, Summary):
                yield SummedUp(Decimal(part.cost))
