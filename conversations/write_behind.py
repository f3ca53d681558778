"""Write-behind: what may be stored a moment later waits in a Redis stream and goes to PostgreSQL in batches.

An event is delivered at least once and written exactly once: its id is made before the first try,
and every writer inserts ON CONFLICT DO NOTHING. A kill anywhere means delivery again and a no-op.
What must not be lost when a host loses its power does not belong here: no money, no message, no turn.
"""

import json
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from itertools import groupby
from typing import NamedTuple, TypedDict

import redis
import structlog
from django.db import Error, InterfaceError, OperationalError, connection, transaction
from prometheus_client import Counter, Gauge

from conversations.breaker import Open
from conversations.event_redis import STREAM, breaker, queue, unsettled
from conversations.events import Event, Malformed, Payload, malformed_id
from conversations.models import DeadEvent

GROUP = CONSUMER = "flush"  # one name for every flusher: whoever comes next takes over what the last one left
TRIES = "events:tries"  # hash: stream entry -> "tries made|next try at"
PAUSE = "events:pause"  # exists while an outage is waited out
OUTAGES = "events:outages"  # failures in a row, for the length of the pause
FALLBACKS = "events:fallbacks"  # events written past Redis, of all processes
FLUSH_LOCK = 7_305_881  # PostgreSQL advisory lock; any number nobody else uses

BATCH = 500  # events in one transaction
FLUSH_AT = 100  # waiting events that call for a flush before its time
TRY_AGAIN_SECONDS = (2, 4)  # waits between the tries of one bad event: three tries in all
PAUSE_SECONDS_MAX = 60  # the longest wait between two tries during an outage: 1, 2, 4 … 60
STRANGER_SECONDS_MAX = 24 * 3600  # an event of a newer release waits this long for that release to come
ERROR_MAX = 2000  # characters of a reason
KIND_MAX = 64  # characters; the width of DeadEvent.kind
MALFORMED = "malformed"  # the kind under which an entry that is no event is buried

# SQLSTATE classes of "not now": connection, wrong moment (serialization, deadlock, read-only standby),
# resources (disk full, memory, connections), locks, operator (shutdown, cancelled), system (I/O error).
# Class 42 too: a table or column that is not there yet is a migration still to run, not a bad event.
OUTAGE_CLASSES = frozenset({"08", "25", "40", "42", "53", "55", "57", "58"})
# Everything that a writer may say about an event it cannot write.
BAD = (Error, ValueError, TypeError, LookupError, ArithmeticError, AttributeError)

RECORDED = Counter("starling_events_recorded", "Events taken in, by way.", ["way"])
WRITTEN = Counter("starling_events_written", "Events handed to their writer.", ["kind"])
DEAD = Counter("starling_events_dead", "Events given up after every try.", ["kind"])
LENGTH = Gauge("starling_events_length", "Events in the stream.")
OLDEST = Gauge("starling_events_oldest_seconds", "Age of the oldest event in the stream.")
PENDING = Gauge("starling_events_pending", "Events handed out and not yet written.")

log = structlog.get_logger(__name__)

Writer = Callable[[list[Event]], None]


class _Kind(NamedTuple):
    writer: Writer
    version: int


class _Entry(NamedTuple):
    """An event, the stream entry that brings it, and how often it was tried alone."""

    id: bytes
    event: Event
    tries: int = 0


class _Refused(NamedTuple):
    entry: _Entry
    reason: Exception


class Status(TypedDict):
    """How the queue is: alert when the oldest waits over 30 seconds or anything is dead."""

    length: int
    oldest_seconds: float
    pending: int  # handed to a flusher and not written: being written, or waiting for another try
    dead: int
    fallbacks: int  # written past Redis since it was last emptied


_kinds: dict[str, _Kind] = {}
_when_full: list[Callable[[], None]] = []
_uncounted: list[Event] = []  # written past Redis and not yet added to FALLBACKS


def register(kind: str, writer: Writer, *, version: int = 1) -> None:
    """Say who writes a kind, up to which version: `writer(events)` does one INSERT … ON CONFLICT (id) DO
    NOTHING and takes every version so far. Called from an app's `ready()`."""
    _kinds[kind] = _Kind(writer, version)


def when_full(flush_soon: Callable[[], None]) -> None:
    """Say whom to call when FLUSH_AT events wait; conversations.tasks does."""
    _when_full[:] = [flush_soon]


# Taking in ---------------------------------------------------------------------------------------


def record(kind: str, payload: Payload, *, version: int = 1) -> None:
    """Keep an event to be written soon. Synchronous, and never raises for a server that is down; call it
    after the commit of what it tells about."""
    if kind not in _kinds:
        raise LookupError(f"nobody registered as the writer of {kind!r}")
    event = Event(kind, payload, version)
    try:
        length = _enqueue(event)
    except (redis.RedisError, Open) as error:
        _write_past_redis(event, error)
        return
    RECORDED.labels("queue").inc()
    if length % FLUSH_AT == 0:
        for flush_soon in _when_full:
            flush_soon()


def _enqueue(event: Event) -> int:
    """Add it to the stream; return how many wait now."""
    owed = list(_uncounted)
    with breaker().guard(), queue().pipeline(transaction=True) as pipeline:
        pipeline.xadd(STREAM, event.encode())
        pipeline.xlen(STREAM)
        if owed:
            pipeline.incrby(FALLBACKS, len(owed))
        length = int(pipeline.execute()[1])
        unsettled().send_again()
    unsettled().took(event)
    del _uncounted[: len(owed)]
    return length


def keep_up() -> None:
    """For a process that may record nothing for a while: see whether Redis was away and has forgotten something."""
    with suppress(redis.RedisError, Open), breaker().guard():
        queue().ping()
        unsettled().send_again()


def _write_past_redis(event: Event, reason: Exception) -> None:
    """The same event with the same id straight to PostgreSQL: if Redis took it after all, it is one row.

    Where PostgreSQL is away too, the process keeps it until Redis answers.
    """
    try:
        with transaction.atomic():
            _bury(_insert([_Entry(b"", event, tries=1)]))
    except Error as error:
        kept = unsettled().keep(event)
        RECORDED.labels("kept" if kept else "lost").inc()
        say = log.warning if kept else log.error
        say(
            "events.kept" if kept else "events.lost",
            event_id=str(event.id),
            kind=event.kind,
            error=str(error),
        )
        return
    _uncounted.append(event)
    RECORDED.labels("fallback").inc()
    if not isinstance(reason, Open):  # once per try of the breaker, not once per event
        log.warning("events.fallback", event_id=str(event.id), kind=event.kind, error=str(reason))


# Writing -----------------------------------------------------------------------------------------


def flush() -> int:
    """Write what waits; return how many events were written. Safe to run anywhere, any number of times."""
    try:
        if queue().exists(PAUSE):
            return 0
        with _alone() as alone:
            written = sum(_write(entries) for entries in _waiting()) if alone else 0
        queue().delete(OUTAGES)
    except redis.RedisError as error:
        log.warning("events.redis", error=str(error))
        return 0
    except Error as error:
        _wait_out(error)
        return 0
    return written


@contextmanager
def _alone() -> Iterator[bool]:
    """Is no other flusher at work? Two would only write the same rows twice over, to no effect. The lock
    is PostgreSQL's, so that it goes when its process is killed."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s)", [FLUSH_LOCK])
        alone = bool(cursor.fetchone()[0])
    try:
        yield alone
    finally:
        if alone:
            with suppress(Error), connection.cursor() as cursor:  # a lost connection has let go by itself
                cursor.execute("SELECT pg_advisory_unlock(%s)", [FLUSH_LOCK])


def _waiting() -> Iterator[list[tuple[bytes, dict[bytes, bytes]]]]:
    """What a dead flusher left and what waits for another try, then what is new, batch by batch."""
    with suppress(redis.ResponseError):  # it exists
        queue().xgroup_create(STREAM, GROUP, id="0", mkstream=True)
    cursor = b"0-0"
    while True:
        cursor, entries, *_ = queue().xautoclaim(STREAM, GROUP, CONSUMER, 0, cursor, count=BATCH)
        yield [(entry, fields) for entry, fields in entries if entry]  # 6.2 names deleted ones too
        if cursor == b"0-0":
            break
    while True:
        new = queue().xreadgroup(GROUP, CONSUMER, {STREAM: ">"}, count=BATCH)
        entries = new[0][1] if new else []
        yield entries
        if len(entries) < BATCH:
            return


def _write(waiting: Sequence[tuple[bytes, dict[bytes, bytes]]]) -> int:
    """One batch in one transaction; only after its commit does the stream let go of it."""
    if not waiting:
        return 0
    entries, hopeless = _sorted_out(waiting)
    with transaction.atomic():
        refused = _insert([entry for entry in entries if not entry.tries])
        for entry in entries:
            if entry.tries:  # known to be bad: alone, so that it spoils nobody's batch
                refused += _insert([entry])
        failed = [_Refused(entry._replace(tries=entry.tries + 1), reason) for entry, reason in refused]
        given_up = hopeless + [one for one in failed if one.entry.tries > len(TRY_AGAIN_SECONDS)]
        _bury(given_up)
    again = {one.entry.id: one for one in failed if one.entry.tries <= len(TRY_AGAIN_SECONDS)}
    finished = [entry.id for entry in entries if entry.id not in again] + [one.entry.id for one in hopeless]
    _let_go(finished, [one.entry for one in again.values()])
    return len(entries) - len(failed)


def _sorted_out(waiting: Sequence[tuple[bytes, dict[bytes, bytes]]]) -> tuple[list[_Entry], list[_Refused]]:
    """The entries whose time has come, and those that nobody can ever write."""
    entries, hopeless = [], []
    now = time.time()
    earlier = queue().hmget(TRIES, [entry for entry, _ in waiting])
    for (entry, fields), mark in zip(waiting, earlier, strict=True):
        tries, _, due = (mark or b"0|0").partition(b"|")
        if float(due) > now:
            continue
        try:
            event = Event.decode(fields)
        except Malformed as error:
            shown = {repr(name): repr(value)[:ERROR_MAX] for name, value in fields.items()}
            hopeless.append(
                _Refused(_Entry(entry, Event(MALFORMED, shown, 1, malformed_id(entry)), 1), error)
            )
            continue
        known = _kinds.get(event.kind)
        if known and event.version <= known.version:
            entries.append(_Entry(entry, event, int(tries)))
        elif (datetime.now(UTC) - event.happened_at).total_seconds() > STRANGER_SECONDS_MAX:
            reason = LookupError(f"no writer of {event.kind} version {event.version} came for it")
            hopeless.append(_Refused(_Entry(entry, event, 1), reason))
    return entries, hopeless


def _insert(entries: Sequence[_Entry]) -> list[_Refused]:
    """Write events inside the caller's transaction, kind by kind; return those that cannot be written."""
    refused = []
    with connection.cursor() as cursor:
        # A missing foreign key must speak up inside its savepoint, not at the commit of everybody's rows.
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
    for kind, same in groupby(sorted(entries, key=_kind_of), key=_kind_of):
        refused += _insert_kind(_kinds[kind].writer, list(same))
    return refused


def _kind_of(entry: _Entry) -> str:
    return entry.event.kind


def _insert_kind(writer: Writer, entries: list[_Entry]) -> list[_Refused]:
    """Write a batch; when something in it is bad, its halves. Raises for an outage."""
    try:
        with transaction.atomic():
            writer([entry.event for entry in entries])
    except BAD as error:
        if _is_outage(error):
            raise
        if len(entries) == 1:
            return [_Refused(entries[0], error)]
        half = len(entries) // 2
        return _insert_kind(writer, entries[:half]) + _insert_kind(writer, entries[half:])
    WRITTEN.labels(entries[0].event.kind).inc(len(entries))
    return []


def _is_outage(error: Exception) -> bool:
    """Would the same rows be welcome later?"""
    state = getattr(error.__cause__, "sqlstate", None)
    if isinstance(error, Error) and state:
        return state[:2] in OUTAGE_CLASSES
    return isinstance(error, OperationalError | InterfaceError)  # the connection broke without a word


def _bury(refused: Sequence[_Refused]) -> None:
    """Keep for staff what cannot be written."""
    rows = [
        DeadEvent(
            id=entry.event.id,
            kind=entry.event.kind[:KIND_MAX],
            version=entry.event.version,
            payload=entry.event.encode()["payload"],
            error=f"{type(reason).__name__}: {reason}".replace("\0", "\ufffd")[:ERROR_MAX],
            attempts=entry.tries,
            happened_at=entry.event.happened_at,
        )
        for entry, reason in refused
    ]
    if rows:
        DeadEvent.objects.bulk_create(rows, ignore_conflicts=True)
    for row in rows:
        DEAD.labels(row.kind).inc()
        log.error("events.dead", event_id=str(row.id), kind=row.kind, attempts=row.attempts, error=row.error)


def _let_go(finished: Sequence[bytes], again: Sequence[_Entry]) -> None:
    """Take what is settled out of the stream, and note when the bad ones are due."""
    with queue().pipeline(transaction=True) as pipeline:
        if finished:
            pipeline.xack(STREAM, GROUP, *finished)
            pipeline.xdel(STREAM, *finished)
            pipeline.hdel(TRIES, *finished)
        for entry in again:
            due = time.time() + TRY_AGAIN_SECONDS[entry.tries - 1]
            pipeline.hset(TRIES, entry.id, f"{entry.tries}|{due}")
        pipeline.execute()


def _wait_out(error: Error) -> None:
    """PostgreSQL cannot write now: leave it alone for 1, 2, 4 … 60 seconds, as often as it takes."""
    if not connection.in_atomic_block:
        connection.close()  # whatever state it is in, the next try begins with another
    with suppress(redis.RedisError):
        failures = int(queue().incr(OUTAGES))
        seconds = min(2 ** min(failures - 1, 10), PAUSE_SECONDS_MAX)
        queue().set(PAUSE, failures, px=seconds * 1000)
        queue().expire(OUTAGES, 10 * PAUSE_SECONDS_MAX)
        log.warning("events.outage", failures=failures, pause_seconds=seconds, error=str(error).strip())


# Watching and repairing --------------------------------------------------------------------------


def status() -> Status:
    """Ask both servers how the queue is, and tell the metrics. Raises redis.RedisError when Redis is down."""
    with queue().pipeline(transaction=False) as pipeline:
        pipeline.xlen(STREAM)
        pipeline.xrange(STREAM, count=1)
        pipeline.get(FALLBACKS)
        length, first, fallbacks = pipeline.execute()
    pending = 0
    with suppress(redis.ResponseError):  # nobody has flushed yet
        pending = int(queue().xpending(STREAM, GROUP)["pending"])
    oldest = max(0.0, time.time() - int(first[0][0].split(b"-")[0]) / 1000) if first else 0.0
    LENGTH.set(length)
    OLDEST.set(oldest)
    PENDING.set(pending)
    return Status(
        length=length,
        oldest_seconds=oldest,
        pending=pending,
        dead=DeadEvent.objects.count(),
        fallbacks=int(fallbacks or 0) + len(_uncounted),
    )


def replay(dead: DeadEvent) -> None:
    """Queue a dead event again, under its own id. Raises ValueError when it can never be written, and
    redis.RedisError when Redis is down; the row stays then."""
    if dead.kind not in _kinds:
        raise ValueError(f"nobody writes {dead.kind}: it can only be discarded")
    _enqueue(Event(dead.kind, json.loads(dead.payload), dead.version, dead.id, dead.happened_at))
    dead.delete()


def discard(dead: DeadEvent) -> None:
    """Throw a dead event away for good."""
    log.info("events.discarded", event_id=str(dead.id), kind=dead.kind)
    dead.delete()
