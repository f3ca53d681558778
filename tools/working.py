"""A worker's part of a long run: take the row, run the tool, write down what came of it."""

import asyncio
import json
import secrets

import structlog
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db.models import F
from django.db.models.functions import Now

from billing.errors import PriceUnknown
from config.aio import in_db
from config.patience import patiently
from conversations.contracts import Tool, ToolContext, ToolFailed, ToolOutput
from conversations.events import UNSTORABLE
from conversations.files import ThreadFiles
from conversations.models import Turn
from conversations.parts import dump_deliveries
from tools.catalog import tools
from tools.long_runs import LEASE, State
from tools.models import PROGRESS_MAX, LongRun

BEAT_SECONDS = 0.5  # how often a worker says that it lives and how far it is, and asks whether to stop

log = structlog.get_logger(__name__)


def work(run_id: int) -> None:
    """Run a long run's tool, unless another worker does or has. May be called twice."""
    owner = secrets.token_hex(8)
    if not claim(run_id, owner):
        return
    asyncio.run(_work(run_id, owner))


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


def end(run_id: int, owner: str, state: str, output: ToolOutput) -> None:
    """Write down what came of it; its files are in storage before the row names them."""
    files = []
    for file in output.files:
        place = default_storage.save(f"runs/{secrets.token_hex(16)}", ContentFile(file.content))
        files.append({"name": UNSTORABLE.sub("\ufffd", file.name), "mime": file.mime, "place": place})
    mine = LongRun.objects.filter(pk=run_id, state=State.RUNNING, lease_owner=owner)
    kept = mine.update(
        state=state,
        text=UNSTORABLE.sub("\ufffd", output.text),
        files=files,
        deliveries=dump_deliveries(output.deliver),
        cost=output.cost,
        details=dict(output.details),
        ended_at=Now(),
    )
    if not kept:  # it came too late: somebody else has it
        for stored in files:
            default_storage.delete(stored["place"])


async def _work(run_id: int, owner: str) -> None:
    run = await in_db(LongRun.objects.get)(pk=run_id)
    lines: list[str] = [""]

    def tell(line: str) -> None:
        lines[0] = line

    context = ToolContext(
        run.user_id, run.thread_id, run.language, ThreadFiles(run.thread_id), (run.turn_id, run.call_id), tell
    )
    running = asyncio.create_task(_run(tools()[run.name], context, run.arguments))
    while not running.done():
        await asyncio.wait({running}, timeout=BEAT_SECONDS)
        if not running.done() and not await patiently(beat)(run_id, owner, lines[0]):
            running.cancel()
            await asyncio.wait({running})
    state, output = (State.STOPPED, ToolOutput("")) if running.cancelled() else running.result()
    await patiently(end)(run_id, owner, state, output)
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
        return State.FAILED, ToolOutput(f"The tool was stopped after {tool.seconds_max:.0f} seconds.")
    except Exception:
        log.exception("tool.crashed", tool=tool.name, run=context.call)
        words = "The tool broke down. This is no fault of the arguments; do not try it again now."
        return State.CRASHED, ToolOutput(words)
