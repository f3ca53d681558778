"""One tool call, from a model's wish to its result."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from functools import partial
from typing import Any

import structlog

from billing import ledger
from billing.errors import PriceUnknown
from billing.policy import can_use_paid_tool
from billing.prices import terms
from config.aio import in_db
from config.patience import patiently
from conversations.contracts import Earlier, Tool, ToolContext, ToolFailed, ToolOutput
from conversations.errors import Interrupted, StoppedCall, TimedOut
from conversations.files import ThreadFiles, part_of, store_file
from conversations.history import NO_RESULT
from conversations.models import UserFile
from conversations.parts import ToolCall, ToolResult
from conversations.steps import HOLD_FOR, Place, Resumed

RESULT_MAX = 100_000  # characters of one tool result that a model is shown
NOT_COVERED = (
    "The person's balance, or what one answer may cost, does not cover this call. Say so, and name /pay."
)
NO_PRICE = "This tool has no price at the moment, so it cannot be used. Say so, and go on without it."

FAILURES: dict[type[ToolFailed], str] = {
    Interrupted: "interrupted",
    StoppedCall: "stopped",
    TimedOut: "timed_out",
}

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Ran:
    """What came of one tool call, before it is kept."""

    result: ToolResult
    status: str  # tools.ToolCall.Status
    seconds: float
    cost: Decimal = Decimal(0)  # to us; its person is charged the owner's margin besides
    details: Mapping[str, Any] = field(default_factory=dict)
    files: tuple[UserFile, ...] = ()


Told = tuple[ToolCall, str]  # a running call, and the newest line of what it is doing


@dataclass(slots=True)
class InFlight:
    """What the paid calls of one step that run side by side may still cost, each at most.

    The hold must cover all of them together, or a hundred at once would each be let in on the same dollars.
    """

    ceilings: dict[str, Decimal] = field(default_factory=dict)  # call → dollars
    door: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def admits(self, step: Place, call: ToolCall, ceiling: Decimal) -> bool:
        """Does the hold cover the dearest outcome of this call beside the others? Then it is one of them."""
        async with self.door:
            needed = ceiling + sum(self.ceilings.values())
            if not await patiently(_affords)(step, ceiling, needed):
                return False
            self.ceilings[call.id] = ceiling
            return True

    def landed(self, call_id: str) -> None:
        """The call was charged: from here on the hold is smaller by what it really cost."""
        self.ceilings.pop(call_id, None)


async def run_tool(
    step: Place,
    call: ToolCall,
    tools: Mapping[str, Tool],
    language: str,
    in_flight: InFlight,
    told: asyncio.Queue[Told],
) -> Ran:
    """One call to its result. Never raises for what a tool or a model did: a failure is a result too."""
    began = time.monotonic()
    tool = tools.get(call.name)
    output, status = ToolOutput(""), "done"
    try:
        if tool is None:
            raise ToolFailed(f"There is no tool {call.name!r}. The tools are: {', '.join(sorted(tools))}.")
        key = (step.turn_id, call.id)
        earlier = await _earlier(step, tool, key)
        if tool.price_max and earlier == "nothing":
            ceiling = terms().on(await patiently(tool.ceiling)(call.arguments))
            if ceiling and not await in_flight.admits(step, call, ceiling):
                status = "refused"
                raise ToolFailed(NOT_COVERED)
        tell = partial(_tell, told, call)
        context = ToolContext(step.user_id, step.thread_id, language, ThreadFiles(step.thread_id), key, tell)
        async with asyncio.timeout(tool.seconds_max):
            output = await tool.run(context, **call.arguments)
    except ToolFailed as failed:
        if status == "done":
            status = FAILURES.get(type(failed), "failed")
        output = ToolOutput(str(failed), cost=failed.cost, details=failed.details)
    except PriceUnknown:
        status = "refused"
        output = ToolOutput(NO_PRICE)
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
        deliveries=output.deliver,
    )
    return Ran(result, status, time.monotonic() - began, output.cost, output.details, files)


async def _earlier(step: Place, tool: Tool, key: tuple[int, str]) -> Earlier:
    """What a process before this one has brought about of a call. Raises Interrupted when it may not begin now."""
    if not isinstance(step, Resumed):
        return "nothing"
    earlier = await patiently(tool.earlier)(key)
    may_begin = not step.stopped and (tool.repeatable or tool.runs_in == "worker")
    if earlier != "ended" and not may_begin:
        raise Interrupted(NO_RESULT)
    return earlier


def _tell(told: asyncio.Queue[Told], call: ToolCall, line: str) -> None:
    """Of what is told faster than it is shown the newest counts."""
    if told.full():
        told.get_nowait()
    told.put_nowait((call, line))


def _affords(step: Place, ceiling: Decimal, needed: Decimal) -> bool:
    if not can_use_paid_tool(step.user_id, ceiling):
        return False
    return ledger.extend(step.hold_key, needed=needed, expires_in=HOLD_FOR) >= needed


def _told(text: str, files: Sequence[UserFile]) -> str:
    """A result as the model reads it: cut to a sane size, with the id of every file it may name again."""
    if len(text) > RESULT_MAX:
        text = text[:RESULT_MAX] + f"\n(cut: {len(text) - RESULT_MAX} more characters)"
    lines = [
        f"File {file.short_id}: {file.name} ({file.mime}, {file.size} bytes), sent to the person."
        for file in files
    ]
    return "\n".join([text, *lines]) if lines else text
