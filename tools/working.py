"""A worker's part of a long run: take the row, run the tool, write down what came of it."""

import asyncio
import functools
import json
import secrets
import time
from decimal import Decimal

import structlog
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import transaction
from django.db.models import F
from django.db.models.functions import Now

from accounts.services import lock_user
from billing.errors import PriceUnknown
from config.aio import in_db
from config.patience import patiently
from conversations.closing import charge_stopped_call
from conversations.contracts import Tool, ToolContext, ToolFailed, ToolOutput
from conversations.events import UNSTORABLE, ToolCallPayload, tool_call_event
from conversations.files import ThreadFiles
from conversations.models import Turn
from conversations.parts import ToolCall, ToolResult, dump_deliveries
from conversations.write_behind import record
from tools.catalog import tools
from tools.long_runs import LEASE, State
from tools.models import PROGRESS_MAX, LongRun
from tools.models import ToolCall as Call

STOPPED = "The tool was stopped."
BEAT_SECONDS = 0.5  # how often a worker says that it lives and how far it is, and asks whether to stop

log = structlog.get_logger(__name__)


def work(run_id: int) -> None:
    """Run a long run's tool, unless another worker does or has. May be called twice."""
    owner = secrets.token_hex(8)
    if not claim(run_id, owner):
        return
    _loop().run(_work(run_id, owner))


@functools.cache
def _loop() -> asyncio.Runner:
    """This process's one event loop: the vendors' clients keep their connections on it from run to run."""
    return asyncio.Runner()


def claim(run_id: int, owner: str) -> bool:
    """Take a waiting run whose person still wants it."""
    waiting = LongRun.objects.filter(pk=run_id, state=State.WAITING)
    unwanted = waiting.exclude(turn__state=Turn.State.RUNNING, turn__stop_requested=False)
    if unwanted.update(state=State.STOPPED, ended_at=Now()):
        return False
    mine = waiting.update(
        state=State.RUNNING, lease_owner=owner, lease_until=Now() + LEASE, attempts=F("attempts") + 1
    )
    return bool(mine)


def beat(run_id: int, owner: str, progress: str) -> bool:
    """Renew the lease and say how far it is. False when it is not ours any more, or wanted by nobody."""
    mine = LongRun.objects.filter(pk=run_id, state=State.RUNNING, lease_owner=owner)
    mine.update(lease_until=Now() + LEASE, progress=UNSTORABLE.sub("\ufffd", progress[:PROGRESS_MAX]))
    return mine.filter(turn__state=Turn.State.RUNNING, turn__stop_requested=False).exists()


def conclude(run: LongRun, owner: str, state: str, output: ToolOutput, *, seconds: float) -> None:
    """Write down what came of a run; its files are in storage before the row names them."""
    files = []
    for file in output.files:
        place = default_storage.save(f"runs/{secrets.token_hex(16)}", ContentFile(file.content))
        files.append({"name": UNSTORABLE.sub("\ufffd", file.name), "mime": file.mime, "place": place})
    if not end(run, owner, state, output, files, seconds=seconds):  # nobody will take them
        for stored in files:
            default_storage.delete(stored["place"])


@transaction.atomic
def end(
    run: LongRun, owner: str, state: str, output: ToolOutput, files: list[dict[str, str]], *, seconds: float
) -> bool:
    """End a run; False when nobody takes what came of it: somebody else works on it, or its turn is over.

    A run whose turn is over is charged in the same commit: whoever else would charge for it, has gone. The
    turn's row is locked, so a Stop is either seen here or comes behind this commit, and then the bot finds
    a run that has ended.
    """
    lock_user(run.user_id)
    turn = Turn.objects.select_for_update(no_key=True).filter(pk=run.turn_id).first()
    wanted = turn is not None and turn.state == Turn.State.RUNNING and not turn.stop_requested
    mine = LongRun.objects.filter(pk=run.pk, state=State.RUNNING, lease_owner=owner)
    kept = mine.update(
        state=state if wanted else State.STOPPED,
        text=UNSTORABLE.sub("\ufffd", output.text) if wanted else STOPPED,
        files=files if wanted else [],
        deliveries=dump_deliveries(output.deliver if wanted else ()),
        cost=output.cost,
        details=dict(output.details),
        ended_at=Now(),
    )
    if kept and not wanted:
        charge_stopped_call(run.turn_id, run.call_id, cost=output.cost, details=output.details)
        event = _stopped_call(run, output.cost, seconds)
        transaction.on_commit(lambda: record("tool_call", event))
    return bool(kept and wanted)


def _stopped_call(run: LongRun, cost: Decimal, seconds: float) -> ToolCallPayload:
    """The line of history for a call whose turn has ended without it."""
    return tool_call_event(
        user_id=run.user_id,
        thread_id=run.thread_id,
        turn_id=run.turn_id,
        call=ToolCall(run.call_id, run.name, json.loads(run.arguments)),
        result=ToolResult(run.call_id, run.name, STOPPED, is_error=True),
        status=Call.Status.STOPPED,
        seconds=seconds,
        cost=cost,
    )


async def _work(run_id: int, owner: str) -> None:
    run = await in_db(LongRun.objects.get)(pk=run_id)
    lines: list[str] = [""]

    def tell(line: str) -> None:
        lines[0] = line

    context = ToolContext(
        run.user_id, run.thread_id, run.language, ThreadFiles(run.thread_id), (run.turn_id, run.call_id), tell
    )
    began = time.monotonic()
    running = asyncio.create_task(_run(tools()[run.name], context, run.arguments))
    while not running.done():
        await asyncio.wait({running}, timeout=BEAT_SECONDS)
        if not running.done() and not await patiently(beat)(run_id, owner, lines[0]):
            running.cancel()
            await asyncio.wait({running})
    state, output = (State.STOPPED, ToolOutput("")) if running.cancelled() else running.result()
    seconds = time.monotonic() - began
    await patiently(conclude)(run, owner, state, output, seconds=seconds)
    log.info("long_run.ended", run=run_id, tool=run.name, state=str(state))


async def _run(tool: Tool, context: ToolContext, arguments: str) -> tuple[State, ToolOutput]:
    """One call to its outcome, as conversations.tool_runs does it in the bot."""
    try:
        async with asyncio.timeout(tool.seconds_max):
            return State.DONE, await tool.run(context, **json.loads(arguments))
    except ToolFailed as failed:
        return State.FAILED, ToolOutput(str(failed), cost=failed.cost, details=failed.details)
    except PriceUnknown:
        return State.FAILED, ToolOutput("This tool has no price at the moment, so it cannot be used. Say so.")
    except TimeoutError:
        return State.TIMED_OUT, ToolOutput(f"The tool was stopped after {tool.seconds_max:.0f} seconds.")
    except Exception:
        log.exception("tool.crashed", tool=tool.name, run=context.call)
        words = "The tool broke down. This is no fault of the arguments; do not try it again now."
        return State.CRASHED, ToolOutput(words)
