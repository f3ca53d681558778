"""Whose sandbox is whose at E2B: one for each thread, and one run at a time in it.

PostgreSQL is the truth: the id, the key to make one with, and the lease of the run that uses it. Redis has a copy
of the id, which is never believed unseen.
"""

import asyncio
import contextlib
import secrets
import uuid
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import timedelta

import structlog
from django.conf import settings
from django.db.models import Exists, F, OuterRef, Q, QuerySet
from django.db.models.functions import Now
from redis.asyncio import Redis
from redis.exceptions import RedisError

from config.patience import patiently
from conversations.models import Thread
from tools.models import ThreadSandbox

COPY_TTL = 3600  # seconds the copy of an id lives in Redis
REDIS_SECONDS_MAX = 0.25  # for one operation of Redis; PostgreSQL would have answered long before
LEASE = timedelta(seconds=15)  # of a run; when its process dies, the next one waits so long
RENEW_SECONDS = 4
POLL_SECONDS = 0.25  # between two looks whether the run before has ended
KEPT_FOR = timedelta(days=7)  # after so long without a run a thread's sandbox goes

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Kept:
    """What is known of a thread's sandbox: its id, or the key to make one with."""

    sandbox_id: str
    creation_key: str
    had_one: bool


class Claim:
    """One run's right to its thread's sandbox."""

    def __init__(self, thread_id: int, owner: str, redis: Redis) -> None:
        self.thread_id = thread_id
        self._owner = owner
        self._redis = redis

    async def holds(self) -> bool:
        """Is it still ours? Not when PostgreSQL was away for longer than a lease and another run came."""
        return await patiently(renew)(self.thread_id, self._owner)

    async def find(self) -> Kept:
        """The thread's sandbox, noted as used now."""
        copy = None
        with contextlib.suppress(RedisError):
            copy = await self._redis.get(_copy(self.thread_id))
        return await patiently(find)(self.thread_id, str(copy or ""))

    async def keep(self, creation_key: str, sandbox_id: str) -> None:
        """Write down what was made."""
        await patiently(keep)(self.thread_id, creation_key, sandbox_id)
        with contextlib.suppress(RedisError):
            await self._redis.set(_copy(self.thread_id), sandbox_id, ex=COPY_TTL)

    async def let_go(self, kept: Kept) -> Kept:
        """The sandbox is gone: the next one has another key. Returns what is to be made instead."""
        with contextlib.suppress(RedisError):
            await self._redis.delete(_copy(self.thread_id))
        return await patiently(let_go)(self.thread_id, kept.sandbox_id)

    async def end(self) -> None:
        """The sandbox was ended because nobody uses it."""
        with contextlib.suppress(RedisError):
            await self._redis.delete(_copy(self.thread_id))
        await patiently(end)(self.thread_id)


@contextlib.asynccontextmanager
async def claimed(thread_id: int) -> AsyncIterator[Claim]:
    """The claim of a thread's sandbox, after the run before this one."""
    owner = secrets.token_hex(8)
    while not await patiently(take)(thread_id, owner):  # noqa: ASYNC110  another process has it
        await asyncio.sleep(POLL_SECONDS)
    async with _held(thread_id, owner) as claim:
        yield claim


@contextlib.asynccontextmanager
async def claimed_to_end(thread_id: int) -> AsyncIterator[Claim | None]:
    """The claim of a sandbox that nobody uses; None when somebody does again."""
    owner = secrets.token_hex(8)
    if not await patiently(take_unused)(thread_id, owner):
        yield None
        return
    async with _held(thread_id, owner) as claim:
        yield claim


@contextlib.asynccontextmanager
async def _held(thread_id: int, owner: str) -> AsyncIterator[Claim]:
    renewing = asyncio.create_task(_renew(thread_id, owner))
    try:
        async with Redis.from_url(
            settings.REDIS_URL,
            socket_timeout=REDIS_SECONDS_MAX,
            socket_connect_timeout=REDIS_SECONDS_MAX,
            decode_responses=True,
        ) as redis:
            yield Claim(thread_id, owner, redis)
    finally:
        renewing.cancel()
        await asyncio.shield(patiently(give_back)(thread_id, owner))


async def _renew(thread_id: int, owner: str) -> None:
    while await patiently(renew)(thread_id, owner):  # noqa: ASYNC110  a lease goes by the clock
        await asyncio.sleep(RENEW_SECONDS)
    log.warning("sandbox.lease_lost", thread=thread_id)


def _copy(thread_id: int) -> str:
    return f"sandbox:{thread_id}:id"


# The rows --------------------------------------------------------------------------------------------


def take(thread_id: int, owner: str) -> bool:
    """Take the lease of a thread's sandbox, unless another run has it."""
    new = ThreadSandbox(thread_id=thread_id, creation_key=str(uuid.uuid4()), used_at=Now())
    ThreadSandbox.objects.bulk_create([new], ignore_conflicts=True)
    return _take(ThreadSandbox.objects.filter(thread_id=thread_id), owner)


def take_unused(thread_id: int, owner: str) -> bool:
    """Take the lease of a sandbox that is to end, unless it is in use again."""
    return _take(_unused().filter(thread_id=thread_id), owner)


def _take(rows: QuerySet[ThreadSandbox], owner: str) -> bool:
    free = Q(lease_until__isnull=True) | Q(lease_until__lt=Now())
    return bool(rows.filter(free).update(lease_owner=owner, lease_until=Now() + LEASE))


def renew(thread_id: int, owner: str) -> bool:
    """Renew a lease; False when it is not ours any more."""
    mine = ThreadSandbox.objects.filter(thread_id=thread_id, lease_owner=owner)
    return bool(mine.update(lease_until=Now() + LEASE))


def give_back(thread_id: int, owner: str) -> None:
    """Nobody need wait for the end of the lease."""
    mine = ThreadSandbox.objects.filter(thread_id=thread_id, lease_owner=owner)
    mine.update(lease_owner="", lease_until=None)


def find(thread_id: int, copy: str) -> Kept:
    """The row's word. A copy that is right saves reading it: noting the use says whether it is."""
    rows = ThreadSandbox.objects.filter(thread_id=thread_id)
    if copy and rows.filter(sandbox_id=copy).update(used_at=Now()):
        return Kept(copy, "", had_one=True)
    rows.update(used_at=Now())
    row = rows.get()
    return Kept(row.sandbox_id, row.creation_key, had_one=row.made > 0)


def keep(thread_id: int, creation_key: str, sandbox_id: str) -> None:
    """Write down the sandbox that was made with a key; told twice, it counts once."""
    row = ThreadSandbox.objects.filter(thread_id=thread_id, creation_key=creation_key)
    row.exclude(sandbox_id=sandbox_id).update(sandbox_id=sandbox_id, made=F("made") + 1)


def let_go(thread_id: int, sandbox_id: str) -> Kept:
    """Forget a sandbox that is gone, unless another was made meanwhile."""
    rows = ThreadSandbox.objects.filter(thread_id=thread_id)
    rows.filter(sandbox_id=sandbox_id).update(sandbox_id="", creation_key=str(uuid.uuid4()))
    row = rows.get()
    return Kept(row.sandbox_id, row.creation_key, had_one=row.made > 0)


# What nobody uses ------------------------------------------------------------------------------------


def unused() -> list[int]:
    """Threads whose sandboxes are to end: they were erased, or have long run nothing."""
    return list(_unused().values_list("thread_id", flat=True))


def id_of(thread_id: int) -> str:
    """The id of a thread's sandbox, empty when it has none."""
    return ThreadSandbox.objects.get(thread_id=thread_id).sandbox_id


def end(thread_id: int) -> None:
    """It has ended. Of a thread that stands the row says that there was one."""
    row = ThreadSandbox.objects.filter(thread_id=thread_id)
    if Thread.objects.filter(pk=thread_id).exists():
        row.update(sandbox_id="", creation_key=str(uuid.uuid4()))
    else:
        row.delete()


def known(sandbox_ids: Sequence[str]) -> set[str]:
    """Those of them that are a thread's."""
    rows = ThreadSandbox.objects.filter(sandbox_id__in=sandbox_ids)
    return set(rows.values_list("sandbox_id", flat=True))


def _unused() -> QuerySet[ThreadSandbox]:
    there = Exists(Thread.objects.filter(pk=OuterRef("thread_id")))
    return ThreadSandbox.objects.filter(~there | (Q(used_at__lt=Now() - KEPT_FOR) & ~Q(sandbox_id="")))
