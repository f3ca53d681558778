"""Tool calls that run in a worker: the row that stands for each, and the bot's waiting for it.

The row is the truth. The broker carries its id, and may carry it twice or lose it; the worker may die,
and so may the bot: whoever comes next reads the row.
"""

import asyncio
import functools
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from decimal import Decimal
from types import MappingProxyType
from typing import Any

import structlog
from celery import current_app
from django.core.files.storage import default_storage
from django.db import transaction
from django.db.models import Q, QuerySet
from django.db.models.functions import Now
from kombu.exceptions import OperationalError

from accounts.services import lock_user
from config.patience import patiently
from conversations.contracts import Earlier, NewFile, Tool, ToolContext, ToolFailed, ToolOutput
from conversations.errors import Interrupted, TimedOut
from conversations.history import NO_RESULT
from conversations.parts import load_deliveries
from tools.catalog import tools
from tools.models import LongRun

TASK = "tools.tasks.run_long"
LEASE = timedelta(seconds=10)  # of a worker; renewed twice a second
POLL_SECONDS = 0.5  # how often the bot looks at all its runs, by one query
ATTEMPTS_MAX = 2  # workers that may begin a run that may be repeated
ASK_AGAIN = timedelta(seconds=30)  # a broker that was emptied has forgotten that we asked
WAIT_MAX = timedelta(minutes=10)  # then no worker is there for it
KEPT_FOR = timedelta(days=1)  # after that its outcome stands in the conversation or nobody wants it

log = structlog.get_logger(__name__)

State = LongRun.State
ENDED = frozenset(State) - {State.WAITING, State.RUNNING}


def in_worker(offered: Mapping[str, Tool]) -> MappingProxyType[str, Tool]:
    """The tools as the bot runs them: those that run in a worker are sent there."""
    return MappingProxyType(
        {
            name: replace(
                tool, run=functools.partial(_send, tool), seconds_max=_patience(tool), earlier=earlier
            )
            if tool.runs_in == "worker"
            else tool
            for name, tool in offered.items()
        }
    )


def _patience(tool: Tool) -> float:
    """Seconds the bot waits: the worker has the tool's own limit, and may be late, or the second to try."""
    return WAIT_MAX.total_seconds() + ATTEMPTS_MAX * tool.seconds_max


async def _send(tool: Tool, context: ToolContext, /, **arguments: Any) -> ToolOutput:
    """Have a worker run it, and wait. An earlier process may have asked for it: then its outcome counts."""
    run_id = await patiently(open_run)(tool, context, arguments)
    try:
        await _ended(run_id, context)
    except asyncio.CancelledError:
        # A run that has ended all the same was worked for: it is kept and charged, also behind a Stop.
        seen = await patiently(look)([run_id])
        if seen[run_id].state not in ENDED:
            raise
    return await patiently(outcome_of)(run_id)


async def _ended(run_id: int, context: ToolContext) -> None:
    """Wait for the end of a run, and tell each line of its progress."""
    told, ended = "", False
    while not ended:
        seen = await _watch().next(run_id)
        ended = seen.state in ENDED
        if seen.progress != told:
            told = seen.progress
            context.tell(told)


# The rows --------------------------------------------------------------------------------------------


@transaction.atomic
def open_run(tool: Tool, context: ToolContext, arguments: Mapping[str, Any]) -> int:
    """The row of a call, made now or by a process before this one, whose work goes on then."""
    lock_user(context.user_id)  # before the foreign keys lock the thread and the turn
    turn_id, call_id = context.call
    run, new = LongRun.objects.get_or_create(
        turn_id=turn_id,
        call_id=call_id,
        defaults={
            "user_id": context.user_id,
            "thread_id": context.thread_id,
            "name": tool.name,
            "arguments": json.dumps(arguments),
            "language": context.language,
            "asked_at": Now(),
        },
    )
    if new:
        transaction.on_commit(lambda: _ask(run.pk))
    return run.pk


def earlier(call: tuple[int, str]) -> Earlier:
    """Did a process before this one have a worker run this call, and has it ended?"""
    turn_id, call_id = call
    state = LongRun.objects.filter(turn_id=turn_id, call_id=call_id).values_list("state", flat=True).first()
    if state is None:
        return "nothing"
    return "ended" if state in ENDED else "begun"


def _ask(run_id: int) -> None:
    """Ask the workers. When the broker is away the row waits, and they are asked again."""
    try:
        # Without ignore_result Celery would wait for Redis as the place of results, 20 seconds and more.
        current_app.send_task(TASK, (run_id,), queue="long", retry=False, ignore_result=True)
    except OperationalError as error:
        log.warning("long_run.not_asked", run=run_id, error=str(error))


@dataclass(frozen=True, slots=True)
class Seen:
    state: str
    progress: str


def look(run_ids: Sequence[int]) -> dict[int, Seen]:
    """How these runs stand. Those whose worker is gone are asked for again or given up first."""
    runs = LongRun.objects.filter(pk__in=run_ids)
    rows = runs.annotate(
        is_lost=Q(state=State.RUNNING, lease_until__lt=Now()),
        is_forgotten=Q(state=State.WAITING, asked_at__lt=Now() - ASK_AGAIN),
    )
    found = {}
    for pk, state, progress, lost, forgotten in rows.values_list(
        "pk", "state", "progress", "is_lost", "is_forgotten"
    ):
        if lost or forgotten:
            _take_up(pk)
        found[pk] = Seen(state, progress)
    return found


@transaction.atomic
def _take_up(run_id: int) -> None:
    """A worker died, or none has come: ask again, or say so."""
    run = LongRun.objects.select_for_update().get(pk=run_id)
    lost = LongRun.objects.filter(pk=run_id, state=State.RUNNING, lease_until__lt=Now())
    late = LongRun.objects.filter(pk=run_id, state=State.WAITING, created_at__lt=Now() - WAIT_MAX, attempts=0)
    if run.state == State.RUNNING and not (_repeatable(run.name) and run.attempts < ATTEMPTS_MAX):
        if lost.update(state=State.INTERRUPTED, text=NO_RESULT, ended_at=Now()):
            log.warning("long_run.interrupted", run=run_id, tool=run.name)
        return
    if late.update(
        state=State.FAILED, ended_at=Now(), text="No worker is free for this. Say that it may work later."
    ):
        log.error("long_run.no_worker", run=run_id, tool=run.name)
        return
    again = lost | LongRun.objects.filter(pk=run_id, state=State.WAITING, asked_at__lt=Now() - ASK_AGAIN)
    if again.update(state=State.WAITING, lease_owner="", asked_at=Now()):
        transaction.on_commit(lambda: _ask(run_id))


def _repeatable(name: str) -> bool:
    return name in tools() and tools()[name].repeatable


def outcome_of(run_id: int) -> ToolOutput:
    """What came of a run that has ended. Raises ToolFailed, or Interrupted, with what the model is told."""
    run = LongRun.objects.get(pk=run_id)
    if run.state == State.INTERRUPTED:
        raise Interrupted(run.text)
    if run.state == State.TIMED_OUT:
        raise TimedOut(run.text)
    if run.state != State.DONE:
        owed = Decimal(0) if run.state == State.STOPPED else run.cost  # that was charged as it ended
        raise ToolFailed(run.text or "The tool was stopped.", cost=owed, details=run.details)
    files, deliveries = tuple(map(_read, run.files)), load_deliveries(run.deliveries)
    return ToolOutput(run.text, files, deliveries, run.cost, run.details)


def _read(stored: Mapping[str, str]) -> NewFile:
    with default_storage.open(stored["place"]) as file:
        return NewFile(stored["name"], stored["mime"], file.read())


def forget_old() -> int:
    """Take away runs that ended long ago, with their copies of files; returns how many."""
    return erase(LongRun.objects.filter(created_at__lt=Now() - KEPT_FOR).exclude(state=State.RUNNING))


def erase(runs: QuerySet[LongRun]) -> int:
    """Take these runs away with their copies of files; returns how many. Before their threads: those take the rows."""
    count = 0
    for run in runs.only("pk", "files"):
        for stored in run.files:
            default_storage.delete(stored["place"])
        run.delete()
        count += 1
    return count


# The bot's waiting -----------------------------------------------------------------------------------


class Watch:
    """Looks at every run this process waits for, by one query, for as long as somebody waits."""

    def __init__(self) -> None:
        self._run_ids: set[int] = set()
        self._look: asyncio.Task[dict[int, Seen]] | None = None

    async def next(self, run_id: int) -> Seen:
        """How a run stands, at the next look."""
        self._run_ids.add(run_id)
        if self._look is None or self._look.done():
            self._look = asyncio.create_task(self._look_at_all())
        return (await asyncio.shield(self._look))[run_id]

    async def _look_at_all(self) -> dict[int, Seen]:
        await asyncio.sleep(POLL_SECONDS)
        run_ids, self._run_ids = self._run_ids, set()
        self._look = None  # who comes from here on waits for the look after this one
        return await patiently(look)(list(run_ids))


@functools.cache
def _watch() -> Watch:
    return Watch()
