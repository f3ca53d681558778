"""Starling as real processes that are killed one at a time, and what its tables say afterwards."""

import asyncio
import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import psycopg
import redis as redis_client

from config.local import Postgres, Redis
from conversations.event_redis import STREAM
from conversations.write_behind import FLUSH_LOCK
from telegram_bot.playground.server import Playground
from tests.conversations.recording import Recording
from tests.fakes.anthropic import AnthropicStandIn
from tests.faults.bots import ROOT, Bot, Bots
from tests.faults.conftest import MODEL, TOKEN
from tests.faults.crowd import Counting, People, Phase
from tests.faults.house import house_with
from tests.faults.workers import Worker, Workers
from tests.waiting import eventually

COUNTING = ROOT / "tests/faults/dropped/counting.py"
LIFE_SECONDS = (0.3, 4.0)  # between being at work again and the next kill
DRAIN_SECONDS_MAX = 180.0
MAKE_DATABASE = """
import django
django.setup()
from django.core.management import call_command
call_command("migrate", verbosity=0)
from accounts.models import User
print(User.objects.create(telegram_id=1).pk)
"""

LEASES_PASS = """
    UPDATE conversations_turn SET lease_until = now() - interval '1 second' WHERE state = 'running' RETURNING id
"""

AT_WORK = {  # what a kill is to meet
    "flusher": f"SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objid = {FLUSH_LOCK}",
    "worker": "SELECT count(*) FROM tools_longrun WHERE state = 'running'",
    "bot": "SELECT count(*) FROM conversations_turn WHERE state = 'running'",
}


@dataclass
class Town:
    """Every process of one Starling, and the people before it."""

    postgres: Postgres
    redis: Redis
    bots: Bots
    workers: Workers
    people: People
    events: Recording
    notes: Path  # what the tools wrote down
    bot: Bot
    flusher: Worker
    long: Worker
    chance: random.Random
    phases: list[Phase] = field(default_factory=list)
    striking: asyncio.Lock = field(default_factory=asyncio.Lock)

    @property
    def url(self) -> str:
        return self.postgres.place.database_url()

    def rows(self, query: str) -> list[Any]:
        with psycopg.connect(self.url) as database:
            return database.execute(query).fetchall()

    def one(self, query: str) -> int:
        return int(self.rows(query)[0][0])

    def waiting(self) -> int:
        """Events in the stream now; at least one while Redis is away."""
        try:
            with redis_client.Redis.from_url(self.redis.place.redis_url()) as client:
                return int(client.xlen(STREAM))
        except redis_client.RedisError:
            return 1

    # Killing -------------------------------------------------------------------------------------

    async def kill(self, name: str, times: int) -> None:
        """Kill one thing so many times at random moments, each time when it is at work again."""
        phase = Phase(name, 1_000_000 * (len(self.phases) + 1))
        self.phases.append(phase)
        self.people.phase = phase
        strike: Callable[[], Awaitable[None]] = getattr(self, f"_kill_{name.lower().replace(' ', '_')}")
        for _ in range(times):
            await asyncio.sleep(self.chance.uniform(*LIFE_SECONDS))
            phase.over_work += await asyncio.to_thread(self.one, AT_WORK.get(name, AT_WORK["bot"])) > 0
            killed = time.monotonic()
            async with self.striking:
                await strike()
            phase.kills += 1
            phase.back.append(await self.people.answered_since(time.monotonic()) - killed)

    async def _kill_flusher(self) -> None:
        self.flusher.kill()
        self.flusher = self.workers.start("worker")
        written = await asyncio.to_thread(self.one, "SELECT count(*) FROM tools_toolcall")
        await self._until(lambda: self.one("SELECT count(*) FROM tools_toolcall") > written, "a flush")

    async def _kill_worker(self) -> None:
        self.long.kill()
        self.long = self.workers.start("long")

    async def _kill_bot(self) -> None:
        self.bot.kill()
        # As if the time of its leases had passed; tests/faults/test_kills_at_points.py waits for real.
        await self._until(lambda: self.rows(LEASES_PASS) is not None, "PostgreSQL")
        self.bot = await self.bots.start().started()

    async def _kill_redis(self) -> None:
        await asyncio.to_thread(self.redis.stop, at_once=True)
        await asyncio.sleep(self.chance.uniform(0, 1.5))
        await asyncio.to_thread(self.redis.start)

    async def _kill_postgresql(self) -> None:
        """One backend by SIGKILL, upon which PostgreSQL begins all anew; or all of it at once, and away for a while."""
        assert self.postgres.child is not None
        backends = list(_backends(self.postgres.child.pid))
        if backends and self.chance.random() < 0.5:
            with contextlib.suppress(psutil.NoSuchProcess):  # it has ended by itself meanwhile
                self.chance.choice(backends).send_signal(signal.SIGKILL)
            return
        await asyncio.to_thread(self.postgres.stop, at_once=True)
        await asyncio.sleep(self.chance.uniform(0, 1.5))
        await asyncio.to_thread(self.postgres.start)

    async def _kill_redis_then_postgresql(self) -> None:
        """PostgreSQL while the breaker of Redis is open: what goes past the one meets the other."""
        await self._kill_redis()
        await self._kill_postgresql()

    async def supervise(self) -> None:
        """What ends without being killed is noted and started again, as whoever runs Starling has it done."""
        while True:
            await asyncio.sleep(0.5)
            async with self.striking:
                for name in ("bot", "flusher", "long"):
                    ended: Bot | Worker = getattr(self, name)
                    if ended.process.poll() is not None:
                        self.people.phase.ended_alone.append(name)
                        again = (
                            self.bots.start() if isinstance(ended, Bot) else self.workers.start(ended.role)
                        )
                        setattr(self, name, again)

    async def _until(self, look: Callable[[], bool], what: str, seconds: float = 120) -> None:
        async def found() -> bool:
            with contextlib.suppress(psycopg.Error):
                return await asyncio.to_thread(look)
            return False

        await eventually(found, what, seconds)

    async def outage(self, seconds: float) -> str:
        """PostgreSQL away for so long under all this; says how long the queue took to drain."""
        phase = Phase(f"PostgreSQL away {seconds:.0f} s", 1_000_000 * (len(self.phases) + 1), kills=1)
        self.phases.append(phase)
        self.people.phase = phase
        await asyncio.sleep(2)
        await asyncio.to_thread(self.postgres.stop, at_once=True)
        await asyncio.sleep(seconds)
        peak = self.waiting()
        await asyncio.to_thread(self.postgres.start)
        back = time.monotonic()
        # Some always wait: what has just come, and what is bad and waits for another try.
        await self._until(lambda: self.waiting() < max(50, peak // 20), "a drained queue")
        drained = time.monotonic() - back
        phase.back.append(await self.people.answered_since(back) - back)
        phase.over_work = int(peak > 0)
        words = f"{peak} events waited, and were written {drained:.1f} s after its return."
        return f"PostgreSQL away {seconds:.0f} s: {words}"

    async def rest(self) -> None:
        """No more is asked; everything that was is finished."""
        self.events.tell("rest")
        self.people.over = True
        await self._until(
            lambda: (
                self.one("SELECT count(*) FROM conversations_turn WHERE state = 'running'") == 0
                and self.one("SELECT count(*) FROM conversations_message WHERE seq IS NULL") == 0
                and self.waiting() == 0
            ),
            f"rest ({STREAM} empty, no turn under way)",
            DRAIN_SECONDS_MAX,
        )

    # Counting ------------------------------------------------------------------------------------

    def table(self) -> list[dict[str, Any]]:
        """A row for each thing that was killed."""
        written = Counter(call for (call,) in self.rows("SELECT call_id FROM tools_toolcall"))
        dead = set(self._dead())
        kept = self._kept()
        charged = Counter(
            key.rpartition(":")[2]
            for (key,) in self.rows("SELECT key FROM billing_balanceoperation WHERE kind = 'tool'")
        )
        again = self._begun_again(kept)
        rows = []
        for phase in self.phases:
            mine = {call for call in kept if self._phase(call) is phase}
            told = phase.good | mine
            paid = {call: count for call, count in charged.items() if self._phase(call) is phase}
            rows.append(
                {
                    "killed": phase.name,
                    "kills": phase.kills,
                    "at work": phase.over_work,
                    "questions": phase.asked,
                    "unanswered": phase.asked - phase.answered - phase.told,
                    "told it failed": phase.told,
                    "ended alone": len(phase.ended_alone),
                    "events": len(told),
                    "lost": len(told - written.keys()),
                    "doubled": sum(written[call] - 1 for call in told if call in written),
                    "tools run again": sum(self._phase(call) is phase for call in again),
                    "double charges": sum(paid.values()) - len(paid) + len(paid.keys() - mine),
                    "uncharged": len({call for call in mine if kept[call][0]} - paid.keys()),
                    "bad": len(phase.bad),
                    "dead-lettered": len(phase.bad & dead),
                    "s to next answer, p50": sorted(phase.back)[len(phase.back) // 2],
                    "max": max(phase.back),
                }
            )
        return rows

    def wrongly_dead(self) -> set[str]:
        """Calls in the dead table that were good."""
        return set(self._dead()) - set().union(*(phase.bad for phase in [self.people.before, *self.phases]))

    def _dead(self) -> list[str]:
        """The call of every dead event; of one that is no JSON the event's own id, between b' and '."""
        payloads = self.rows("SELECT payload FROM conversations_deadevent")
        events = [json.loads(payload) for (payload,) in payloads]
        return [event["call_id"] if "call_id" in event else event["b'id'"][2:-1] for event in events]

    def mismatches(self) -> list[Any]:
        return [
            *self.rows(
                "SELECT 'balance', u.id FROM accounts_user u WHERE balance <>"
                " (SELECT coalesce(sum(amount), 0) FROM billing_balanceoperation o WHERE o.user_id = u.id)"
            ),
            *self.rows(
                "SELECT 'held', u.id FROM accounts_user u WHERE held <>"
                " (SELECT coalesce(sum(amount), 0) FROM billing_hold h WHERE h.user_id = u.id AND h.state = 'open')"
            ),
            *self.rows(
                "SELECT 'turn', t.id FROM conversations_turn t WHERE cost <> (SELECT coalesce(-sum(amount), 0)"
                " FROM billing_balanceoperation o WHERE o.key LIKE 'turn:' || t.id || ':%')"
            ),
            *self.rows("SELECT 'hold', key FROM billing_hold WHERE state = 'open'"),
            *self.rows("SELECT 'update', update_id FROM telegram_bot_update WHERE error <> ''"),
        ]

    def _phase(self, call_id: str) -> Phase | None:
        return self.people.phase_of.get(call_id.split("_")[1])

    def _kept(self) -> dict[str, tuple[bool, float]]:
        """Every call whose result stands: whether it counted, and when it was kept."""
        kept = {}
        for parts, at in self.rows(
            "SELECT parts, extract(epoch FROM created_at) FROM conversations_message"
            " WHERE role = 'user' AND telegram_id IS NULL AND seq IS NOT NULL"
        ):
            for part in json.loads(parts):
                if part["kind"] == "tool_result":
                    kept[part["call_id"]] = (part["text"] == "Counted.", float(at))
        return kept

    def _begun_again(self, kept: dict[str, tuple[bool, float]]) -> list[str]:
        """Calls that began once more though they had ended for good: their result, or their run, stood."""
        done = {
            call: float(at)
            for call, at in self.rows(
                "SELECT call_id, extract(epoch FROM ended_at) FROM tools_longrun WHERE state = 'done'"
            )
        }
        stood = {call: at for call, (_, at) in kept.items()} | done
        notes = [line.split() for line in self.notes.read_text().splitlines()]
        return [
            call for what, call, at in notes if what == "begin" and float(at) > stood.get(call, float("inf"))
        ]


@contextlib.asynccontextmanager
async def town(
    postgres: Postgres, redis: Redis, folder: Path, *, people: int, seed: int
) -> AsyncIterator[Town]:
    """Starling and so many people writing to it."""
    house = house_with(folder / "house", COUNTING)
    environment = {
        **os.environ,
        "PYTHONPATH": f"{house}{os.pathsep}{ROOT}",  # the tests, and nothing else, from the real one
        "DATABASE_URL": postgres.place.database_url(),
        "REDIS_URL": redis.place.redis_url(),
        "TELEGRAM_BOT_TOKEN": TOKEN,
        "ANTHROPIC_API_KEY": "sk-ant-test",
        "DEFAULT_MODEL": MODEL,
        "STARTING_BALANCE_USD": "100",
        "MEDIA_ROOT": str(folder / "media"),
        "LOG_FORMAT": "json",
        "COUNTING_LOG": str(folder / "notes"),
    }
    made = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-c", MAKE_DATABASE],
        env=environment,
        cwd=house,
        check=True,
        stdout=subprocess.PIPE,
        timeout=180,
    )
    (folder / "notes").touch()
    async with Playground.started(TOKEN) as telegram, AnthropicStandIn.started(Counting()) as claude:
        environment |= {"TELEGRAM_API_URL": telegram.url, "ANTHROPIC_BASE_URL": claude.url}
        async with (
            Bots.of(environment, folder, house) as bots,
            Workers.of(environment, folder, house) as workers,
        ):
            crowd = People(telegram)

            def heard(call: str, bad: bool) -> None:
                (crowd.phase.bad if bad else crowd.phase.good).add(call)

            events = Recording(environment, int(made.stdout), heard, house)
            started = {"bot": bots.start(), "flusher": workers.start("worker"), "long": workers.start("long")}
            whole = Town(
                postgres,
                redis,
                bots,
                workers,
                crowd,
                events,
                folder / "notes",
                chance=random.Random(seed),
                **started,
            )
            events.tell("go")
            asking = [asyncio.create_task(crowd.ask_on()) for _ in range(people)]
            supervising = asyncio.create_task(whole.supervise())
            try:
                await crowd.answered_since(time.monotonic())  # everything is up
                yield whole
                crowd.over = True
                await asyncio.gather(*asking)
            finally:
                supervising.cancel()
                events.end()
                for task in asking:
                    task.cancel()
                await asyncio.gather(*asking, return_exceptions=True)


def _backends(server: int) -> Iterator[psutil.Process]:
    """The processes that serve a connection, as far as they do not end while we look."""
    for child in psutil.Process(server).children():
        with contextlib.suppress(psutil.NoSuchProcess):  # a zombie is one
            if "[local]" in " ".join(child.cmdline()):
                yield child
